"""Suspending and recalling as events: the slip's code and document made, or looked up in this lane's catalogue."""

import logging

from kiosk.core import events as on
from kiosk.core import suspend as rules
from kiosk.core.attendance import may
from kiosk.core.scanning import is_for_sale
from kiosk.core.screen import card_offered, print_offered
from kiosk.core.slipcode import Slip, TooLarge, decode, encode, fits
from kiosk.core.state import State
from kiosk.lane.catalogue import Catalogue
from kiosk.lane.stamp import LaneStamp, new_id
from kiosk.receipt.blocks import to_json
from kiosk.receipt.slip import compose_slip
from kiosk.records.catalogue import CatalogueError

_log = logging.getLogger("kassa.lane.slips")


def suspend(state: State, stamp: LaneStamp) -> on.Any | None:
    """None where nobody may: a customer only while no card can be taken here."""
    if not may(state, "suspend") and card_offered(state):
        return None
    if state.sale is None or not rules.can_suspend(state):
        return on.FoundNotPossible("suspend_now")
    wall_ms = stamp.wall_ms()
    try:
        code = encode(state.sale, wall_ms) if fits(state.sale) else ""
    except TooLarge:
        code = ""
    if not code:
        return on.FoundNotPossible("suspend_too_large")
    document = compose_slip(
        state.sale, state.shop, state.language, code, issued_wall_ms=wall_ms, tzo_min=stamp.tzo_min()
    )
    return on.SaleSuspended(code, to_json(document), new_id() if print_offered(state) else "", wall_ms)


def recall(state: State, text: str, catalogue: Catalogue, stamp: LaneStamp) -> on.Any:
    """What a read that begins like a slip's code means."""
    slip = decode(text)
    if slip is None:
        return on.UnknownScanned(text, "not_a_product")
    why = _refused(state, slip, stamp.wall_ms())
    if why:
        return on.FoundNotPossible(why)
    items, missing = _found(slip, catalogue)
    if not items:
        return on.FoundNotPossible("recall_empty")
    return on.SaleRecalled(
        original=slip.sale_id,
        original_state="transferred",
        original_catalogue_version=slip.catalogue_version,
        items=items,
        missing=missing,
        line_prefix=new_id(),
        sale_id=new_id(),
        catalogue_version=catalogue.version,
        language=state.language,
        wall_ms=stamp.wall_ms(),
    )


def _refused(state: State, slip: Slip, wall_ms: int) -> str:
    """Why the slip cannot be taken up here now; empty when it can."""
    if state.sale is not None and state.stage != "thanks":
        return "recall_busy"
    if slip.currency != state.shop.currency.code:
        return "recall_currency"
    if rules.was_recalled(state, slip.sale_id):
        return "recall_taken"
    return "recall_expired" if abs(wall_ms // 60_000 - slip.minute) > rules.VALID_MINUTES else ""


def _found(slip: Slip, catalogue: Catalogue) -> tuple[tuple[on.RecalledItem, ...], tuple[str, ...]]:
    items, missing = [], []
    for goods in slip.goods:
        try:
            product = catalogue.find(goods.code)
            deposit = catalogue.deposit_of(product) if product is not None else None
        except CatalogueError as error:
            _log.error("catalogue: %s", error)
            product = None
        if product is None or not is_for_sale(product) or (product.deposit and deposit is None):
            missing.append(goods.code)
        else:
            items.append(on.RecalledItem(product, deposit, goods.pieces, goods.price_minor))
    return tuple(items), tuple(missing)
