"""Journal up, as a pure machine: events in, effects out. One batch is in flight at most.

The cursor moves only after the counter-signature was verified here and the lane has verified and kept it too. So a
truncated, repeated or foreign answer costs a pause and nothing else.

One machine per epoch; they go up one after the other, oldest first (`due`).

| answer                        | what is done                                                    |
|-------------------------------|-----------------------------------------------------------------|
| accepted, verified            | lane keeps it; on from there, batch doubled                     |
| accepted beyond the journal   | as a fork; an old epoch is done                                 |
| gap                           | back to the backend's head, at once; with a pause the next time |
| fork                          | shown to the lane; halt, alarm; tried again every few minutes   |
| denied, rejected              | halt, alarm; tried again every few minutes                      |
| stale                         | halt for good                                                   |
| fork, stale, of an old epoch  | reported and left; the next epoch goes on                       |
| too large                     | batch halved                                                    |
| busy                          | pause as asked                                                  |
| unreachable                   | pause with full jitter, at most 30 s; batch halved              |
| strange                       | pause with full jitter, at most 30 s                            |
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.records.identity import Acknowledgement, BadIdentity, check_acknowledgement
from kiosk.records.journal import leaf_hash
from kiosk.records.segment import MAX_RECORDS, SignedSegment
from kiosk.sync.backend import (
    Accepted,
    Answer,
    Busy,
    Denied,
    Fork,
    Gap,
    Rejected,
    Stale,
    Strange,
    TooLarge,
    Unreachable,
)

FIRST_BATCH = 64
MAX_PAUSE_S = 30.0
MIN_PAUSE_S = 0.05
HALT_PAUSE_S = 300.0
_MAX_RETRY_AFTER_S = 600.0
NEVER = 2**53
_ENDS = ("fork", "stale_epoch")


class Phase(Enum):
    IDLE = "idle"
    SENDING = "sending"
    KEEPING = "keeping"
    RESTING = "resting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class State:
    """`cursor`: the backend is taken to hold everything up to it. `failures`: in a row, without progress. `halt`: why
    nothing goes up, empty while all is well. `last`: the journal's newest epoch, to which records are appended."""

    dev: str
    ep: int
    key: Ed25519PublicKey
    phase: Phase = Phase.IDLE
    head_seq: int = 0
    acked_seq: int = 0
    cursor: int = 0
    batch: int = FIRST_BATCH
    failures: int = 0
    halt: str = ""
    with_certificate: bool = False
    last: bool = True


@dataclass(frozen=True)
class HeadMoved:
    """The epoch stands at `seq`; `acked_seq` of it are counter-signed."""

    seq: int
    acked_seq: int
    last: bool = True


@dataclass(frozen=True)
class Turn:
    """It is this epoch's turn."""


@dataclass(frozen=True)
class Answered:
    """`sent`: what was in flight."""

    sent: SignedSegment
    answer: Answer


@dataclass(frozen=True)
class NothingRead:
    """The lane had no record after the cursor."""


@dataclass(frozen=True)
class AcknowledgementKept:
    hwm: int


@dataclass(frozen=True)
class AcknowledgementRefused:
    """The lane's own record does not agree with what the backend signed."""

    message: str


@dataclass(frozen=True)
class ForkShown:
    """The lane knows of the fork; `message`: what is to be said of it."""

    message: str


@dataclass(frozen=True)
class PauseEnded:
    pass


Event = (
    HeadMoved | Turn | Answered | NothingRead | AcknowledgementKept | AcknowledgementRefused | ForkShown | PauseEnded
)


@dataclass(frozen=True)
class SendAfter:
    """Read up to `max_records` after `seq` and send them, with the key's certificate or without."""

    seq: int
    max_records: int
    certificate: bool


@dataclass(frozen=True)
class KeepAcknowledgement:
    ack: Acknowledgement


@dataclass(frozen=True)
class ShowFork:
    """Hand the lane the head that contradicts it."""

    ack: Acknowledgement
    message: str


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Report:
    """One line for the log. `level`: info, warning, error."""

    level: str
    event: str
    message: str = ""


Effect = SendAfter | KeepAcknowledgement | ShowFork | Pause | Report
Step = tuple[State, tuple[Effect, ...]]


