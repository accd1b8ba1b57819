"""A payment whose end is not known: the terminal is asked, and where it cannot tell, a member of staff.

    UNKNOWN -> query -> APPROVED | DECLINED | CANCELLED | REVERSED | MANUAL
    MANUAL -> a member of staff, with the evidence seen -> APPROVED | CANCELLED | REVERSED

A tender becomes MANUAL by a record of its own, which is the alarm; from then on nothing but a member of staff settles
it. The terminal is asked on meanwhile, so that they see the newest of what it says. No other payment is begun.
"""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import (
    SAYS_NOTHING,
    asked,
    currency,
    current,
    evidence,
    failed,
    go_on,
    named,
    query,
    under_way,
    with_phase,
    with_tender,
)
from kiosk.core.attendance import leave as leave_lane
from kiosk.core.attendance import may
from kiosk.core.state import Payment, ResolveAsked, State
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import UNDECIDED, due_minor
from kiosk.records.sale import CardReferences, Evidence, Tender, TenderState

RETRY_UNREACHABLE_S = 3
RETRY_UNKNOWN_S = 15


def unknown(state: State, tender: Tender, reason: str) -> Step:
    after = with_tender(state, replace(tender, state="unknown", reason=reason), phase="unknown")
    return Step(after, (query(after, tender),))


def queried(state: State, event: on.PaymentQueried) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or state.payment is None or state.payment.phase == "reversing":
        return stay(state)
    if tender.state == "manual" or (tender.state == "unknown" and tender.evidence is not None):
        return _told_more(state, tender, event)
    if tender.state not in (*UNDECIDED, "approved"):
        return stay(state)
    match event.answer:
        case "in_progress":
            asked = state.payment.phase == "aborting"
            return Step(state if asked else with_phase(state, "charging"), (do.StartTimer("query", RETRY_UNKNOWN_S),))
        case "approved" if event.card is not None:
            why = wrong(state, tender, event.authorised_minor, event.currency)
            if why:
                return leave(state, tender, _told(state, tender, why, event))
            return _take(state, tender, event, event.card)
        case "declined" | "cancelled" | "not_charged":
            # An approval that was recorded here but never acknowledged was taken back by the terminal itself.
            outcome: TenderState = "reversed" if tender.state == "approved" else "cancelled"
            if event.answer == "declined" and tender.state != "approved":
                outcome = "declined"
            return failed(state, replace(tender, state=outcome, reason=event.answer), "not_charged")
        case "approved" | "unknown":
            return leave(state, tender, _told(state, tender, "unclear", event))
        case "unreachable":
            return Step(with_phase(state, "unknown"), (do.StartTimer("query", RETRY_UNREACHABLE_S),))


def wrong(state: State, tender: Tender, authorised_minor: int, told_currency: str) -> str:
    """Why an approval is not what was asked for; empty if it is. More than is still due would be paid twice."""
    if told_currency != currency(state):
        return "wrong_currency"
    if not 0 < authorised_minor <= tender.requested_minor:
        return "wrong_amount"
    assert state.sale is not None
    others = replace(state.sale, tenders=[t for t in state.sale.tenders if t.tender_id != tender.tender_id])
    return "overpaid" if authorised_minor > due_minor(others) else ""


def approve(state: State, tender: Tender, authorised_minor: int, card: CardReferences, seq: int) -> State:
    """An approval that is right. `seq` > 0: it still has to be confirmed to the terminal."""
    tender = replace(tender, state="approved", authorised_minor=authorised_minor, card=card, reason="")
    return with_tender(state, tender, phase="confirming" if seq else None, seq=seq)


