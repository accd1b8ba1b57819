"""From paid to gone: fiscal port, seal, receipt, thank you; and the ways a sale ends without payment."""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.state import Receipt, State
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import UNSETTLED, paid_minor
from kiosk.records.sale import Sale, SaleState

MAX_COPIES = 2


def fiscalised(state: State, event: on.Fiscalised) -> Step:
    if state.stage != "closing" or state.sale is None or state.sale.state != "fiscalising":
        return stay(state)
    return Step(replace(state, sale=replace(state.sale, fiscal=event.fiscal)), (do.CloseSale(),))


def closed(state: State, event: on.SaleClosed) -> Step:
    """Seal the sale: from here on it is never changed again."""
    if state.stage != "closing" or state.sale is None or state.sale.fiscal is None:
        return stay(state)
    sale = replace(
        state.sale,
        state="closed",
        closed_wall_ms=event.wall_ms,
        receipt_series=state.shop.receipt_series,
        receipt_no=state.next_receipt_no,
    )
    return Step(replace(state, sale=sale, stage="receipt", next_receipt_no=state.next_receipt_no + 1))


def receipt_chosen(state: State, event: on.ReceiptChosen) -> Step:
    """Also from a print that went wrong to another way."""
    if state.stage not in ("receipt", "printing") or (state.stage == "printing" and event.how == "print"):
        return stay(state)
    receipt = Receipt(event.how, event.document, event.job_id)
    if event.how != "print":
        return Step(replace(state, receipt=receipt, stage="thanks", prompt=None))
    after = replace(state, receipt=receipt, stage="printing", prompt=None)
    return Step(after, (do.PrintReceipt(event.job_id, event.document, copy=False),))


def print_ended(state: State, event: on.ReceiptPrintEnded) -> Step:
    printing = state.stage in ("printing", "suspended")
    if not printing or state.receipt is None or state.receipt.job_id != event.job_id:
        return stay(state)
    receipt = replace(state.receipt, outcome=event.outcome, reason=event.reason)
    if event.outcome == "printed":
        return Step(replace(state, receipt=receipt, stage="thanks" if state.stage == "printing" else state.stage))
    return Step(replace(state, receipt=receipt), (do.CallStaff("printer"),))


def copy_chosen(state: State, event: on.CopyChosen) -> Step:
    """After a print that failed or is in doubt. What may have come out already is marked as a copy."""
    receipt = state.receipt
    if state.stage != "printing" or receipt is None or receipt.outcome in ("", "printed"):
        return stay(state)
    if receipt.copies >= MAX_COPIES:
        return Step(state, (do.CallStaff("printer"),))
    in_doubt = receipt.outcome == "uncertain" or receipt.copies > 0
    after = replace(receipt, job_id=event.job_id, copies=receipt.copies + in_doubt, outcome="", reason="")
    return Step(replace(state, receipt=after), (do.PrintReceipt(event.job_id, receipt.document, copy=in_doubt),))


def finished(state: State) -> Step:
    if state.stage not in ("receipt", "printing", "thanks", "suspended"):
        return stay(state)
    return Step(next_customer(state))


def given_up(state: State, how: SaleState) -> Step:
    """Cancelled or abandoned: only while nothing is paid, and no payment is under way but the giving back of parts
    that has come to its end."""
    if state.sale is None or paid_minor(state.sale) > 0:
        return stay(state)
    given_back = state.payment is not None and state.payment.phase == "reversing" and bool(state.payment.ending)
    if given_back and all(tender.state not in UNSETTLED for tender in state.sale.tenders):
        return Step(next_customer(state))
    if state.payment is not None or state.stage not in ("scanning", "choosing"):
        return stay(state)
    return Step(next_customer(state))


def lost(state: State) -> Step:
    """Nothing is asked or done about it any more: what is known may be wrong, or nothing."""
    return Step(next_customer(state), (do.CallStaff("sale_lost"),))


def next_customer(state: State) -> State:
    """Nothing of this customer stays: not the basket, the language, nor the contrast."""
    return replace(
        state,
        stage="idle",
        sale=None,
        payment=None,
        receipt=None,
        prompt=None,
        waiting=(),
        slip="",
        language=state.shop.default_language,
        contrast="normal",
    )


def resume(state: State) -> Step:
    """After a restart: what is idempotent is done again, a print is asked about and never repeated by itself."""
    if state.stage == "closing" and state.sale is not None:
        if state.sale.fiscal is None:
            return Step(state, (do.Fiscalise(state.sale),))
        return Step(state, (do.CloseSale(),))
    # Also when it was in doubt: perhaps only because the daemon could not be asked at that moment.
    printing = state.stage in ("printing", "suspended") and state.receipt is not None and state.receipt.job_id
    if printing and state.receipt is not None and state.receipt.outcome in ("", "uncertain"):
        return Step(state, (do.AskPrint(state.receipt.job_id),))
    return stay(state)


def sealed(before: State, event: on.Any, after: State) -> Sale | None:
    """The whole sale as its last record tells it: when it was closed, cancelled or abandoned."""
    match event:
        case on.SaleClosed() if after.sale is not None and after.sale != before.sale:
            return after.sale
        case on.SaleSuspended() if after.sale is not None and after.sale != before.sale:
            return after.sale
        case on.SaleCancelled(wall_ms) if before.sale is not None and after.sale is None:
            return replace(before.sale, state="cancelled", closed_wall_ms=wall_ms)
        case on.SaleAbandoned(wall_ms) if before.sale is not None and after.sale is None:
            return replace(before.sale, state="abandoned", closed_wall_ms=wall_ms)
        case on.SaleLost(wall_ms=wall_ms) if before.sale is not None and before.sale.state != "closed":
            return replace(before.sale, state="abandoned", closed_wall_ms=wall_ms)
    return None
