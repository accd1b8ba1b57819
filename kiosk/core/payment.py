"""The tender under way, as pure functions. It knows of terminals only what any protocol can say.

    OPEN -> INTENT (durable before any byte leaves) -> SENT -> APPROVED | DECLINED | CANCELLED | UNKNOWN

Kept throughout: one attempt at a time; the requested amount never changes; nothing is confirmed to the terminal that
is not recorded; an amount or currency that is not what was asked for is never taken as paid. What becomes of UNKNOWN
stands in `doubt`, giving back what was paid in `reversal`.
"""

from msgspec.structs import replace

from kiosk.core import doubt, reversal
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import (
    asked,
    currency,
    current,
    evidence,
    failed,
    go_on,
    query,
    under_way,
    with_phase,
    with_tender,
)
from kiosk.core.basket import standing
from kiosk.core.state import Payment, State
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import UNDECIDED, UNSETTLED, due_minor
from kiosk.records.sale import Tender

ENDING_S = 20


def choose(state: State, event: on.PayChosen) -> Step:
    """The customer pays by card what is still due."""
    sale = state.sale
    if sale is None or not standing(sale.lines) or state.payment is not None:
        return stay(state)
    if state.stage not in ("scanning", "choosing"):
        return stay(state)
    if any(t.tender_id == event.tender_id or t.state in UNSETTLED for t in sale.tenders):
        return stay(state)
    due = due_minor(sale)
    if due <= 0:
        return go_on(state)
    tender = Tender(event.tender_id, "card", "open", due)
    sale = replace(sale, state="paying", tenders=[*sale.tenders, tender])
    payment = Payment(event.tender_id, "preparing")
    after = replace(state, sale=sale, payment=payment, stage="paying", prompt=None)
    return Step(after, (do.PrepareTerminal(event.tender_id),))


def prepared(state: State, event: on.TerminalPrepared) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "open":
        return stay(state)
    asked = state.payment is not None and state.payment.phase == "aborting"
    tender = replace(tender, state="intent", witness=event.witness, intent_wall_ms=event.wall_ms)
    after = with_tender(state, tender, phase="aborting" if asked else "charging")
    charge = do.Charge(tender.tender_id, tender.requested_minor, currency(state), event.witness)
    # Stopped by the terminal and not here: whether nothing is charged is then in its answer, and in the journal.
    return Step(after, (charge, do.AbortPayment(tender.tender_id)) if asked else (charge,))


def not_prepared(state: State, event: on.TerminalNotPrepared) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "open":
        return stay(state)
    return failed(state, replace(tender, state="cancelled", reason=event.reason), "terminal_unavailable")


def sent(state: State, event: on.ChargeSent) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "intent":
        return stay(state)
    return Step(with_tender(state, replace(tender, state="sent")))


def approved(state: State, event: on.PaymentApproved) -> Step:
    tender = current(state, event.tender_id)
    if tender is not None and tender.state == "approved" and state.payment is not None and state.payment.seq:
        # Repeated, since the daemon's stream was resumed: the same confirmation again does no harm.
        return Step(state, (do.ConfirmPayment(tender.tender_id, state.payment.seq),))
    if tender is None or tender.state not in UNDECIDED:
        return doubt.late(state, event)
    why = doubt.wrong(state, tender, event.authorised_minor, event.currency)
    if why:
        told, card = (event.authorised_minor, event.currency), event.card
        seen = evidence(state, tender, why, said="approved", told_minor=told[0], told_currency=told[1], card=card)
        return doubt.leave(state, tender, seen)
    after = doubt.approve(state, tender, event.authorised_minor, event.card, event.seq)
    return Step(after, (do.ConfirmPayment(tender.tender_id, event.seq), do.StartTimer("ending", ENDING_S)))


def declined(state: State, event: on.PaymentDeclined) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state not in UNDECIDED:
        return stay(state)
    step = failed(state, replace(tender, state=event.outcome, reason=event.reason), event.reason)
    return Step(step.state, (do.ConfirmPayment(event.tender_id, event.seq), *step.effects))


def ended(state: State, event: on.PaymentEnded) -> Step:
    """The terminal's transaction is over, after an approval that was confirmed."""
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "approved" or _is_reversing(state):
        return stay(state)
    tender = replace(tender, receipt_lines=event.receipt_lines)
    match event.standing:
        case "stands":
            return go_on(with_tender(state, tender))
        case "void":
            return failed(state, replace(tender, state="reversed", reason="void"), "void")
        case "unclear":
            return doubt.unknown(state, tender, "unclear")


def lost(state: State, event: on.PaymentLost) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state not in (*UNDECIDED, "approved") or _is_reversing(state):
        return stay(state)
    if not event.sent and tender.state in ("intent", "sent"):
        return failed(state, replace(tender, state="cancelled", reason=event.reason), event.reason)
    return doubt.unknown(state, tender, event.reason)


def confirm_failed(state: State, event: on.ConfirmFailed) -> Step:
    """The approval is recorded, but whether the terminal knows that is not known: ask it."""
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "approved" or _is_reversing(state):
        return stay(state)
    return Step(with_phase(state, "unknown"), (query(state, tender),))


def late_with_its_end(state: State) -> Step:
    """The terminal is late with the end of an approved payment: ask."""
    tender = under_way(state)
    if tender is None or tender.state != "approved" or _is_reversing(state):
        return stay(state)
    return Step(state, (query(state, tender),))


def resume(state: State, *, restarted: bool) -> Step:
    """Events may have been missed (a restart of the kiosk or of the daemon): nothing is charged anew, all is asked."""
    tender = under_way(state)
    if tender is None:
        return stay(state)
    if _is_reversing(state):
        return reversal.resume(state, tender, restarted=restarted)
    if tender.state == "open":
        return Step(with_phase(state, "preparing"), (do.PrepareTerminal(tender.tender_id),))
    if tender.state == "manual":
        return doubt.timer(state)
    return Step(with_phase(state, "unknown"), asked(state, tender))


def abort(state: State) -> Step:
    """The customer wants out. The result decides, and may still be an approval."""
    if state.payment is not None and state.payment.phase == "preparing":
        return Step(with_phase(state, "aborting"))
    if state.payment is None or state.payment.phase != "charging":
        return stay(state)
    return Step(with_phase(state, "aborting"), (do.AbortPayment(state.payment.tender_id),))


def _is_reversing(state: State) -> bool:
    return state.payment is not None and state.payment.phase == "reversing"
