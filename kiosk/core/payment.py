"""The tender under way, as pure functions. It knows of terminals only what any protocol can say.

    OPEN -> INTENT (durable before any byte leaves) -> SENT -> APPROVED | DECLINED | CANCELLED | UNKNOWN
    UNKNOWN -> query -> APPROVED | DECLINED | CANCELLED | REVERSED

Kept throughout: one attempt at a time; the requested amount never changes; nothing is confirmed to the terminal that
is not recorded; an amount or currency that is not what was asked for is never taken as paid.
"""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import due_minor
from kiosk.core.state import Payment, PaymentFailed, Phase, State
from kiosk.core.steps import Step, stay
from kiosk.records.sale import CardReferences, Tender, TenderState

ENDING_S = 20
RETRY_UNREACHABLE_S = 3
RETRY_UNKNOWN_S = 15
_UNDECIDED: tuple[TenderState, ...] = ("intent", "sent", "unknown")


def choose(state: State, event: on.PayChosen) -> Step:
    """The customer pays by card what is still due."""
    sale = state.sale
    if sale is None or not sale.lines or state.payment is not None or state.stage not in ("scanning", "choosing"):
        return stay(state)
    if any(t.tender_id == event.tender_id for t in sale.tenders):
        return stay(state)
    due = due_minor(sale)
    if due <= 0:
        return settle(state)
    tender = Tender(event.tender_id, "card", "open", due)
    sale = replace(sale, state="paying", tenders=[*sale.tenders, tender])
    payment = Payment(event.tender_id, "preparing")
    after = replace(state, sale=sale, payment=payment, stage="paying", prompt=None)
    return Step(after, (do.PrepareTerminal(event.tender_id),))


def prepared(state: State, event: on.TerminalPrepared) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state != "open":
        return stay(state)
    asked = state.payment is not None and state.payment.phase == "aborting"
    after = _with(
        state, replace(tender, state="intent", witness=event.witness), phase="aborting" if asked else "charging"
    )
    charge = do.Charge(tender.tender_id, tender.requested_minor, _currency(state), event.witness)
    # Stopped by the terminal and not here: whether nothing is charged is then in its answer, and in the journal.
    return Step(after, (charge, do.AbortPayment(tender.tender_id)) if asked else (charge,))


def not_prepared(state: State, event: on.TerminalNotPrepared) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state != "open":
        return stay(state)
    return _failed(state, replace(tender, state="cancelled", reason=event.reason), "terminal_unavailable")


def sent(state: State, event: on.ChargeSent) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state != "intent":
        return stay(state)
    return Step(_with(state, replace(tender, state="sent")))


def approved(state: State, event: on.PaymentApproved) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state not in _UNDECIDED:
        return _refuse_late(state, event.tender_id)
    return _take(state, tender, event.seq, event.authorised_minor, event.currency, event.card)


def declined(state: State, event: on.PaymentDeclined) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state not in _UNDECIDED:
        return stay(state)
    step = _failed(state, replace(tender, state=event.outcome, reason=event.reason), event.reason)
    return Step(step.state, (do.ConfirmPayment(event.tender_id, event.seq), *step.effects))


def ended(state: State, event: on.PaymentEnded) -> Step:
    """The terminal's transaction is over, after an approval that was confirmed."""
    tender = _current(state, event.tender_id)
    if tender is None or tender.state != "approved":
        return stay(state)
    tender = replace(tender, receipt_lines=event.receipt_lines)
    match event.standing:
        case "stands":
            return settle(_with(state, tender))
        case "void":
            return _failed(state, replace(tender, state="reversed", reason="void"), "void")
        case "unclear":
            return _unknown(state, tender, "unclear")


def lost(state: State, event: on.PaymentLost) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state not in (*_UNDECIDED, "approved"):
        return stay(state)
    if not event.sent and tender.state in ("intent", "sent"):
        return _failed(state, replace(tender, state="cancelled", reason=event.reason), event.reason)
    return _unknown(state, tender, event.reason)


def confirm_failed(state: State, event: on.ConfirmFailed) -> Step:
    """The approval is recorded, but whether the terminal knows that is not known: ask it."""
    tender = _current(state, event.tender_id)
    if tender is None or tender.state != "approved":
        return stay(state)
    return Step(_phase(state, "unknown"), (query(state, tender),))


def queried(state: State, event: on.PaymentQueried) -> Step:
    tender = _current(state, event.tender_id)
    if tender is None or tender.state not in (*_UNDECIDED, "approved"):
        return stay(state)
    match event.answer:
        case "in_progress":
            asked = state.payment is not None and state.payment.phase == "aborting"
            return Step(state if asked else _phase(state, "charging"), (do.StartTimer("query", RETRY_UNKNOWN_S),))
        case "approved":
            if event.card is None:
                return _call_staff(state, tender)
            return _take(state, tender, event.seq, event.authorised_minor, event.currency, event.card)
        case "declined" | "cancelled" | "not_charged":
            # An approval that was recorded here but never acknowledged was taken back by the terminal itself.
            outcome: TenderState = "reversed" if tender.state == "approved" else "cancelled"
            if event.answer == "declined" and tender.state != "approved":
                outcome = "declined"
            return _failed(state, replace(tender, state=outcome, reason=event.answer), "not_charged")
        case "unknown":
            return _call_staff(state, tender)
        case "unreachable":
            return Step(_phase(state, "unknown"), (do.StartTimer("query", RETRY_UNREACHABLE_S),))


def timer(state: State, name: str) -> Step:
    """`ending`: the terminal is late with its end. `query`: time to ask again."""
    tender = _under_way(state)
    if tender is None or tender.state not in (*_UNDECIDED, "approved"):
        return stay(state)
    if name == "query" or tender.state == "approved":
        return Step(state, (query(state, tender),))
    return stay(state)