def leave(state: State, tender: Tender, why: Evidence) -> Step:
    """To staff. The tender stays as it is, in doubt, until the record of that is made."""
    if tender.state != "reversal_intent":
        tender = replace(tender, state="unknown", reason=why.why)
    after = with_tender(state, replace(tender, evidence=why))
    if after.payment is not None and after.payment.tender_id == tender.tender_id:
        phase = "reversing" if tender.state == "reversal_intent" else "unknown"
        after = replace(after, payment=replace(after.payment, phase=phase, staff=True))
    return Step(after, (do.LeaveToStaff(tender.tender_id, why), do.CallStaff(f"payment_{why.why}")))


def late(state: State, event: on.PaymentApproved) -> Step:
    """An approval of a payment that counts as ended, or of none of ours: never confirmed, never silent."""
    tender = named(state, event.tender_id)
    if tender is None or tender.state == "open":
        asked = 0 if tender is None else tender.requested_minor
        told = Evidence("late_approval", asked, "", "approved", "", event.authorised_minor, event.currency, event.card)
        return Step(state, (do.LeaveToStaff(event.tender_id, told), do.CallStaff("payment_late_approval")))
    if tender.state == "approved":
        return stay(state)  # said again of a part that was paid and confirmed before
    minor, card = event.authorised_minor, event.card
    told = evidence(
        state,
        tender,
        "late_approval",
        said="approved",
        told_minor=minor,
        told_currency=event.currency,
        card=card,
    )
    if tender.state in ("reversal_intent", "manual"):
        prompt = None if isinstance(state.prompt, ResolveAsked) else state.prompt  # asked on older evidence
        after = replace(with_tender(state, replace(tender, evidence=told)), prompt=prompt)
        return Step(after, (do.CallStaff("payment_late_approval"),))
    if _is_free(state) and state.sale is not None:
        ending = state.payment.ending if state.payment is not None else ""
        sale = replace(state.sale, state="paying")
        payment = Payment(tender.tender_id, "unknown", staff=True, ending=ending)
        state = replace(state, sale=sale, payment=payment, stage="paying", prompt=None)
    return leave(state, tender, told)


def _is_free(state: State) -> bool:
    """Whether no tender is under way: also while a sale whose parts are all given back waits for its last record."""
    tender = under_way(state)
    if tender is None or state.payment is None:
        return True
    return bool(state.payment.ending) and tender.state in ("reversed", "cancelled", "declined")


def left_to_staff(state: State, event: on.PaymentLeftToStaff) -> Step:
    tender = named(state, event.tender_id)
    if tender is None:
        return Step(state, (do.CallStaff(f"payment_{event.evidence.why}"),))  # so that the alarm is in the journal
    known = current(state, event.tender_id) is not None and tender.state == "approved"
    if tender.state not in (*UNDECIDED, "reversal_intent") and not known:
        return stay(state)
    seen = replace(event.evidence, told_wall_ms=event.evidence.told_wall_ms or event.wall_ms)
    tender = replace(tender, state="manual", reason=seen.why, evidence=seen)
    after = with_tender(state, tender)
    if after.payment is None or after.payment.tender_id != tender.tender_id:
        return Step(after)  # its turn comes when the one under way is over
    after = replace(after, payment=replace(after.payment, phase="manual", staff=True))
    return Step(after, (do.StartTimer("query", RETRY_UNKNOWN_S),) if asked(after, tender) else ())


def resolve_touched(state: State, event: on.ResolveTouched) -> Step:
    return Step(replace(state, prompt=ResolveAsked(event.charged))) if may_resolve(state) else stay(state)


def may_resolve(state: State) -> bool:
    """Whether who stands at the lane may say how the payment ended."""
    return state.payment is not None and state.payment.phase == "manual" and may(state, "payments")