def step(state: State, event: Event, luck: float) -> Step:
    """What happens next. `luck`: uniform in [0, 1), spreads the pauses of many lanes. At most one effect besides
    reports, which answers with one event."""
    match event:
        case HeadMoved():
            state = noted(state, event)
            return _go_on(state) if state.phase is Phase.IDLE else (state, ())
        case Turn() | PauseEnded():
            return _go_on(state if state.phase is Phase.STOPPED else replace(state, phase=Phase.IDLE))
        case ForkShown(message):
            return _halt(state, "fork", message, luck)
        case NothingRead():
            return replace(state, phase=Phase.IDLE, head_seq=min(state.head_seq, state.cursor)), ()
        case AcknowledgementKept(hwm):
            return _kept(state, hwm)
        case AcknowledgementRefused(message):
            return _halt(state, "refused_by_lane", message, luck)
        case Answered(sent, answer):
            return _answered(state, sent, answer, luck)


def noted(state: State, head: HeadMoved) -> State:
    """What the lane says of an epoch whose turn it is not."""
    # The lane may know of an acknowledgement from before this process began. What it always knew must not undo a step
    # back after a gap.
    cursor = max(state.cursor, head.acked_seq) if head.acked_seq > state.acked_seq else state.cursor
    over = not head.last and state.halt in _ENDS
    phase = Phase.STOPPED if over else state.phase
    return replace(state, head_seq=head.seq, acked_seq=head.acked_seq, cursor=cursor, last=head.last, phase=phase)


def due(states: Mapping[int, State]) -> int | None:
    """The oldest epoch that has something to bring up."""
    waiting = (ep for ep, state in states.items() if state.phase is not Phase.STOPPED and state.cursor < state.head_seq)
    return min(waiting, default=None)


def reconnected(state: State) -> State:
    """The lane's socket was lost and found again: whatever was in flight will be sent again."""
    return state if state.phase is Phase.STOPPED else replace(state, phase=Phase.IDLE)


def _go_on(state: State) -> Step:
    if state.phase is Phase.STOPPED:
        return state, ()
    if state.cursor >= state.head_seq:
        return replace(state, phase=Phase.IDLE), ()
    certificate = state.with_certificate or state.cursor == 0
    return replace(state, phase=Phase.SENDING), (SendAfter(state.cursor, state.batch, certificate),)