def unclear_too_long(state: State) -> Step:
    """The customer has stood there long enough: somebody comes, also when the terminal never answers at all."""
    if state.payment is None or state.payment.staff:
        return stay(state)
    return Step(replace(state, payment=replace(state.payment, staff=True)), (do.CallStaff("payment_unclear"),))


def terminal_is_back(state: State) -> Step:
    """The terminal answers again: if a payment is unclear, ask now instead of at the next timer."""
    tender = _under_way(state)
    if tender is None or state.payment is None or state.payment.phase != "unknown":
        return stay(state)
    return Step(state, (query(state, tender),))


def resume(state: State) -> Step:
    """Events may have been missed (a restart of the kiosk or of the daemon): nothing is charged anew, all is asked."""
    tender = _under_way(state)
    if tender is None:
        return stay(state)
    if tender.state == "open":
        return Step(_phase(state, "preparing"), (do.PrepareTerminal(tender.tender_id),))
    return Step(_phase(state, "unknown"), (query(state, tender),))


def abort(state: State) -> Step:
    """The customer wants out. The result decides, and may still be an approval."""
    if state.payment is not None and state.payment.phase == "preparing":
        return Step(_phase(state, "aborting"))
    if state.payment is None or state.payment.phase != "charging":
        return stay(state)
    return Step(_phase(state, "aborting"), (do.AbortPayment(state.payment.tender_id),))


def query(state: State, tender: Tender) -> do.QueryPayment:
    return do.QueryPayment(tender.tender_id, tender.requested_minor, _currency(state), tender.witness)


def settle(state: State) -> Step:
    """No tender is under way: on to the fiscal port if all is paid, else to the choice of how to pay the rest."""
    assert state.sale is not None
    if due_minor(state.sale) > 0:
        return Step(replace(state, sale=replace(state.sale, state="open"), payment=None, stage="choosing"))
    sale = replace(state.sale, state="fiscalising")
    return Step(replace(state, sale=sale, payment=None, stage="closing", prompt=None), (do.Fiscalise(sale),))


def _take(state: State, tender: Tender, seq: int, authorised_minor: int, currency: str, card: CardReferences) -> Step:
    """An approval, live or from the terminal's record. `seq` > 0: it still has to be confirmed to the terminal."""
    right = currency == _currency(state) and 0 < authorised_minor <= tender.requested_minor
    if not right:
        return _call_staff(state, tender)
    tender = replace(tender, state="approved", authorised_minor=authorised_minor, card=card, reason="")
    if seq == 0:
        return settle(_with(state, tender))
    after = _with(state, tender, phase="confirming", seq=seq)
    return Step(after, (do.ConfirmPayment(tender.tender_id, seq), do.StartTimer("ending", ENDING_S)))


def _refuse_late(state: State, tender_id: str) -> Step:
    """An approval of a payment that counts as ended, or of none of ours: never confirmed, never silent."""
    current = _current(state, tender_id)
    if current is not None and current.state == "approved":
        # Repeated, since the daemon's stream was resumed: the same confirmation again does no harm.
        seq = state.payment.seq if state.payment is not None else 0
        return Step(state, (do.ConfirmPayment(tender_id, seq),)) if seq else stay(state)
    return Step(state, (do.CallStaff("late_approval"),))


def _unknown(state: State, tender: Tender, reason: str) -> Step:
    after = _with(state, replace(tender, state="unknown", reason=reason), phase="unknown")
    return Step(after, (query(after, tender),))


def _call_staff(state: State, tender: Tender) -> Step:
    after = _with(state, replace(tender, state="unknown"), phase="unknown")
    assert after.payment is not None
    first = not after.payment.staff
    after = replace(after, payment=replace(after.payment, staff=True))
    alarm = (do.CallStaff("payment_unclear"),) if first else ()
    return Step(after, (*alarm, do.StartTimer("query", RETRY_UNKNOWN_S)))


def _failed(state: State, tender: Tender, reason: str) -> Step:
    """Nothing was charged by this tender; the customer may try again."""
    asked = state.payment is not None and state.payment.phase == "aborting"
    after = _with(state, tender)
    assert after.sale is not None
    after = replace(after, sale=replace(after.sale, state="open"), payment=None, stage="choosing")
    quiet = asked and tender.state == "cancelled"
    return Step(
        replace(after, prompt=None if quiet else PaymentFailed(reason)), (do.StopTimer("query"), do.StopTimer("ending"))
    )


def _under_way(state: State) -> Tender | None:
    return None if state.payment is None else _current(state, state.payment.tender_id)


def _current(state: State, tender_id: str) -> Tender | None:
    """The tender under way, if it is this one."""
    if state.sale is None or state.payment is None or state.payment.tender_id != tender_id:
        return None
    return next((t for t in state.sale.tenders if t.tender_id == tender_id), None)


def _with(state: State, tender: Tender, *, phase: Phase | None = None, seq: int = 0) -> State:
    assert state.sale is not None
    tenders = [tender if t.tender_id == tender.tender_id else t for t in state.sale.tenders]
    after = replace(state, sale=replace(state.sale, tenders=tenders))
    if phase is not None and after.payment is not None:
        after = replace(after, payment=replace(after.payment, phase=phase, seq=seq or after.payment.seq))
    return after


def _phase(state: State, phase: Phase) -> State:
    assert state.payment is not None
    return replace(state, payment=replace(state.payment, phase=phase))


def _currency(state: State) -> str:
    assert state.sale is not None
    return state.sale.currency.code
