"""What to do, in the imperative. The lane performs them after the event is durable; results come back as events."""

import msgspec

from kiosk.core.state import Ending, TimerName
from kiosk.records.sale import Evidence, Sale


class Effect(msgspec.Struct, frozen=True):
    """Base of all effects."""


class PrepareTerminal(Effect, frozen=True, tag="prepare_terminal"):
    """Ask the terminal for its own record. Answer: TerminalPrepared or TerminalNotPrepared."""

    tender_id: str


class Charge(Effect, frozen=True, tag="charge"):
    """Start the payment, once per tender_id. Answer: ChargeSent, then progress, result, end or loss."""

    tender_id: str
    amount_minor: int
    currency: str
    witness: str


class ConfirmPayment(Effect, frozen=True, tag="confirm_payment"):
    """The result is durable: let the terminal be told. Answer only on failure: ConfirmFailed."""

    tender_id: str
    seq: int


class AbortPayment(Effect, frozen=True, tag="abort_payment"):
    tender_id: str


class QueryPayment(Effect, frozen=True, tag="query_payment"):
    """How did it end? Never starts a payment. Answer: PaymentQueried."""

    tender_id: str
    amount_minor: int
    currency: str
    witness: str


class LeaveToStaff(Effect, frozen=True, tag="leave_to_staff"):
    """Put the time to it. Answer: PaymentLeftToStaff."""

    tender_id: str
    evidence: Evidence


class IntendReversal(Effect, frozen=True, tag="intend_reversal"):
    """Put id and time to it. Answer: ReversalIntended."""

    tender_id: str
    ending: Ending


class Reverse(Effect, frozen=True, tag="reverse"):
    """Give an approved payment back, once per reversal_id. Answer: ReversalEnded."""

    tender_id: str
    reversal_id: str
    receipt_no: str
    amount_minor: int
    currency: str


class Fiscalise(Effect, frozen=True, tag="fiscalise"):
    """Hand the paid sale to the fiscal port. Idempotent per sale. Answer: Fiscalised."""

    sale: Sale


class CloseSale(Effect, frozen=True, tag="close_sale"):
    """Put the closing time to it. Answer: SaleClosed."""


class PrintReceipt(Effect, frozen=True, tag="print_receipt"):
    """Print the issued document, once per job_id. Answer: ReceiptPrintEnded."""

    job_id: str
    document: str
    copy: bool


class AskPrint(Effect, frozen=True, tag="ask_print"):
    """How did this job end? Never prints. Answer: ReceiptPrintEnded."""

    job_id: str


class GiveUp(Effect, frozen=True, tag="give_up"):
    """Nobody answered, or all that was paid is given back. Answer: SaleAbandoned, or SaleCancelled if `cancelled`."""

    cancelled: bool = False


class Finish(Effect, frozen=True, tag="finish"):
    """The customer is done or gone. Answer: SaleFinished."""


class Reconcile(Effect, frozen=True, tag="reconcile"):
    """The acquirer's end of day, after day `no` was closed. Answer: Reconciled, whatever the terminal can do."""

    no: int


class Leave(Effect, frozen=True, tag="leave"):
    """The attendant's task is done, or they did nothing for too long. Answer: AttendantLeft."""

    attendant_id: str


class StartTimer(Effect, frozen=True, tag="start_timer"):
    """(Re)start a named timer. Answer: TimerElapsed."""

    name: TimerName
    after_s: int


class StopTimer(Effect, frozen=True, tag="stop_timer"):
    name: TimerName


class CallStaff(Effect, frozen=True, tag="call_staff"):
    """Light, console, status channel: somebody is needed. `why` is a stable word."""

    why: str


Any = (
    PrepareTerminal
    | Charge
    | ConfirmPayment
    | AbortPayment
    | QueryPayment
    | LeaveToStaff
    | IntendReversal
    | Reverse
    | Fiscalise
    | CloseSale
    | PrintReceipt
    | AskPrint
    | GiveUp
    | Finish
    | Leave
    | Reconcile
    | StartTimer
    | StopTimer
    | CallStaff
)
