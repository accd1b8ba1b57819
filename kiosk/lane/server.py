"""The lane's own socket: the journal's read end for sync, and the lane's status. Only the kiosk opens the journal.

Calls run on the kiosk's event loop. What changes the journal is handed to the lane's thread, which owns it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import TypeVar

import msgspec
from asyncvarlink import VarlinkInterfaceRegistry, varlinkmethod
from asyncvarlink.serviceinterface import VarlinkServiceInterface

from hal.api.server import Server, listen
from kiosk.api.interfaces import MAX_FRAME_BYTES, BadRequest, EpochHead, JournalHead, LaneStatus, Refused, Segment
from kiosk.api.interfaces import Journal as JournalInterface
from kiosk.api.interfaces import Lane as LaneInterface
from kiosk.journal.errors import JournalError
from kiosk.journal.store import Journal
from kiosk.lane.condition import Condition
from kiosk.lane.interpreter import Lane
from kiosk.lane.upkeep import Upkeep
from kiosk.records.canonical import canonical
from kiosk.records.identity import Acknowledgement, CosignChange, b64

T = TypeVar("T")
# Records travel as text inside JSON, whose quotes are escaped once more: half of a frame leaves room for that.
MAX_SEGMENT_BYTES = MAX_FRAME_BYTES // 2
GATHER_S = 0.25
SOFTWARE = "kassa 0.1.0"


class Service:
    """Serves lane.sock. `adopt(version)` takes a catalogue that lies complete in the catalogue folder, and
    `adopt_settings(version)` the like of the settings, on the lane's thread; ValueError when that cannot be."""

    def __init__(
        self,
        lane: Lane,
        journal: Journal,
        upkeep: Upkeep,
        condition: Condition,
        adopt: Callable[[str], None],
        adopt_settings: Callable[[str], None],
        uids: frozenset[int],
    ) -> None:
        self.lane = lane
        self.journal = journal
        self.upkeep = upkeep
        self.condition = condition
        self.adopt = adopt
        self.adopt_settings = adopt_settings
        self._loop = asyncio.get_running_loop()
        self._recorded, self._changed = asyncio.Condition(), asyncio.Condition()
        self._server = Server(self._admit, uids)
        self._tasks: set[asyncio.Task[None]] = set()
        self._gathering: set[asyncio.Condition] = set()
        lane.on_recorded(lambda: self._happened(self._recorded))
        lane.on_published(lambda: self._happened(self._changed))

    async def start(self, path: str) -> None:
        """Listen at the path. Raises SocketTaken."""
        await self._server.start(listen(path))

    async def stop(self) -> None:
        await self._server.stop()

    def _admit(self, connection: object) -> tuple[VarlinkInterfaceRegistry, Callable[[], None]]:
        registry = VarlinkInterfaceRegistry()
        registry.register_interface(VarlinkServiceInterface("Kassa", "lane", SOFTWARE, "", registry))
        registry.register_interface(_Journal(self))
        registry.register_interface(_Lane(self))
        return registry, lambda: None

    def _happened(self, what: asyncio.Condition) -> None:
        self._loop.call_soon_threadsafe(self._gather, what)

    def _gather(self, what: asyncio.Condition) -> None:
        """Several records or changes share one notice, a moment later: what sync does with it must not compete with
        the screen that the customer waits for."""
        if what not in self._gathering:
            self._gathering.add(what)
            self._loop.call_later(GATHER_S, self._wake, what)

    def _wake(self, what: asyncio.Condition) -> None:
        self._gathering.discard(what)
        task = self._loop.create_task(_notify(what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def next_record(self, after: EpochHead) -> None:
        async with self._recorded:
            await self._recorded.wait_for(lambda: self.journal.head().hash != after.hash)

    async def next_outline(self, after: LaneStatus) -> LaneStatus:
        """The lane's outline as soon as it is another one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.outline() != after)
        return self.outline()

    def outline(self) -> LaneStatus:
        return self.condition.outline(self.lane.snapshot().state)

    async def status(self) -> LaneStatus:
        return await asyncio.to_thread(self.condition.status, self.lane.snapshot().state)

    async def on_lane(self, work: Callable[[], T]) -> T:
        """Run `work` on the lane's thread and wait for it. Raises what it raises."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 - carried over to the caller
                done.set_exception(error)

        self.lane.post(run)
        return await asyncio.wrap_future(done)

    def head(self) -> JournalHead:
        epochs = []
        for ep in self.journal.epochs:
            head, acked = self.journal.head(ep), self.journal.acknowledged(ep)
            acked_seq, acked_hash = (acked.hwm, acked.hash) if acked is not None else (0, "")
            epochs.append(EpochHead(ep, head.seq, head.hash, acked_seq, acked_hash))
        return JournalHead(self.journal.dev, epochs)


async def _notify(what: asyncio.Condition) -> None:
    async with what:
        what.notify_all()


class _Journal(JournalInterface):
    def __init__(self, service: Service) -> None:
        self._service = service

    @varlinkmethod(return_parameter="head")
    async def Head(self) -> JournalHead:
        """Where the journal stands now."""
        return self._service.head()

    @varlinkmethod(return_parameter="head", delay_generator=False)
    async def Watch(self) -> AsyncIterator[JournalHead]:
        """The head now, and again after each append (several appends may share one reply)."""
        while True:
            head = self._service.head()
            yield head
            await self._service.next_record(head.current)

    @varlinkmethod(return_parameter="segment")
    async def Read(self, *, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Segment:
        """Records after `after_seq`: at least one if there is one, else an empty segment."""
        max_bytes = min(max_bytes, MAX_SEGMENT_BYTES)
        try:
            batch = await asyncio.to_thread(self._service.journal.read, ep, after_seq, max_records, max_bytes)
        except JournalError as error:
            raise BadRequest(message=str(error)) from None
        records = [record.decode() for record in batch.records]
        gap = "" if batch.gap is None else msgspec.json.encode(batch.gap).decode()
        return Segment(batch.dev, batch.ep, batch.first_seq, batch.prev, records, b64(batch.signature), gap)

    @varlinkmethod
    async def Acknowledge(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        """Keep the backend's counter-signature, if it holds."""
        ack = _acknowledgement(hwm, hash, cosig, changes)
        try:
            await self._service.on_lane(lambda: self._service.journal.acknowledge(ack, ep))
        except JournalError as error:
            raise Refused(message=str(error)) from None

    @varlinkmethod
    async def Forked(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        """Go on in an epoch of our own, if the backend's head really contradicts this journal."""
        ack = _acknowledgement(hwm, hash, cosig, changes)
        try:
            await self._service.on_lane(lambda: self._service.upkeep.forked(ep, ack))
        except JournalError as error:
            raise Refused(message=str(error)) from None

    @varlinkmethod
    async def Told(self, *, ep: int, halt: str, message: str) -> None:
        """For the status; an epoch that was replaced ends the lane's service."""
        await self._service.on_lane(lambda: self._service.upkeep.told(ep, halt[:80], message[:400]))

    @varlinkmethod(return_parameter="certificate")
    async def Certificate(self, *, ep: int) -> str:
        """The journal key's certificate of an epoch, as JSON text."""
        try:
            return canonical(self._service.journal.certificate(ep)).decode()
        except JournalError as error:
            raise BadRequest(message=str(error)) from None


def _acknowledgement(hwm: int, hash: str, cosig: str, changes: str) -> Acknowledgement:
    try:
        return Acknowledgement(hwm, hash, cosig, msgspec.json.decode(changes, type=tuple[CosignChange, ...]))
    except msgspec.MsgspecError as error:
        raise BadRequest(message=f"changes: a JSON list of key changes is expected: {error}") from None


class _Lane(LaneInterface):
    def __init__(self, service: Service) -> None:
        self._service = service

    @varlinkmethod(return_parameter="status")
    async def Status(self) -> LaneStatus:
        """What the lane does now."""
        return await self._service.status()

    @varlinkmethod(return_parameter="status", delay_generator=False)
    async def WatchStatus(self) -> AsyncIterator[LaneStatus]:
        """What the lane does now, and again when it changes (several changes may share one reply)."""
        outline = self._service.outline()
        while True:
            yield await self._service.status()
            outline = await self._service.next_outline(outline)

    @varlinkmethod
    async def CatalogueReady(self, *, version: str) -> None:
        """Take the catalogue when no sale is open."""
        try:
            await self._service.on_lane(lambda: self._service.adopt(version))
        except ValueError as error:
            raise Refused(message=str(error)) from None

    @varlinkmethod
    async def SettingsReady(self, *, version: str) -> None:
        """Verify the settings, and take them when at rest."""
        try:
            await self._service.on_lane(lambda: self._service.adopt_settings(version))
        except ValueError as error:
            raise Refused(message=str(error)) from None
