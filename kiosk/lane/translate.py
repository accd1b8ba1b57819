"""From what came in (a read, a wish) to an event: products looked up, ids and times put in, and gates kept.

The gates that look at devices stand here and not in the core, whose durable events must replay the same whatever the
devices do.
"""

import logging

from kiosk.core import events as on
from kiosk.core.attempt import last_paid, under_way
from kiosk.core.barcode import Gtin, InStore, InStoreRules, NotAProduct, interpret
from kiosk.core.screen import card_offered, print_offered, screen
from kiosk.core.slipcode import PREFIX
from kiosk.core.state import Catalogue as CatalogueInfo
from kiosk.core.state import ResolveAsked, State
from kiosk.lane import port
from kiosk.lane.catalogue import Catalogue
from kiosk.lane.counter import Counter
from kiosk.lane.slips import recall, suspend
from kiosk.lane.stamp import LaneStamp, new_id
from kiosk.receipt.blocks import to_json
from kiosk.receipt.document import compose
from kiosk.records.catalogue import CatalogueError
from kiosk.records.settings import Settings

_log = logging.getLogger("kassa.lane.translate")


class CodeRead:
    """A barcode, as the scanner gave it."""

    __slots__ = ("aim", "text")

    def __init__(self, text: str, aim: str) -> None:
        self.text = text
        self.aim = aim


class Translate:
    """Belongs to the lane's thread, except for construction."""

    def __init__(self, stamp: LaneStamp, rules: InStoreRules, catalogue: Catalogue | None) -> None:
        self._stamp = stamp
        self._rules = rules
        self._catalogue = catalogue
        self._counter = Counter(stamp)

    def use(self, settings: Settings | None) -> None:
        """Go by these settings of the shop from here on."""
        self._counter.settings = settings

    @property
    def catalogue(self) -> Catalogue | None:
        return self._catalogue

    def adopt(self, catalogue: Catalogue) -> on.CatalogueChanged:
        """Take another catalogue version; only between sales."""
        old, self._catalogue = self._catalogue, catalogue
        if old is not None:
            old.close()
        return on.CatalogueChanged(CatalogueInfo(catalogue.version, catalogue.count))

    def event(self, state: State, happened: object) -> on.Any | None:
        match happened:
            case CodeRead():
                return self._read(state, happened)
            case port.Wish():
                return self._wish(state, happened)
            case _:
                _log.error("nobody knows what to do with a %s", type(happened).__name__)
                return None

    def _read(self, state: State, read: CodeRead) -> on.Any | None:
        staff = self._counter.badge(state, read.text)
        if staff is not None:
            return staff
        if screen(state) == "out_of_service" or self._catalogue is None:
            return None
        if read.text.startswith(PREFIX):
            return recall(state, read.text, self._catalogue, self._stamp)
        match interpret(read.text, read.aim, self._rules):
            case Gtin(code14=code):
                return self._product(state, read, code)
            case InStore(code=code):
                return self._product(state, read, code)
            case NotAProduct():
                return on.UnknownScanned(read.text, "not_a_product")

    def _product(self, state: State, read: CodeRead, code: str) -> on.Any:
        assert self._catalogue is not None
        try:
            product = self._catalogue.find(code)
            if product is None:
                return on.UnknownScanned(read.text, "unknown")
            deposit = self._catalogue.deposit_of(product)
        except CatalogueError as error:
            _log.error("catalogue: %s", error)
            return on.UnknownScanned(read.text, "unknown")
        if product.deposit and deposit is None:
            # Sold without its deposit it would be the wrong price: rather not at all.
            _log.error("product %s names deposit %s, which is not there", code, product.deposit)
            return on.UnknownScanned(read.text, "unknown")
        return on.ItemScanned(
            product=product,
            deposit=deposit,
            aim=read.aim,
            line_id=new_id(),
            deposit_line_id=new_id(),
            sale_id=new_id(),
            catalogue_version=self._catalogue.version,
            language=state.language,
            wall_ms=self._stamp.wall_ms(),
        )

    def _wish(self, state: State, wish: port.Wish) -> on.Any | None:
        match wish:
            case port.Start():
                return on.StartTouched() if screen(state) == "attract" else None
            case port.Touch():
                return on.Touched()
            case port.ChooseLanguage(language):
                return on.LanguageChosen(language)
            case port.ChooseContrast(contrast):
                return on.ContrastChosen(contrast)
            case port.GoToPay():
                return on.PayTouched()
            case port.PayByCard():
                return on.PayChosen(new_id()) if card_offered(state) else on.Touched()
            case port.Back():
                return on.BackTouched()
            case port.Help():
                return on.HelpTouched()
            case port.Cancel():
                return on.CancelTouched()
            case port.CancelConfirmed():
                return self._cancelled(state)
            case port.Remove(line_id):
                return on.RemoveTouched(line_id)
            case port.Resolve(charged):
                return on.ResolveTouched(charged == "yes")
            case port.ResolveConfirmed():
                return self._resolved(state)
            case port.ClosePrompt():
                return on.PromptClosed()
            case port.ChooseReceipt(how):
                return self._receipt(state, how)
            case port.PrintAgain():
                return on.CopyChosen(new_id()) if print_offered(state) else on.Touched()
            case port.Finish():
                return on.SaleFinished()
            case port.Suspend():
                return suspend(state, self._stamp)
            case _:
                return self._counter.event(state, wish)

    def _cancelled(self, state: State) -> on.Any:
        """What was paid goes back first; the sale ends when nothing of it is paid any more."""
        part = last_paid(state.sale) if state.sale is not None else None
        if part is None:
            return on.SaleCancelled(self._stamp.wall_ms())
        return on.ReversalIntended(part.tender_id, new_id(), "cancelled", self._stamp.wall_ms())

    def _resolved(self, state: State) -> on.Any | None:
        tender, who = under_way(state), state.attendant
        if tender is None or tender.evidence is None or who is None or not isinstance(state.prompt, ResolveAsked):
            return None
        return on.PaymentResolved(
            tender.tender_id, state.prompt.charged, who.attendant_id, tender.evidence, self._stamp.wall_ms()
        )

    def _receipt(self, state: State, how: port.How) -> on.Any | None:
        if state.sale is None or state.stage not in ("receipt", "printing"):
            return None
        if (how == "print" and not print_offered(state)) or (how == "qr" and not state.shop.receipt_url):
            return on.Touched()
        if state.receipt is not None:  # already issued; only the way to hand it over changes
            return on.ReceiptChosen(how, state.receipt.document, new_id())
        document = compose(
            state.sale,
            state.shop,
            state.language,
            issued_wall_ms=self._stamp.wall_ms(),
            tzo_min=self._stamp.tzo_min(),
        )
        return on.ReceiptChosen(how, to_json(document), new_id())
