"""A lane's socket over a journal in memory. The records, hashes and signatures are real; only the disk is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from asyncvarlink import LastResult, VarlinkInterfaceRegistry, create_unix_server, varlinkmethod

from kiosk.api import interfaces as api
from kiosk.records.identity import Acknowledgement, BadIdentity, b64, check_acknowledgement, public_key
from kiosk.records.journal import sign
from tests.core.cloud.lane import Device


class FakeLane:
    """`kept`: what sync had acknowledged, each verified as the kiosk does. `catalogues` and `settings`: what it was
    told of."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.kept: list[Acknowledgement] = []
        self.catalogues: list[str] = []
        self.settings: list[str] = []
        self.reads: list[int] = []
        self.devices = [api.DeviceState("printer", "ready", "", [])]
        self.forks: list[Acknowledgement] = []
        self.told: list[tuple[int, str]] = []
        self.changed = asyncio.Condition()
        self.closing = False

    @property
    def acked(self) -> int:
        return max((ack.hwm for ack in self.kept), default=0)

    def head(self) -> api.JournalHead:
        me, seq = self.device.enrolment, len(self.device.records)
        epoch = api.EpochHead(me.ep, seq, self.device.hash_at(seq), self.acked, self.device.hash_at(self.acked))
        return api.JournalHead(me.dev, [epoch])

    def status(self) -> api.LaneStatus:
        present = self.catalogues[-1] if self.catalogues else ""
        waiting = len(self.device.records) - self.acked
        return api.LaneStatus(
            screen="attract",
            open_sale=False,
            catalogue=present,
            products=0,
            software="kassa test",
            hal=True,
            devices=self.devices,
            journal="",
            backlog=waiting,
            backlog_s=waiting * 10,
            disk_free_bytes=5 << 30,
            clock="synced",
            settings=self.settings[-1] if self.settings else "",
        )

    async def otherwise(self, than: api.LaneStatus) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.closing or self.status().devices != than.devices)

    async def append(self, count: int = 1) -> None:
        for _ in range(count):
            self.device.append()
        await self.wake()

    async def wake(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until_acked(self, seq: int, timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(lambda: self.acked >= seq)

    async def beyond(self, seq: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.closing or len(self.device.records) > seq)

    @contextlib.asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator["FakeLane"]:
        self.closing = False
        registry = VarlinkInterfaceRegistry()
        registry.register_interface(_Journal(self))
        registry.register_interface(_Lane(self))
        server = await create_unix_server(registry.protocol_factory, path)
        try:
            yield self
        finally:
            self.closing = True
            await self.wake()
            server.close()
            server.close_clients()
            await server.wait_closed()
            await asyncio.sleep(0)


class _Journal(api.Journal):
    def __init__(self, lane: FakeLane) -> None:
        self.lane = lane

    @varlinkmethod(return_parameter="head")
    async def Head(self) -> api.JournalHead:
        return self.lane.head()

    @varlinkmethod(return_parameter="head", delay_generator=False)
    async def Watch(self) -> AsyncIterator[api.JournalHead]:
        while True:
            head = self.lane.head()
            if self.lane.closing:
                raise LastResult(head)
            yield head
            await self.lane.beyond(head.current.seq)

    @varlinkmethod(return_parameter="segment")
    async def Read(self, *, ep: int, after_seq: int, max_records: int, max_bytes: int) -> api.Segment:
        device = self.lane.device
        self.lane.reads.append(after_seq)
        if ep != device.enrolment.ep:
            raise api.BadRequest(message=f"no epoch {ep}")
        records: list[str] = []
        for data in device.records[after_seq : after_seq + max_records]:
            if records and sum(map(len, records)) + len(data) > max_bytes:
                break
            records.append(data.decode())
        last = device.hash_at(after_seq + len(records))
        signature = b64(sign(device.key, last))
        return api.Segment(device.enrolment.dev, ep, after_seq + 1, device.hash_at(after_seq), records, signature)

    @varlinkmethod
    async def Acknowledge(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        ack, device = Acknowledgement(hwm, hash, cosig), self.lane.device
        try:
            check_acknowledgement(public_key(device.enrolment.cosign_key), device.enrolment.dev, ep, ack)
        except BadIdentity as error:
            raise api.Refused(message=str(error)) from None
        if hwm > len(device.records) or device.hash_at(hwm) != hash:
            raise api.Refused(message=f"record {hwm} is another one here")
        self.lane.kept.append(ack)
        await self.lane.wake()

    @varlinkmethod
    async def Forked(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        self.lane.forks.append(Acknowledgement(hwm, hash, cosig))

    @varlinkmethod
    async def Told(self, *, ep: int, halt: str, message: str) -> None:
        self.lane.told.append((ep, halt))

    @varlinkmethod(return_parameter="certificate")
    async def Certificate(self, *, ep: int) -> str:
        return msgspec.json.encode(self.lane.device.certificate).decode()


class _Lane(api.Lane):
    def __init__(self, lane: FakeLane) -> None:
        self.lane = lane

    @varlinkmethod(return_parameter="status")
    async def Status(self) -> api.LaneStatus:
        return self.lane.status()

    @varlinkmethod(return_parameter="status", delay_generator=False)
    async def WatchStatus(self) -> AsyncIterator[api.LaneStatus]:
        while True:
            status = self.lane.status()
            if self.lane.closing:
                raise LastResult(status)
            yield status
            await self.lane.otherwise(status)

    @varlinkmethod
    async def CatalogueReady(self, *, version: str) -> None:
        self.lane.catalogues.append(version)

    @varlinkmethod
    async def SettingsReady(self, *, version: str) -> None:
        self.lane.settings.append(version)
