"""The machine of the uplink, event by event."""

from dataclasses import replace
from typing import Any

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records.identity import Acknowledgement, acknowledge
from kiosk.records.journal import GENESIS, Head, leaf_hash
from kiosk.records.segment import SegmentHeader, SignedSegment
from kiosk.sync import core
from kiosk.sync.backend import Accepted, Answer, Busy, Fork, Gap, Rejected, Stale, Strange, TooLarge, Unreachable
from kiosk.sync.http import judge

KEY = Ed25519PrivateKey.generate()
RECORDS = [b"%d" % n for n in range(1, 21)]
IDLE = core.State("d1", 1, KEY.public_key(), head_seq=20, batch=5)
SENDING = replace(IDLE, phase=core.Phase.SENDING, cursor=10)


def ack(hwm: int, digest: str | None = None, ep: int = 1) -> Acknowledgement:
    known = leaf_hash(RECORDS[hwm - 1]) if 1 <= hwm <= 20 else GENESIS
    return acknowledge(KEY, Head("d1", ep, hwm, digest or known))


def sent(first: int = 11, last: int = 15, **how: Any) -> SignedSegment:
    return SignedSegment(SegmentHeader(first, GENESIS, "", **how), RECORDS[first - 1 : last])


def answered(answer: Answer, state: core.State = SENDING, luck: float = 0.5) -> tuple[core.State, list[core.Effect]]:
    after, effects = core.step(state, core.Answered(sent(), answer), luck)
    return after, [effect for effect in effects if not isinstance(effect, core.Report)]


def test_a_new_record_wakes_an_idle_uplink_only() -> None:
    moved = core.HeadMoved(21, 0)
    assert core.step(replace(IDLE, cursor=20), moved, 0.5)[1] == (core.SendAfter(20, 5, False),)
    for phase in set(core.Phase) - {core.Phase.IDLE}:
        after, effects = core.step(replace(IDLE, phase=phase), moved, 0.5)
        assert (effects, after.head_seq) == ((), 21)


def test_the_first_segment_brings_the_certificate() -> None:
    assert core.step(IDLE, core.HeadMoved(20, 0), 0.5)[1] == (core.SendAfter(0, 5, True),)
    _, [again] = answered(Rejected("certificate_needed", ""))
    assert again == core.SendAfter(10, 5, True)


def test_the_cursor_moves_only_when_the_lane_has_kept_it() -> None:
    keeping, effects = answered(Accepted(ack(15)))
    assert effects == [core.KeepAcknowledgement(ack(15))]
    assert keeping.cursor == 10
    after, [following] = core.step(keeping, core.AcknowledgementKept(15), 0.5)
    assert (after.cursor, after.batch, following) == (15, 10, core.SendAfter(15, 10, False))
    refused, _ = core.step(keeping, core.AcknowledgementRefused("another record"), 0.5)
    assert (refused.cursor, refused.halt) == (10, "refused_by_lane")


UNBELIEVABLE = {
    "another epoch": ack(15, ep=2),
    "a wrong signature": Acknowledgement(15, ack(15).hash, "AA=="),
    "another record": ack(15, "0" * 64),
    "beyond the journal": ack(21),
    "an old one again": ack(10),
    "nothing": ack(0),
}


