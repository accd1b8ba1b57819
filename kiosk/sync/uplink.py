"""Journal up: performs what `core.step` asks for, one effect after the other, epoch after epoch."""

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
from kiosk.records.gap import GapNotice
from kiosk.records.identity import Enrolment, KeyCertificate, public_key
from kiosk.records.segment import MAX_SEGMENT_BYTES, SegmentHeader, SignedSegment
from kiosk.sync import core
from kiosk.sync.backend import Backend
from kiosk.sync.threads import in_thread

log = structlog.get_logger()
_HEADER_ROOM_BYTES = 512 * 1024
_LANE_PAUSE_S = 2.0


@dataclass
class Uplink:
    """`once`: return as soon as everything is up, or at the first trouble. Otherwise runs until cancelled."""

    enrolment: Enrolment
    lane: Path
    backend: Backend
    luck: Callable[[], float] = random.random
    once: bool = False
    states: dict[int, core.State] = field(default_factory=dict)
    reported: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set with each line for the log: what the operator is told may have changed."""
    _ep: int = 0
    _told: tuple[int, str] = (0, "")

    @property
    def state(self) -> core.State:
        """Of the epoch that is being carried, or was the last to be."""
        return self.states.get(self._ep) or self._fresh(self.enrolment.ep)

    def _fresh(self, ep: int) -> core.State:
        return core.State(self.enrolment.dev, ep, public_key(self.enrolment.cosign_key))

    @property
    def finished(self) -> bool:
        """Everything that the journal held is acknowledged."""
        return all(state.cursor >= state.head_seq and not state.failures for state in self.states.values())

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
            self.states = {ep: core.reconnected(state) for ep, state in self.states.items()}
            self._told = (0, "")
            await asyncio.sleep(_LANE_PAUSE_S * (0.5 + self.luck() / 2))

    async def _session(self) -> None:
        """One connection to the lane: calls on one socket, the watch on another."""
        async with await LaneClient.connect(self.lane) as calls, await LaneClient.connect(self.lane) as heads:
            watch = _Watch()
            watcher = asyncio.create_task(watch.follow(heads.watch()))
            try:
                await self._pump(calls, watch)
            finally:
                watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError, LaneGone, LaneRefused):
                    await watcher

    async def _pump(self, calls: LaneClient, watch: "_Watch") -> None:
        while True:
            self._note(await watch.next())
            while (ep := core.due(self.states)) is not None:
                if not await self._carry(ep, calls, watch):
                    return
            if self.once:
                return

    async def _carry(self, ep: int, calls: LaneClient, watch: "_Watch") -> bool:
        """Until this epoch has nothing to do. False: at the first trouble, with `once`."""
        self._ep = ep
        event: core.Event | None = core.Turn()
        while event is not None:
            self.states[ep], effects = core.step(self.states[ep], event, self.luck())
            event = None
            for effect in effects:
                if self.once and isinstance(effect, core.Pause):
                    return False
                event = await self._perform(effect, calls, watch)
            if watch.fresh:
                self._note(watch.take())
        return True

    def _note(self, head: JournalHead) -> None:
        if head.dev != self.enrolment.dev:
            raise LaneGone(f"the lane's journal is of {head.dev}, this enrolment of {self.enrolment.dev}")
        for epoch in head.epochs:
            moved = core.HeadMoved(epoch.seq, epoch.acked_seq, last=epoch is head.epochs[-1])
            self.states[epoch.ep] = core.noted(self.states.get(epoch.ep) or self._fresh(epoch.ep), moved)

    async def _perform(self, effect: core.Effect, calls: LaneClient, watch: "_Watch") -> core.Event | None:
        match effect:
            case core.Report(level, event, message):
                self.reported.set()
                getattr(log, level)(event, message=message, ep=self.state.ep, cursor=self.state.cursor)
                await self._tell(calls, message)
                return None
            case core.Pause(seconds):
                # A halted epoch is given up as soon as the lane begins another.
                await watch.newer_epoch(self._ep if self.state.halt else core.NEVER, seconds)
                return core.PauseEnded()
            case core.KeepAcknowledgement(ack):
                try:
                    await calls.acknowledge(
                        ep=self.state.ep, hwm=ack.hwm, hash=ack.hash, cosig=ack.cosig, changes=_text(ack.changes)
                    )
                except LaneRefused as error:
                    return core.AcknowledgementRefused(str(error))
                return core.AcknowledgementKept(ack.hwm)
            case core.ShowFork(ack, message):
                try:
                    await calls.forked(
                        ep=self.state.ep, hwm=ack.hwm, hash=ack.hash, cosig=ack.cosig, changes=_text(ack.changes)
                    )
                except LaneRefused as error:
                    return core.ForkShown(f"{message}; the lane does not agree: {error}")
                return core.ForkShown(message)
            case core.SendAfter():
                return await self._send(effect, calls)

    async def _tell(self, calls: LaneClient, message: str) -> None:
        """The lane says in its status, and for a fenced epoch on its screen, what stands in the way."""
        state = self.state
        if self._told != (state.ep, state.halt):
            self._told = (state.ep, state.halt)
            with contextlib.suppress(LaneRefused):
                await calls.told(ep=state.ep, halt=state.halt, message=message if state.halt else "")

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
        sent = signed(segment, certificate)
        return core.Answered(sent, await in_thread(lambda: self.backend.send(sent)))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def signed(segment: Segment, certificate: str) -> SignedSegment:
    """What the lane gave, as it is sent. `certificate`: its JSON text, or empty. Raises LaneGone."""
    try:
        certified = msgspec.json.decode(certificate, type=KeyCertificate) if certificate else None
        gap = msgspec.json.decode(segment.gap, type=GapNotice) if segment.gap else None
    except msgspec.MsgspecError as error:
        raise LaneGone(f"the lane's certificate or gap record cannot be read: {error}") from None
    header = SegmentHeader(segment.first_seq, segment.prev, segment.signature, certified, segment.ep, gap)
    return SignedSegment(header, [record.encode() for record in segment.records])


class _Watch:
    """The newest head; older ones that were not yet looked at are of no interest."""

    def __init__(self) -> None:
        self._head: JournalHead | None = None
        self._failure: BaseException | None = None
        self._news = asyncio.Event()
        self._moved = asyncio.Condition()

    @property
    def fresh(self) -> bool:
        return self._news.is_set()

    async def follow(self, heads: AsyncIterator[JournalHead]) -> None:
        try:
            async for head in heads:
                if not head.epochs:
                    raise LaneGone("the lane tells of no epoch")
                self._head = head
                await self._notify()
        except (LaneGone, LaneRefused) as error:
            self._failure = LaneGone(str(error))
            await self._notify()

    async def _notify(self) -> None:
        self._news.set()
        async with self._moved:
            self._moved.notify_all()

    async def next(self) -> JournalHead:
        await self._news.wait()
        return self.take()

    async def newer_epoch(self, ep: int, timeout_s: float) -> None:
        """Wait until the lane appends to a newer epoch than this, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(lambda: self._head is not None and self._head.current.ep > ep)

    def take(self) -> JournalHead:
        self._news.clear()
        if self._failure is not None:
            raise self._failure
        assert self._head is not None
        return self._head
