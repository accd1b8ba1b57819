"""Giving an approved tender back: when a partly paid sale is given up, and when too much was charged.

    APPROVED -> REVERSAL_INTENT (durable before any byte leaves) -> REVERSED | MANUAL

Whatever is not a clear "reversed" is left to staff: the lane asks the terminal once, and never again by itself.
"""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import currency, current, evidence, go_on, named, with_tender
from kiosk.core.doubt import leave
from kiosk.core.state import Payment, State
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import settled_minor
from kiosk.records.sale import Evidence, Tender


def intended(state: State, event: on.ReversalIntended) -> Step:
    """Begun by who gives the sale up, or asked for by `go_on`."""
    tender = named(state, event.tender_id)
    if tender is None or settled_minor(tender) <= 0 or not _free(state, tender):
        return stay(state)
    assert state.sale is not None
    tender = replace(tender, state="reversal_intent", reversal_id=event.reversal_id, evidence=None, resolved_by="")
    payment = Payment(tender.tender_id, "reversing", ending=event.ending)
    after = replace(state, sale=replace(state.sale, state="paying"), payment=payment, stage="paying", prompt=None)
    after = with_tender(after, tender)
    return Step(after, (reverse(after, tender),))


def ended(state: State, event: on.ReversalEnded) -> Step:
    tender = current(state, event.tender_id)
    if tender is None or tender.state != "reversal_intent" or tender.reversal_id != event.reversal_id:
        return stay(state)
    if event.outcome == "reversed":
        return go_on(with_tender(state, replace(tender, state="reversed", reason="given_back")))
    why = "reversal_refused" if event.outcome == "refused" else "reversal_unclear"
    return leave(state, tender, _evidence(state, tender, why, event.outcome, event.detail))


def resume(state: State, tender: Tender, *, restarted: bool) -> Step:
    """Where the process is new, nobody remembers whether the terminal was asked: it is not asked again."""
    assert state.payment is not None
    if tender.state == "reversal_intent" and restarted:
        return leave(state, tender, tender.evidence or _evidence(state, tender, "reversal_unclear", "", "restarted"))
    if tender.state == "reversal_intent" and tender.evidence is not None:
        return Step(state, (do.LeaveToStaff(tender.tender_id, tender.evidence),))
    if tender.state == "reversal_intent":
        return Step(state, (reverse(state, tender),))
    # Nothing more than to ask once more for what was asked: this must not change what the journal does not hold.
    if tender.state == "approved":
        return Step(state, (do.IntendReversal(tender.tender_id, state.payment.ending),))
    return Step(state, (do.GiveUp(cancelled=state.payment.ending == "cancelled"),))


def reverse(state: State, tender: Tender) -> do.Reverse:
    receipt_no = tender.card.receipt_no if tender.card is not None else ""
    return do.Reverse(tender.tender_id, tender.reversal_id, receipt_no, tender.authorised_minor, currency(state))


def _free(state: State, tender: Tender) -> bool:
    if state.payment is None:
        return state.stage in ("scanning", "choosing")
    return state.payment.phase == "reversing" and state.payment.tender_id == tender.tender_id


def _evidence(state: State, tender: Tender, why: str, said: str, detail: str) -> Evidence:
    return evidence(
        state, tender, why, said=said, detail=detail, told_minor=tender.authorised_minor, told_currency=currency(state)
    )
