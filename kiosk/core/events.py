"""What happened, in the past tense. Ids, times and prices are in the event: the lane put them there.

The tag of an event is the `typ` of its journal record. Events of `Durable` change the sale and are journaled before
anything is done about them; events of `Passing` change only what is shown, and are not.
"""

from typing import Literal

import msgspec

from kiosk.core.report import Comparison, Report, Totals
from kiosk.core.state import Catalogue, DeviceHealth, DeviceName, Ending, Shop, TimerName
from kiosk.records.sale import CardReferences, Evidence, Fiscal, Product, RestrictionCheck


class Event(msgspec.Struct, frozen=True):
    """Base of all events."""


# Durable: the sale


class ItemScanned(Event, frozen=True, tag="item.scanned"):
    """A product was read. The ids are for the line, its deposit line, and the sale if this opens one; `language` is
    the screen's, for the same case."""

    product: Product
    deposit: Product | None
    aim: str
    line_id: str
    deposit_line_id: str
    sale_id: str
    catalogue_version: str
    language: str
    wall_ms: int


class LanguageChosen(Event, frozen=True, tag="language.chosen"):
    language: str


class PayChosen(Event, frozen=True, tag="payment.chosen"):
    tender_id: str


class TerminalPrepared(Event, frozen=True, tag="payment.intent"):
    """The terminal's record from before the payment is known: this is the durable intent to charge."""

    tender_id: str
    witness: str
    wall_ms: int = 0


class TerminalNotPrepared(Event, frozen=True, tag="payment.not_started"):
    """Nothing was sent to the terminal."""

    tender_id: str
    reason: str


class ChargeSent(Event, frozen=True, tag="payment.sent"):
    tender_id: str


class PaymentApproved(Event, frozen=True, tag="payment.approved"):
    """Approved, not yet acknowledged to the terminal: `seq` is what to confirm. Amounts as the terminal said."""

    tender_id: str
    seq: int
    authorised_minor: int
    currency: str
    card: CardReferences


class PaymentDeclined(Event, frozen=True, tag="payment.declined"):
    tender_id: str
    seq: int
    outcome: Literal["declined", "cancelled"]
    reason: str
    code: str


class PaymentEnded(Event, frozen=True, tag="payment.ended"):
    tender_id: str
    standing: Literal["stands", "void", "unclear"]
    receipt_lines: list[str]


class PaymentLost(Event, frozen=True, tag="payment.lost"):
    """Nobody knows how it ended, unless `sent` is false: then nothing was charged."""

    tender_id: str
    sent: bool
    reason: str


class PaymentQueried(Event, frozen=True, tag="payment.queried"):
    """The answer to the question how it ended; words of `hal.api.records.PaymentState`."""

    tender_id: str
    answer: Literal["in_progress", "approved", "declined", "cancelled", "not_charged", "unknown", "unreachable"]
    seq: int
    authorised_minor: int
    currency: str
    card: CardReferences | None
    detail: str
    wall_ms: int = 0


class PaymentLeftToStaff(Event, frozen=True, tag="payment.manual"):
    """An alarm: neither the lane nor the terminal can say how this tender ended, and a member of staff must. Also for
    a tender of a sale that is over, which then only its record and the acquirer's figures can settle."""

    tender_id: str
    evidence: Evidence
    wall_ms: int


class PaymentResolved(Event, frozen=True, tag="payment.resolved"):
    """A member of staff has said, with this evidence before them, whether the customer was charged."""

    tender_id: str
    charged: bool
    attendant_id: str
    evidence: Evidence
    wall_ms: int


class ReversalIntended(Event, frozen=True, tag="payment.reversal_intent"):
    """An approved tender is to be given back: durable before the terminal is asked. `ending`: the whole sale is given
    up, and so ends once nothing of it is paid any more."""

    tender_id: str
    reversal_id: str
    ending: Ending
    wall_ms: int


class ReversalEnded(Event, frozen=True, tag="payment.reversal_ended"):
    """`refused`: the payment stands. `unknown`: nobody knows. `detail`: a stable word or the terminal's own code."""

    tender_id: str
    reversal_id: str
    outcome: Literal["reversed", "refused", "unknown"]
    detail: str


class Fiscalised(Event, frozen=True, tag="sale.fiscalised"):
    fiscal: Fiscal


class SaleClosed(Event, frozen=True, tag="sale.closed"):
    wall_ms: int


class ReceiptChosen(Event, frozen=True, tag="receipt.issued"):
    """`document` is the issued receipt as JSON text, in the language of the moment."""

    how: Literal["print", "qr", "none"]
    document: str
    job_id: str