def _answered(state: State, sent: SignedSegment, answer: Answer, luck: float) -> Step:
    # The lane may have given more than the head that was known when it was asked.
    state = replace(state, head_seq=max(state.head_seq, sent.last_seq))
    match answer:
        case Accepted(ack):
            return _accepted(state, sent, ack, luck)
        case Gap(ack):
            return _gap(state, sent, ack, luck)
        case Fork(message) | Stale(message) if not state.last:
            return _left(state, "fork" if isinstance(answer, Fork) else "stale_epoch", message)
        case Rejected("unknown_epoch", message) if not state.last:
            return _left(state, "unknown_epoch", message)
        case Fork(message, Acknowledgement() as ack):
            return replace(state, phase=Phase.KEEPING), (ShowFork(ack, message),)
        case Fork(message):
            return _halt(state, "fork", message, luck)
        case Stale(message):
            stopped = replace(state, phase=Phase.STOPPED, halt="stale_epoch")
            return stopped, (Report("error", "stale_epoch", f"{message}; uploading ends, the lane needs enrolment"),)
        case Denied(message):
            return _halt(state, "denied", message, luck)
        case Rejected("certificate_needed", _) if sent.header.certificate is None:
            return _go_on(replace(state, with_certificate=True))
        case Rejected(kind, message):
            return _halt(state, kind, message, luck)
        case TooLarge() if state.batch > 1:
            return _go_on(replace(state, batch=max(1, min(state.batch, len(sent.records)) // 2)))
        case TooLarge():
            return _halt(state, "too_large", "a single record is too large for the backend", luck)
        case Busy(retry_after_s, message):
            asked = min(retry_after_s, _MAX_RETRY_AFTER_S)
            return _rest(state, "backend_busy", message, asked * (1 + luck / 2) if asked else _jitter(state, luck))
        case Unreachable(message):
            smaller = replace(state, batch=max(1, state.batch // 2))  # a thin line may carry less within the time
            return _rest(smaller, "backend_unreachable", message, _jitter(state, luck))
        case Strange(message):
            return _rest(state, "strange_answer", message, _jitter(state, luck))


def _jitter(state: State, luck: float) -> float:
    """Full jitter: anything up to a bound that doubles with every failure."""
    return max(MIN_PAUSE_S, luck * min(MAX_PAUSE_S, 0.5 * 2.0 ** min(state.failures + 1, 10)))


def _rest(state: State, event: str, message: str, pause_s: float) -> Step:
    resting = replace(state, phase=Phase.RESTING, failures=state.failures + 1)
    return resting, (Report("warning", event, message), Pause(pause_s))


def _left(state: State, why: str, message: str) -> Step:
    left = replace(state, phase=Phase.STOPPED, halt=why)
    return left, (Report("error", why, f"{message}; epoch {state.ep} is left as it is, the next goes on"),)


def _halt(state: State, why: str, message: str, luck: float) -> Step:
    level = "warning" if state.halt == why else "error"
    halted = replace(state, phase=Phase.RESTING, halt=why, failures=state.failures + 1)
    return halted, (Report(level, why, message), Pause(HALT_PAUSE_S * (0.5 + luck / 2)))


def _unbelievable(state: State, sent: SignedSegment, ack: Acknowledgement) -> str:
    """Why an acknowledgement is not believed; empty if it is."""
    try:
        check_acknowledgement(state.key, state.dev, state.ep, ack)
    except BadIdentity as error:
        return str(error)
    if ack.hwm > state.head_seq:
        return f"the backend claims record {ack.hwm}, the journal ends at {state.head_seq}"
    place = ack.hwm - sent.header.first_seq
    if 0 <= place < len(sent.records) and leaf_hash(sent.records[place]) != ack.hash:
        return f"the backend signed another record {ack.hwm} than was sent"
    return ""


def _accepted(state: State, sent: SignedSegment, ack: Acknowledgement, luck: float) -> Step:
    if ack.hwm > state.head_seq and _counter_signed(state, ack):
        return _beyond(state, ack)
    doubt = _unbelievable(state, sent, ack)
    if not doubt and ack.hwm < sent.header.first_seq:
        doubt = f"the backend acknowledges record {ack.hwm} only, {sent.header.first_seq} and later were sent"
    if doubt:
        return _rest(state, "strange_answer", doubt, _jitter(state, luck))
    return replace(state, phase=Phase.KEEPING), (KeepAcknowledgement(ack),)


def _counter_signed(state: State, ack: Acknowledgement) -> bool:
    try:
        check_acknowledgement(state.key, state.dev, state.ep, ack)
    except BadIdentity:
        return False
    return True


def _beyond(state: State, ack: Acknowledgement) -> Step:
    """The backend truly holds more of this epoch than the lane: the lane's journal is an older one, put back."""
    message = f"the backend holds records up to {ack.hwm}, the journal ends at {state.head_seq}"
    if state.last:
        return replace(state, phase=Phase.KEEPING), (ShowFork(ack, message),)
    done = replace(state, phase=Phase.IDLE, cursor=state.head_seq, failures=0, halt="")
    return done, (Report("info", "held_already", message),)


def _gap(state: State, sent: SignedSegment, ack: Acknowledgement, luck: float) -> Step:
    doubt = _unbelievable(state, sent, ack)
    if not doubt and ack.hwm >= sent.header.first_seq - 1:
        doubt = f"the backend finds a gap after record {ack.hwm}, though {sent.header.first_seq} was sent"
    if doubt:
        return _rest(state, "strange_answer", doubt, _jitter(state, luck))
    back = replace(state, cursor=ack.hwm)
    lost = ack.hwm < state.acked_seq
    message = f"the backend holds records up to {ack.hwm}"
    if lost:
        message += f", though it had acknowledged {state.acked_seq}: they are sent again"
    if state.failures:
        return _rest(back, "gap", message, _jitter(state, luck))
    after, effects = _go_on(replace(back, failures=1))
    return after, (Report("error" if lost else "warning", "gap", message), *effects)


def _kept(state: State, hwm: int) -> Step:
    better = replace(
        state,
        cursor=max(state.cursor, hwm),
        acked_seq=max(state.acked_seq, hwm),
        failures=0,
        halt="",
        with_certificate=False,
        batch=min(MAX_RECORDS, state.batch * 2),
    )
    after, effects = _go_on(better)
    if state.halt or state.failures:
        return after, (Report("info", "uploading_again", f"acknowledged up to record {hwm}"), *effects)
    return after, effects
