"""The tender under way: finding it, changing it, and what comes when it is over."""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core.state import Payment, PaymentFailed, Phase, State
from kiosk.core.steps import Step
from kiosk.core.tenders import due_minor, settled_minor
from kiosk.records.sale import CardReferences, Evidence, Sale, Tender


def under_way(state: State) -> Tender | None:
    return None if state.payment is None else current(state, state.payment.tender_id)


def current(state: State, tender_id: str) -> Tender | None:
    """The tender under way, if it is this one."""
    if state.payment is None or state.payment.tender_id != tender_id:
        return None
    return named(state, tender_id)


def named(state: State, tender_id: str) -> Tender | None:
    """Any tender of a sale that can still be changed."""
    if state.sale is None or state.sale.state not in ("open", "paying"):
        return None
    return next((t for t in state.sale.tenders if t.tender_id == tender_id), None)


def with_tender(state: State, tender: Tender, *, phase: Phase | None = None, seq: int = 0) -> State:
    assert state.sale is not None
    tenders = [tender if t.tender_id == tender.tender_id else t for t in state.sale.tenders]
    after = replace(state, sale=replace(state.sale, tenders=tenders))
    if phase is not None and after.payment is not None:
        after = replace(after, payment=replace(after.payment, phase=phase, seq=seq or after.payment.seq))
    return after


def with_phase(state: State, phase: Phase) -> State:
    assert state.payment is not None
    return replace(state, payment=replace(state.payment, phase=phase))


def currency(state: State) -> str:
    assert state.sale is not None
    return state.sale.currency.code


def query(state: State, tender: Tender) -> do.QueryPayment:
    return do.QueryPayment(tender.tender_id, tender.requested_minor, currency(state), tender.witness)


SAYS_NOTHING = ("late_approval", "reversal_refused", "reversal_unclear")
"""Doubts of which the terminal's record tells nothing, or something else: it has moved on since that tender's witness,
by payments of other tenders, or it is the record of a payment and not of its reversal."""


def asked(state: State, tender: Tender) -> tuple[do.Any, ...]:
    """What brings an unclear tender on. What was once left to staff is not asked of the terminal instead, also where
    the record of that was lost; and no record is looked at that could be another payment's."""
    left = tender.evidence
    if tender.state == "unknown" and left is not None:
        return (do.LeaveToStaff(tender.tender_id, left),)
    if tender.state == "manual" and left is not None and left.why in SAYS_NOTHING:
        return ()
    return (query(state, tender),)


def evidence(
    state: State,
    tender: Tender,
    why: str,
    *,
    said: str = "",
    detail: str = "",
    told_minor: int = 0,
    told_currency: str = "",
    card: CardReferences | None = None,
    told_wall_ms: int = 0,
) -> Evidence:
    """What was asked for, and what was told about it."""
    return Evidence(
        why=why,
        requested_minor=tender.requested_minor,
        currency=currency(state),
        said=said,
        detail=detail,
        told_minor=told_minor,
        told_currency=told_currency,
        card=card if card is not None else tender.card,
        asked_wall_ms=tender.intent_wall_ms,
        told_wall_ms=told_wall_ms,
    )


def last_paid(sale: Sale) -> Tender | None:
    """The part that is given back first: the newest."""
    return next((t for t in reversed(sale.tenders) if settled_minor(t) > 0), None)


def go_on(state: State) -> Step:
    """The tender under way is over. First comes another that is in doubt, then giving back what the sale is not to
    keep, then the fiscal port if all is paid, else the choice of how to pay the rest."""
    sale = state.sale
    assert sale is not None
    ending = state.payment.ending if state.payment is not None else ""
    doubt = next((t for t in sale.tenders if t.state in ("unknown", "manual")), None)
    if doubt is not None:
        phase: Phase = "manual" if doubt.state == "manual" else "unknown"
        payment = Payment(doubt.tender_id, phase, staff=True, ending=ending)
        after = replace(state, sale=replace(sale, state="paying"), payment=payment, stage="paying", prompt=None)
        return Step(after, asked(after, doubt))
    due = due_minor(sale)
    back = last_paid(sale) if ending or due < 0 else None
    if back is not None:
        payment = Payment(back.tender_id, "reversing", ending=ending)
        after = replace(state, sale=replace(sale, state="paying"), payment=payment, stage="paying", prompt=None)
        return Step(after, (do.IntendReversal(back.tender_id, ending),))
    if ending:
        return Step(with_phase(state, "reversing"), (do.GiveUp(cancelled=ending == "cancelled"),))
    if due > 0:
        return Step(replace(state, sale=replace(sale, state="open"), payment=None, stage="choosing"))
    sale = replace(sale, state="fiscalising")
    return Step(replace(state, sale=sale, payment=None, stage="closing", prompt=None), (do.Fiscalise(sale),))


def failed(state: State, tender: Tender, reason: str) -> Step:
    """Nothing was charged by this tender; the customer may try again."""
    asked = state.payment is not None and state.payment.phase == "aborting"
    quiet = asked and tender.state == "cancelled"
    step = go_on(with_tender(state, tender))
    after = step.state
    if after.stage == "choosing":
        after = replace(after, prompt=None if quiet else PaymentFailed(reason))
    return Step(after, (do.StopTimer("query"), do.StopTimer("ending"), *step.effects))
