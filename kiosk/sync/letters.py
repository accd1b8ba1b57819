"""Sealed letters out, signed answers in: what the adapters of all brokers share.

A segment that was not answered goes out again under the same id, once: a broker that deduplicates then holds one copy
while the cloud is away. If that is not answered either, the next copy has a new id, because the broker may have
dropped the repetition of a letter that was taken long ago.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kiosk.records import carried
from kiosk.records.identity import BadIdentity, Enrolment, public_key
from kiosk.records.journal import leaf_hash
from kiosk.records.segment import SignedSegment, frame
from kiosk.sync.backend import Answer, Strange
from kiosk.sync.meaning import meaning

log = structlog.get_logger()
_EARLIER = 64


def new_id() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Letter:
    """`again`: it went out before, and was not answered."""

    place: carried.Place
    id: str
    seal: str
    body: bytes
    again: bool = False


@dataclass
class _Waiting:
    ep: int
    about: tuple[int, int, str]
    id: str
    sent: int = 0


class Letters:
    """For one lane. `received` and `wait` are for any thread; `letter` and `wait` belong to the one that sends."""

    def __init__(self, enrolment: Enrolment, ids: Callable[[], str] = new_id) -> None:
        self._me = enrolment
        self._key = public_key(enrolment.cosign_key)
        self._ids = ids
        self._changed = threading.Condition()
        self._waiting: _Waiting | None = None
        self._earlier: deque[str] = deque(maxlen=_EARLIER)
        self._answer: carried.Answer | None = None
        self._interrupted = ""
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that were no answer of the backend to what this lane asked."""
        return self._dropped

    def journal(self, segment: SignedSegment) -> Letter:
        about = (segment.header.first_seq, segment.last_seq, leaf_hash(segment.records[-1]))
        ep = segment.header.ep or self._me.ep
        with self._changed:
            waiting = self._waiting
            if waiting is None or (waiting.ep, waiting.about) != (ep, about) or waiting.sent > 1:
                waiting, self._answer = _Waiting(ep, about, self._ids()), None
                self._earlier.append(waiting.id)
            waiting.sent += 1
            self._waiting = waiting
            self._interrupted = ""
        return self._sealed(carried.Place("journal", self._me.dev, ep), waiting.id, frame(segment), waiting)

    def status(self, body: bytes) -> Letter:
        return self._sealed(carried.Place("status", self._me.dev), self._ids(), body)

    def _sealed(self, place: carried.Place, id: str, body: bytes, waiting: _Waiting | None = None) -> Letter:
        seal = carried.seal(self._me.device_token, place, id, body)
        return Letter(place, id, seal, body, waiting is not None and waiting.sent > 1)

    def received(self, data: bytes) -> None:
        """Something came where answers come. What is not the backend's answer to the letter in hand is counted."""
        try:
            answer = carried.open_answer(self._key, data)
        except BadIdentity as error:
            return self._drop(str(error))
        with self._changed:
            waiting = self._waiting
            if waiting is not None and (answer.id, answer.dev, answer.ep) == (waiting.id, self._me.dev, waiting.ep):
                self._answer = answer
                self._changed.notify_all()
                return
            if answer.id in self._earlier:
                return  # late: the letter was given up meanwhile
        self._drop("an answer to another letter")

    def interrupt(self, why: str) -> None:
        """The line was lost or the broker refuses: waiting on for an answer is of no use."""
        with self._changed:
            self._interrupted = why
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> Answer | None:
        """The backend's answer to the letter in hand; None when the time is over or the wait was interrupted."""
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None or self._interrupted, timeout_s)
            answer = self._answer
            if answer is None:
                return None
            self._waiting = self._answer = None
        return meaning(answer.status, answer.error, answer.message, answer.ack, answer.retry_after_s)

    def _drop(self, why: str) -> None:
        self._dropped += 1
        if self._dropped & (self._dropped - 1) == 0:  # a flood must not fill the log: the 1st, 2nd, 4th, 8th ...
            log.warning("answer_dropped", message=why, dropped=self._dropped)


def opened(enrolment: Enrolment, letter: Letter, data: bytes) -> Answer:
    """The answer that came straight back to a letter. Never raises."""
    try:
        answer = carried.open_answer(public_key(enrolment.cosign_key), data)
    except BadIdentity as error:
        return Strange(str(error))
    if (answer.id, answer.dev, answer.ep) != (letter.id, letter.place.dev, letter.place.ep):
        return Strange("an answer to another letter")
    return meaning(answer.status, answer.error, answer.message, answer.ack, answer.retry_after_s)


class Deadline:
    """What is left of a time, for a call made of several waits."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(0.0, self._end - time.monotonic())
