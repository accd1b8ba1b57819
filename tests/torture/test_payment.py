"""The payment model, shortened, and shown to be able to fail."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from kiosk.core import checkout, doubt, payment, reversal
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import current, with_tender
from kiosk.core.state import State
from kiosk.core.steps import Step
from kiosk.records.sale import Tender
from tests.torture.payment import run

STEPS = 20_000


def modelled(steps: int = STEPS, seed: int = 1) -> tuple[dict[str, int], list[str]]:
    told: list[str] = []
    return run(steps, seed, lambda done, of: None, show=told.append), told


def test_no_customer_is_charged_twice_and_nothing_is_lost() -> None:
    counters, told = modelled()
    assert [counters[kind] for kind in ("doubled", "lost", "wrong")] == [0, 0, 0], told
    for met in ("closed", "cancelled", "charges", "cuts", "kiosk_kills", "daemon_kills", "resolved", "reversals"):
        assert counters[met] > 0, f"the walks met no {met}"


def test_the_same_seed_walks_the_same_way() -> None:
    assert modelled(3_000, 5) == modelled(3_000, 5) != modelled(3_000, 6)


def _confirms_before_it_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def approved(state: State, event: on.PaymentApproved) -> Step:
        return Step(state, (do.ConfirmPayment(event.tender_id, event.seq),))

    kept = checkout.is_recorded

    def is_recorded(before: State, event: on.Any, taken: Step) -> bool:
        return not isinstance(event, on.PaymentApproved) and kept(before, event, taken)

    monkeypatch.setattr(payment, "approved", approved)
    monkeypatch.setattr("tests.torture.payment.lane.is_recorded", is_recorded)


def _charges_again_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = payment.resume

    def resume(state: State, *, restarted: bool) -> Step:
        tender = current(state, state.payment.tender_id) if state.payment is not None else None
        if tender is None or tender.state not in ("intent", "sent"):
            return kept(state, restarted=restarted)
        again = replace(tender, state="open")
        return Step(with_tender(state, again), (do.PrepareTerminal(tender.tender_id),))

    monkeypatch.setattr(payment, "resume", resume)


def _takes_any_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(state: State, tender: Tender, authorised_minor: int, currency: str) -> str:
        return ""

    monkeypatch.setattr(doubt, "wrong", wrong)


def _takes_unknown_for_not_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = doubt.queried

    def queried(state: State, event: on.PaymentQueried) -> Step:
        return kept(state, replace(event, answer="not_charged", card=None) if event.answer == "unknown" else event)

    monkeypatch.setattr(doubt, "queried", queried)


def _takes_every_reversal_for_done(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = reversal.ended

    def ended(state: State, event: on.ReversalEnded) -> Step:
        return kept(state, replace(event, outcome="reversed"))

    monkeypatch.setattr(reversal, "ended", ended)


BROKEN: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "confirms before it records": (_confirms_before_it_records, "wrong"),
    "charges again after a restart": (_charges_again_after_a_restart, "doubled"),
    "takes any amount": (_takes_any_amount, "wrong"),
    "takes unknown for not charged": (_takes_unknown_for_not_charged, "doubled"),
    "takes every reversal for done": (_takes_every_reversal_for_done, "doubled"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule is broken here on purpose: a model that cannot fail shows nothing."""
    break_it, kind = BROKEN[name]
    break_it(monkeypatch)
    counters, told = modelled()
    found = [kind for kind in ("doubled", "lost", "wrong") if counters[kind]]
    assert kind in found, counters
    assert told
    assert told[0].startswith("seed 1, walk ")
