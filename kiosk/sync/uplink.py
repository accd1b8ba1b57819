"""Journal up: performs what `core.step` asks for, one effect after the other."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from kiosk.api.client import LaneClient, LaneGone, LaneRefused
from kiosk.api.interfaces import JournalHead, Segment
from kiosk.records.identity import Enrolment, KeyCertificate, public_key
from kiosk.records.segment import MAX_SEGMENT_BYTES, SegmentHeader, SignedSegment
from kiosk.sync import core
from kiosk.sync.backend import Backend
from kiosk.sync.threads import in_thread

log = structlog.get_logger()
_HEADER_ROOM_BYTES = 8192
_LANE_PAUSE_S = 2.0


@dataclass
class Uplink:
    """`once`: return as soon as everything is up, or at the first trouble. Otherwise runs until cancelled."""

    enrolment: Enrolment
    lane: Path
    backend: Backend
    luck: Callable[[], float] = random.random
    once: bool = False
    state: core.State = field(init=False)
    reported: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set with each line for the log: what the operator is told may have changed."""

    def __post_init__(self) -> None:
        me = self.enrolment
        self.state = core.State(me.dev, me.ep, public_key(me.cosign_key))

    @property
    def finished(self) -> bool:
        """Everything that the journal held is acknowledged."""
        return self.state.cursor >= self.state.head_seq and not self.state.failures

    async def run(self) -> None:
        """Raises LaneGone with `once` only; otherwise the lane is waited for."""
        while True:
            try:
                await self._session()
                return
            except LaneGone as error:
                if self.once:
                    raise
                log.warning("lane_gone", message=str(error))
            self.state = core.reconnected(self.state)
            await asyncio.sleep(_LANE_PAUSE_S * (0.5 + self.luck() / 2))

    async def _session(self) -> None:
        """One connection to the lane: calls on one socket, the watch on another."""
        async with (
            await LaneClient.connect(self.lane) as calls,
            await LaneClient.connect(self.lane) as watching,
            contextlib.aclosing(watching.watch()) as heads,
        ):
            watch = _Watch()
            watcher = asyncio.create_task(watch.follow(heads))
            try:
                await self._pump(calls, watch)
            finally:
                watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError, LaneGone, LaneRefused):
                    await watcher

    async def _pump(self, calls: LaneClient, watch: "_Watch") -> None:
        while True:
            event: core.Event | None = self._moved(await watch.next())
            while event is not None:
                self.state, effects = core.step(self.state, event, self.luck())
                event = None
                for effect in effects:
                    if self.once and isinstance(effect, core.Pause):
                        return
                    event = await self._perform(effect, calls)
                if watch.fresh:
                    moved = self._moved(watch.take())
                    if event is None:
                        event = moved
                    else:  # busy or resting: only noted
                        self.state, _ = core.step(self.state, moved, 0.0)
            if self.once:
                return

    def _moved(self, head: JournalHead) -> core.HeadMoved:
        if (head.dev, head.ep) != (self.enrolment.dev, self.enrolment.ep):
            raise LaneGone(
                f"the lane's journal is of {head.dev} epoch {head.ep}, "
                f"this enrolment of {self.enrolment.dev} epoch {self.enrolment.ep}"
            )
        return core.HeadMoved(head.seq, head.acked_seq)

    async def _perform(self, effect: core.Effect, calls: LaneClient) -> core.Event | None:
        match effect:
            case core.Report(level, event, message):
                self.reported.set()
                getattr(log, level)(event, message=message, ep=self.state.ep, cursor=self.state.cursor)
                return None
            case core.Pause(seconds):
                await asyncio.sleep(seconds)
                return core.PauseEnded()
            case core.KeepAcknowledgement(ack):
                try:
                    await calls.acknowledge(ep=self.state.ep, hwm=ack.hwm, hash=ack.hash, cosig=ack.cosig)
                except LaneRefused as error:
                    return core.AcknowledgementRefused(str(error))
                return core.AcknowledgementKept(ack.hwm)
            case core.SendAfter():
                return await self._send(effect, calls)

    async def _send(self, asked: core.SendAfter, calls: LaneClient) -> core.Event:
        room = MAX_SEGMENT_BYTES - _HEADER_ROOM_BYTES - asked.max_records
        try:
            segment = await calls.read(
                ep=self.state.ep, after_seq=asked.seq, max_records=asked.max_records, max_bytes=room
            )
            certificate = await calls.certificate(ep=self.state.ep) if asked.certificate else ""
        except LaneRefused as error:
            raise LaneGone(f"the lane does not give its records: {error}") from None
        if not segment.records:
            return core.NothingRead()
        sent = _signed(segment, certificate)
        return core.Answered(sent, await in_thread(lambda: self.backend.send(sent)))


def _signed(segment: Segment, certificate: str) -> SignedSegment:
    try:
        certified = msgspec.json.decode(certificate, type=KeyCertificate) if certificate else None
    except msgspec.MsgspecError as error:
        raise LaneGone(f"the lane's certificate cannot be read: {error}") from None
    header = SegmentHeader(segment.first_seq, segment.prev, segment.signature, certified)
    return SignedSegment(header, [record.encode() for record in segment.records])


class _Watch:
    """The newest head; older ones that were not yet looked at are of no interest."""

    def __init__(self) -> None:
        self._head: JournalHead | None = None
        self._failure: BaseException | None = None
        self._news = asyncio.Event()

    @property
    def fresh(self) -> bool:
        return self._news.is_set()

    async def follow(self, heads: AsyncIterator[JournalHead]) -> None:
        try:
            async for head in heads:
                self._head = head
                self._news.set()
        except (LaneGone, LaneRefused) as error:
            self._failure = LaneGone(str(error))
            self._news.set()

    async def next(self) -> JournalHead:
        await self._news.wait()
        return self.take()

    def take(self) -> JournalHead:
        self._news.clear()
        if self._failure is not None:
            raise self._failure
        assert self._head is not None
        return self._head