class PrintedJob(msgspec.Struct, frozen=True):
    """What was sent to the printer: the SHA-256 (hex) of its bytes, and the printer that they were made for (as
    `hal.api.records.PrinterProfile`), so that they can be made again from the issued document."""

    sha256: str
    dots: int
    columns: int
    code_pages: list[str]
    cutter: bool
    qr: bool


class ReceiptPrintEnded(Event, frozen=True, tag="receipt.printed"):
    """`job` None: nothing was sent by this process, or nobody knows any more what."""

    job_id: str
    outcome: Literal["printed", "failed", "uncertain"]
    reason: str
    job: PrintedJob | None = None


class CopyChosen(Event, frozen=True, tag="receipt.copied"):
    """One more print of the issued document, marked as a copy."""

    job_id: str


class SaleFinished(Event, frozen=True, tag="sale.finished"):
    """The customer has gone (or the thank-you screen left by itself)."""


class SaleCancelled(Event, frozen=True, tag="sale.cancelled"):
    """The customer gave the basket up, before any payment."""

    wall_ms: int


class SaleAbandoned(Event, frozen=True, tag="sale.abandoned"):
    """Nobody answered; the basket is given up."""

    wall_ms: int


class AttendantIdentified(Event, frozen=True, tag="attendant.identified"):
    """Badge and PIN were right. What follows until `AttendantLeft` is done in their name."""

    attendant_id: str
    roles: tuple[str, ...]


class AttendantRefused(Event, frozen=True, tag="attendant.refused"):
    """A PIN was wrong. `attendant_id`: whose badge it was, not who stands there."""

    attendant_id: str
    wall_ms: int


class AttendantLeft(Event, frozen=True, tag="attendant.left"):
    """They closed their part of the screen, or did nothing for too long."""

    attendant_id: str


class RestrictionChecked(Event, frozen=True, tag="restriction.checked"):
    """An attendant looked at the customer and approved or refused. `line_id` is what waited under it; the other ids as
    in `ItemScanned`."""

    product: Product
    deposit: Product | None
    aim: str
    line_id: str
    deposit_line_id: str
    sale_id: str
    catalogue_version: str
    language: str
    wall_ms: int
    check: RestrictionCheck


class LineVoided(Event, frozen=True, tag="line.voided"):
    """An attendant took a line off. `void_ids`: for the line that voids it, and for each that hangs below it."""

    line_id: str
    void_ids: tuple[str, ...]
    reason: str


class SaleSuspended(Event, frozen=True, tag="sale.suspended"):
    """Put aside: by an attendant, or by the customer who cannot pay here. `code` is what stands on the slip, which
    `document` is; `job_id` empty: there is no printer, and the code is shown only."""

    code: str
    document: str
    job_id: str
    wall_ms: int


class RecalledItem(msgspec.Struct, frozen=True):
    """`was_minor`: what a piece was on the slip."""

    product: Product
    deposit: Product | None
    pieces: int
    was_minor: int


class SaleRecalled(Event, frozen=True, tag="sale.recalled"):
    """A suspended sale is taken up here, and so counts as transferred: `original` is its id, `slip` what its code
    said beside the goods. `missing`: codes that this lane does not sell. The ids are as in `ItemScanned`."""

    original: str
    original_state: Literal["transferred"]
    original_catalogue_version: str
    items: tuple[RecalledItem, ...]
    missing: tuple[str, ...]
    line_prefix: str
    sale_id: str
    catalogue_version: str
    language: str
    wall_ms: int


class DayOpened(Event, frozen=True, tag="day.open"):
    """A business day begins with its first sale. `date`: the local one, YYYY-MM-DD."""

    date: str
    wall_ms: int


class DayRead(Event, frozen=True, tag="day.read"):
    """An X report was printed."""

    report: Report
    document: str
    job_id: str


class DayClosed(Event, frozen=True, tag="day.close"):
    """The Z report. `by_clock`: at the configured time; else an attendant did it. `job_id` empty: not printed."""

    report: Report
    document: str
    job_id: str
    by_clock: bool


class Reconciled(Event, frozen=True, tag="day.reconciled"):
    """The acquirer's end of day after day `no` was closed: what the terminal said, and how it compares with ours."""

    no: int
    totals: Totals
    comparison: Comparison


class SettingsAdopted(Event, frozen=True, tag="settings.adopted"):
    """A newer version of the shop's signed settings holds from here on."""

    version: str
    sequence: int


class SaleLost(Event, frozen=True, tag="sale.lost"):
    """Records of the open sale are damaged, so that nobody can say how it stood: it ends here, with what is known of
    it. An alarm: it may have been paid. `why`: for people."""

    why: str
    wall_ms: int


class Restarted(Event, frozen=True, tag="lane.restarted"):
    """The lane's process came up and has replayed its journal. `shop`: the rules that it goes by from here on, so that
    the journal alone tells how every sale was reckoned."""

    software: str
    shop: Shop | None = None