def resolved(state: State, event: on.PaymentResolved) -> Step:
    """Counts only from who is at the lane and may, and only on the evidence as it now stands."""
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "manual" or state.attendant is None or not may_resolve(state):
        return stay(state)
    if event.attendant_id != state.attendant.attendant_id or event.evidence != tender.evidence:
        return stay(state)
    assert state.payment is not None
    given_back: TenderState = "reversed" if tender.authorised_minor else "cancelled"
    tender = replace(
        tender,
        state="approved" if event.charged else given_back,
        authorised_minor=charged_minor(tender) if event.charged else tender.authorised_minor,
        reason="resolved",
        resolved_by=event.attendant_id,
    )
    after = replace(with_tender(state, tender), prompt=None)
    if event.charged and is_reversal(tender):  # it could not be given back: the sale is not given up after all
        after = replace(after, payment=replace(state.payment, ending=""))
    step = go_on(after)
    return Step(step.state, (do.StopTimer("query"), *step.effects, *leave_lane(step.state)))


def charged_minor(tender: Tender) -> int:
    """What "charged" counts as: what was approved before the doubt, or less than was asked where the terminal's
    record tells of such a part; else what was asked."""
    if tender.authorised_minor:
        return tender.authorised_minor
    told = tender.evidence
    if told is not None and told.told_currency == told.currency and 0 < told.told_minor < tender.requested_minor:
        return told.told_minor
    return tender.requested_minor


def is_reversal(tender: Tender) -> bool:
    """Whether the doubt is about giving it back."""
    return tender.evidence is not None and tender.evidence.why in ("reversal_refused", "reversal_unclear")


def timer(state: State) -> Step:
    """Time to ask again."""
    tender = under_way(state)
    if tender is None or tender.state not in (*UNDECIDED, "approved", "manual"):
        return stay(state)
    return Step(state, asked(state, tender))


def unclear_too_long(state: State) -> Step:
    """The customer has stood there long enough: somebody comes, also when the terminal never answers at all."""
    tender = under_way(state)
    if tender is None or state.payment is None or state.payment.phase == "manual":
        return stay(state)
    alarm = () if state.payment.staff else (do.CallStaff("payment_unreachable"),)
    after = replace(state, payment=replace(state.payment, staff=True))
    if tender.state == "open":  # nothing was sent, so nothing is in doubt
        return Step(after, alarm)
    told = tender.evidence or evidence(state, tender, "unreachable", said="unreachable")
    return Step(after, (do.LeaveToStaff(tender.tender_id, told), *alarm))


def terminal_is_back(state: State) -> Step:
    """The terminal answers again: if a payment is unclear, ask now instead of at the next timer."""
    if state.payment is None or state.payment.phase not in ("unknown", "manual"):
        return stay(state)
    return timer(state)


def _take(state: State, tender: Tender, event: on.PaymentQueried, card: CardReferences) -> Step:
    after = approve(state, tender, event.authorised_minor, card, event.seq)
    if event.seq == 0:
        return go_on(after)
    return Step(after, (do.ConfirmPayment(tender.tender_id, event.seq), do.StartTimer("query", RETRY_UNKNOWN_S)))


def _told_more(state: State, tender: Tender, event: on.PaymentQueried) -> Step:
    """The record says something new, or can be read again: the member of staff sees it. It settles nothing."""
    old = tender.evidence
    again = do.StartTimer("query", RETRY_UNKNOWN_S)
    if old is None or old.why in SAYS_NOTHING or event.answer in ("in_progress", "unreachable"):
        return Step(state, (again,))
    new = _told(state, tender, old.why, event)
    if replace(new, told_wall_ms=0) == replace(old, told_wall_ms=0):
        return Step(state, (again,))
    prompt = None if isinstance(state.prompt, ResolveAsked) else state.prompt  # asked on older evidence
    return Step(replace(with_tender(state, replace(tender, evidence=new)), prompt=prompt), (again,))


def _told(state: State, tender: Tender, why: str, event: on.PaymentQueried) -> Evidence:
    return evidence(
        state,
        tender,
        why,
        said=event.answer,
        detail=event.detail,
        told_minor=event.authorised_minor,
        told_currency=event.currency,
        card=event.card,
        told_wall_ms=event.wall_ms,
    )
