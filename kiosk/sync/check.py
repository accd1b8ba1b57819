"""`kassa-sync check`: the road to the backend, tried step by step and told in plain words, for the technician.

One record of the lane's journal is sent that the backend holds already, or would be sent next anyway: the ingest drops
what it has, so that the check changes nothing, also beside a running `kassa-sync`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kiosk.api.client import LaneClient
from kiosk.api.interfaces import EpochHead
from kiosk.records.identity import Acknowledgement, BadIdentity, Enrolment, check_acknowledgement, public_key
from kiosk.records.segment import MAX_SEGMENT_BYTES, SignedSegment
from kiosk.sync.backend import (
    Accepted,
    Answer,
    Backend,
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
from kiosk.sync.threads import in_thread
from kiosk.sync.uplink import signed


@dataclass(frozen=True)
class Finding:
    """`untried`: something before it is not right."""

    what: str
    standing: Literal["good", "bad", "untried"]
    words: str


async def probe(lane: Path) -> tuple[EpochHead, SignedSegment | None]:
    """The present epoch and one record of it with its certificate; None when the journal is empty. Raises LaneGone,
    LaneRefused."""
    async with await LaneClient.connect(lane) as calls:
        present = (await calls.head()).current
        after = max(0, present.acked_seq - 1)
        segment = await calls.read(ep=present.ep, after_seq=after, max_records=1, max_bytes=MAX_SEGMENT_BYTES // 2)
        certificate = await calls.certificate(ep=present.ep)
    return present, signed(segment, certificate) if segment.records else None


async def check(enrolment: Enrolment, lane: Path, backend: Backend, name: str) -> list[Finding]:
    """Raises LaneGone, LaneRefused. `name`: of the backend, as the technician configured it."""
    present, segment = await probe(lane)
    said = f"epoch {present.ep} stands at record {present.seq}, {present.acked_seq} are counter-signed"
    findings = [Finding("lane", "good", said)]
    if segment is None:
        return [*findings, Finding("reachable", "untried", "the journal is empty: there is nothing to send yet")]
    answer = await in_thread(lambda: backend.send(segment))
    return findings + judged(answer, enrolment, segment, name)


def judged(answer: Answer, enrolment: Enrolment, segment: SignedSegment, name: str) -> list[Finding]:
    """What an answer to the check says of each step."""
    there = Finding("reachable", "good", name)
    match answer:
        case Unreachable(message):
            return [Finding("reachable", "bad", f"{name}: {message}"), *_untried("let in", "counter-signature")]
        case Strange(message):
            words = f"{name}: something else answers there: {message}"
            return [Finding("reachable", "bad", words), *_untried("let in", "counter-signature")]
        case Denied(message):
            return [there, Finding("let in", "bad", message), *_untried("counter-signature")]
        case Busy(_, message):
            return [there, Finding("let in", "good", f"busy now: {message}"), *_untried("counter-signature")]
        case Accepted(ack) | Gap(ack):
            return [there, Finding("let in", "good", "yes"), _countersigned(ack, enrolment, segment)]
        case Fork(message) | Stale(message) | Rejected(_, message):
            return [there, Finding("let in", "good", "yes"), Finding("counter-signature", "bad", message)]
        case TooLarge():
            words = "a single record is too large for it: raise the limit of a message to 5 MiB"
            return [there, Finding("let in", "good", "yes"), Finding("counter-signature", "bad", words)]


def _countersigned(ack: Acknowledgement, enrolment: Enrolment, segment: SignedSegment) -> Finding:
    ep = segment.header.ep or enrolment.ep
    try:
        head = check_acknowledgement(public_key(enrolment.cosign_key), enrolment.dev, ep, ack)
    except BadIdentity as error:
        return Finding("counter-signature", "bad", f"{error}: this is not the backend that the lane was enrolled at")
    return Finding("counter-signature", "good", f"record {head.seq} of epoch {head.ep} is held, by the pinned key")


def _untried(*names: str) -> list[Finding]:
    return [Finding(name, "untried", "not tried") for name in names]