# Passing: what is shown


class Touched(Event, frozen=True, tag="touched"):
    """The customer did something that matters only as a sign of life."""


class StartTouched(Event, frozen=True, tag="start_touched"):
    pass


class PayTouched(Event, frozen=True, tag="pay_touched"):
    """To the choice of how to pay."""


class BackTouched(Event, frozen=True, tag="back_touched"):
    """From paying back to scanning; while the terminal works it asks the terminal to stop."""


class HelpTouched(Event, frozen=True, tag="help_touched"):
    pass


class CancelTouched(Event, frozen=True, tag="cancel_touched"):
    pass


class RemoveTouched(Event, frozen=True, tag="remove_touched"):
    """The customer wants a line out of the basket."""

    line_id: str


class ResolveTouched(Event, frozen=True, tag="resolve_touched"):
    """A member of staff says how the payment ended; asked once more before it counts."""

    charged: bool


class BadgeShown(Event, frozen=True, tag="badge_shown"):
    """A badge of the staff was read, or a PIN was given while none is taken (`wait_s` above 0)."""

    attendant_id: str
    wait_s: int


class MenuTouched(Event, frozen=True, tag="menu_touched"):
    """The attendant wants their menu."""


class FoundNotPossible(Event, frozen=True, tag="found_not_possible"):
    """Suspending or recalling was asked for, and cannot be done; `why` is one of its words."""

    why: str


class DayLooked(Event, frozen=True, tag="day_looked"):
    """The attendant wants to see the day's totals."""


class PromptClosed(Event, frozen=True, tag="prompt_closed"):
    pass


class ContrastChosen(Event, frozen=True, tag="contrast_chosen"):
    contrast: Literal["normal", "high"]


class UnknownScanned(Event, frozen=True, tag="unknown_scanned"):
    """Something was read that is no product of this shop; `why` as in `ItemNotFound`."""

    text: str
    why: str


class PaymentProgressed(Event, frozen=True, tag="payment_progressed"):
    tender_id: str
    progress: str
    text: str


class ConfirmFailed(Event, frozen=True, tag="confirm_failed"):
    """The approval could not be acknowledged to the terminal in time."""

    tender_id: str


class DeviceChanged(Event, frozen=True, tag="device_changed"):
    device: DeviceName
    health: DeviceHealth


class HalChanged(Event, frozen=True, tag="hal_changed"):
    """The hardware daemon is there or gone. `resumed` false: what happened meanwhile is not known."""

    connected: bool
    resumed: bool


class CatalogueChanged(Event, frozen=True, tag="catalogue_changed"):
    catalogue: Catalogue


class JournalChanged(Event, frozen=True, tag="journal_changed"):
    """Why no record can be made, in words for the technician; empty when records can be made again: what could not
    be recorded did not happen, so the open sale is taken up as after a restart."""

    reason: str


class TimerElapsed(Event, frozen=True, tag="timer_elapsed"):
    name: TimerName


Durable = (
    ItemScanned
    | LanguageChosen
    | PayChosen
    | TerminalPrepared
    | TerminalNotPrepared
    | ChargeSent
    | PaymentApproved
    | PaymentDeclined
    | PaymentEnded
    | PaymentLost
    | PaymentQueried
    | PaymentLeftToStaff
    | PaymentResolved
    | ReversalIntended
    | ReversalEnded
    | Fiscalised
    | SaleClosed
    | ReceiptChosen
    | ReceiptPrintEnded
    | CopyChosen
    | SaleFinished
    | SaleCancelled
    | SaleAbandoned
    | SaleLost
    | AttendantIdentified
    | AttendantRefused
    | AttendantLeft
    | RestrictionChecked
    | LineVoided
    | SaleSuspended
    | SaleRecalled
    | DayOpened
    | DayRead
    | DayClosed
    | Reconciled
    | SettingsAdopted
    | Restarted
)
Passing = (
    Touched
    | StartTouched
    | PayTouched
    | BackTouched
    | HelpTouched
    | CancelTouched
    | RemoveTouched
    | ResolveTouched
    | BadgeShown
    | MenuTouched
    | FoundNotPossible
    | DayLooked
    | PromptClosed
    | ContrastChosen
    | UnknownScanned
    | PaymentProgressed
    | ConfirmFailed
    | DeviceChanged
    | HalChanged
    | CatalogueChanged
    | JournalChanged
    | TimerElapsed
)
Any = Durable | Passing

AT_REST = ("sale.finished", "sale.cancelled", "sale.abandoned", "sale.lost", "day.close")
"""Record types after which no sale is open: a restart replays what came after the last of them."""