# A gap back to nothing is what an emptied backend answers, and is believed.
CASES = [
    (kind, name)
    for kind in (Accepted, Gap)
    for name in UNBELIEVABLE
    if (kind, name) not in ((Gap, "nothing"), (Accepted, "beyond the journal"))
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_cannot_be_believed_moves_nothing(kind: Any, name: str) -> None:
    after, effects = answered(kind(UNBELIEVABLE[name]))
    assert (after.cursor, after.phase) == (10, core.Phase.RESTING)
    assert all(isinstance(effect, core.Pause) for effect in effects)


def test_a_backend_that_holds_more_than_the_journal_is_shown_to_the_lane() -> None:
    after, [shown] = answered(Accepted(ack(21)))
    assert isinstance(shown, core.ShowFork)
    assert (shown.ack, after.cursor) == (ack(21), 10)
    halted, effects = core.step(after, core.ForkShown("it is so"), 0.5)
    assert halted.halt == "fork"
    assert any(isinstance(effect, core.Pause) for effect in effects)
    forged = Acknowledgement(21, ack(21).hash, "AA==")
    assert not any(isinstance(effect, core.ShowFork) for effect in answered(Accepted(forged))[1])


@pytest.mark.parametrize("answer", [Fork("another", ack(12)), Fork("another"), Stale("replaced")])
def test_an_old_epoch_that_was_ended_is_left_and_is_no_more_due(answer: Answer) -> None:
    old = replace(SENDING, last=False)
    after, effects = answered(answer, old)
    assert (after.phase, effects) == (core.Phase.STOPPED, [])
    newer = replace(IDLE, ep=2, cursor=3)
    assert core.due({1: old, 2: newer}) == 1
    assert core.due({1: after, 2: newer}) == 2
    assert core.step(after, core.Turn(), 0.5)[1] == ()


def test_a_halted_epoch_is_left_once_the_lane_has_begun_another() -> None:
    halted, _ = answered(Fork("another history"))
    assert core.noted(halted, core.HeadMoved(20, 10)).phase is core.Phase.RESTING
    assert core.noted(halted, core.HeadMoved(20, 10, last=False)).phase is core.Phase.STOPPED


def test_an_old_epoch_of_which_the_backend_holds_more_is_done() -> None:
    after, effects = answered(Accepted(ack(21)), replace(SENDING, last=False))
    assert (after.cursor, after.phase, effects) == (20, core.Phase.IDLE, [])


def test_a_gap_goes_back_at_once_and_then_with_pauses() -> None:
    after, effects = answered(Gap(ack(4)))
    assert (after.cursor, effects) == (4, [core.SendAfter(4, 5, False)])
    again, later = core.step(after, core.Answered(sent(5, 9), Gap(ack(2))), 0.5)
    assert again.cursor == 2
    assert isinstance(later[-1], core.Pause)


def test_an_old_acknowledgement_does_not_undo_a_step_back() -> None:
    known = replace(SENDING, acked_seq=10)
    back, _ = answered(Gap(ack(4)), known)
    after, _ = core.step(back, core.HeadMoved(20, 10), 0.5)
    assert after.cursor == 4


@pytest.mark.parametrize("luck", [0.0, 0.3, 0.999999])
def test_pauses_spread_and_stay_below_half_a_minute(luck: float) -> None:
    state, pauses = SENDING, []
    for _ in range(40):
        state, [pause] = answered(Unreachable(""), replace(state, phase=core.Phase.SENDING), luck)
        assert isinstance(pause, core.Pause)
        pauses.append(pause.seconds)
    assert all(core.MIN_PAUSE_S <= pause <= core.MAX_PAUSE_S for pause in pauses)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(max(core.MIN_PAUSE_S, luck * 30))
    assert state.batch == 1


@pytest.mark.parametrize(("asked", "pause"), [(5.0, 6.25), (1e9, 750.0)])
def test_a_busy_backend_is_given_the_time_it_asks_for(asked: float, pause: float) -> None:
    assert answered(Busy(asked, ""))[1] == [core.Pause(pause)]


def test_what_is_too_large_is_halved_until_one_record() -> None:
    state, batches = replace(SENDING, batch=5), []
    for _ in range(3):
        state, _ = core.step(state, core.Answered(sent(11, 10 + state.batch), TooLarge()), 0.5)
        batches.append(state.batch)
    assert batches == [2, 1, 1]
    assert state.halt == "too_large"


@pytest.mark.parametrize("answer", [Fork("x"), Rejected("bad_signature", "x")])
def test_a_halt_tries_again_slowly_and_ends_with_success(answer: Answer) -> None:
    halted, [pause] = answered(answer)
    assert halted.halt
    assert isinstance(pause, core.Pause)
    assert pause.seconds >= 150
    trying, [effect] = core.step(halted, core.PauseEnded(), 0.5)
    assert isinstance(effect, core.SendAfter)
    keeping, _ = answered(Accepted(ack(15)), trying)
    well, _ = core.step(keeping, core.AcknowledgementKept(15), 0.5)
    assert (well.halt, well.failures) == ("", 0)


def test_a_stale_epoch_stops_for_good() -> None:
    stopped, effects = answered(Stale("x"))
    assert (stopped.phase, stopped.halt, effects) == (core.Phase.STOPPED, "stale_epoch", [])
    assert core.step(core.reconnected(stopped), core.HeadMoved(30, 0), 0.5)[1] == ()


NO = urllib3.HTTPHeaderDict()
JUDGED = {
    "html with 200": (200, b"<html>log in</html>", Strange),
    "truncated json": (200, b'{"hwm": 5, "hash": "', Strange),
    "another json": (200, b"[1, 2]", Strange),
    "nothing": (200, b"", Strange),
    "no text": (200, b"\xff\xfe", Strange),
    "a redirect": (302, b"", Strange),
    "not found": (404, b"<html>", Strange),
    "an internal error": (500, b"<html>", Strange),
    "a conflict of another": (409, b'{"error": "else"}', Strange),
    "a gap without a head": (409, b'{"error": "gap"}', Strange),
    "gone, by another": (410, b"<html>gone</html>", Strange),
    "forbidden, by a portal": (403, b"<html>", Strange),
    "busy, by a proxy": (503, b"<html>", Busy),
    "too many": (429, b'{"error": "too_many"}', Busy),
    "too large": (413, b'{"error": "too_large"}', TooLarge),
    "fork": (409, b'{"error": "fork", "message": "x"}', Fork),
    "stale": (410, b'{"error": "stale_epoch"}', Stale),
    "rejected": (422, b'{"error": "broken_chain"}', Rejected),
}


@pytest.mark.parametrize("name", JUDGED)
def test_every_answer_becomes_one_word(name: str) -> None:
    status, body, word = JUDGED[name]
    assert isinstance(judge(status, body, NO), word)


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("", 0), ("-1", 0), ("1e9", 0), ("9" * 50, 0), ("soon", 0)])
def test_retry_after_is_bounded(text: str, seconds: float) -> None:
    found = judge(503, b"", urllib3.HTTPHeaderDict({"Retry-After": text}))
    assert isinstance(found, Busy)
    assert found.retry_after_s == seconds


def test_records_that_came_along_beyond_the_known_head_may_be_acknowledged() -> None:
    """The answer to 11..15 was lost; the batch is halved, and the backend already holds more than is sent again."""
    lost, _ = answered(Unreachable(""), replace(SENDING, head_seq=12))
    trying, _ = core.step(lost, core.PauseEnded(), 0.5)
    _, effects = core.step(trying, core.Answered(sent(11, 12), Accepted(ack(15))), 0.5)
    assert effects == (core.KeepAcknowledgement(ack(15)),)
