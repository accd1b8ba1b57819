"""A lane's real journal, key files and socket, enrolled at the real backend; only the checkout is not there."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud import schema
from kiosk.core.state import State, fresh
from kiosk.journal.recovery import Recovery
from kiosk.journal.reserve import Reserve
from kiosk.journal.stamp import Context
from kiosk.journal.store import Journal
from kiosk.lane.condition import Condition
from kiosk.lane.keys import StateKeys
from kiosk.lane.port import Published
from kiosk.lane.server import Service
from kiosk.lane.upkeep import Upkeep
from kiosk.records.identity import Enrolment, identity_public, public_key
from kiosk.sync.http import HttpBackend
from kiosk.sync.uplink import Uplink
from tests.core.checkout.script import Script
from tests.core.cloud.lane import Backend
from tests.core.journal.lane import CUSTOMER, CountingStamp


class Checkout:
    """The lane's thread, done at once: what upkeep and the socket want of it."""

    def __init__(self) -> None:
        self.state: State = fresh(Script().state.shop)
        self.barred = ""
        self.recorded: list[Callable[[], None]] = []
        self.rest: list[Callable[[], None]] = []

    def snapshot(self) -> Published:
        return Published(1, self.state)

    def on_rest(self, listener: Callable[[], None]) -> None:
        self.rest.append(listener)

    def on_published(self, listener: Callable[[], None]) -> None:
        """Nothing is published here."""

    def on_recorded(self, listener: Callable[[], None]) -> None:
        self.recorded.append(listener)

    def post(self, work: Callable[[], None]) -> None:
        work()

    def adjust(self, change: Callable[[State], State]) -> None:
        self.state = change(self.state)

    def bar(self, why: str) -> None:
        self.barred = why

    def tell_recorded(self) -> None:
        for listener in self.recorded:
            listener()


@dataclass
class RealLane:
    """`folder` is the whole machine: copy it, and the copy is a clone."""

    backend: Backend
    folder: Path
    enrolment: Enrolment
    jump: int = 41
    checkout: Checkout = field(default_factory=Checkout)
    journal: Journal = field(init=False)

    @classmethod
    def enrolled(cls, backend: Backend, folder: Path, **how: Any) -> "RealLane":
        folder.mkdir()
        identity = ec.generate_private_key(ec.SECP256R1())
        pem = identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "identity.key").write_bytes(pem)
        device = backend.device(identity=identity, **how)
        lane = cls(backend, folder, device.enrolment)
        (folder / "enrolment.json").write_bytes(msgspec.json.encode(device.enrolment))
        StateKeys(folder, device.enrolment.dev).make(device.enrolment.ep)
        return lane

    @property
    def path(self) -> Path:
        return self.folder / "journal.db"

    @property
    def keys(self) -> StateKeys:
        return StateKeys(self.folder, self.enrolment.dev)

    @property
    def identity_key(self) -> str:
        return identity_public(self.keys.identity())

    def open(self, *, mend: bool = True) -> Journal:
        me = self.enrolment
        key, certificate = self.keys.load(me.ep)
        self.journal = Journal.open(
            self.path,
            dev=me.dev,
            ep=me.ep,
            key=key,
            certificate=certificate,
            anchor_path=self.folder / "anchor",
            cosign_key=public_key(me.cosign_key),
            stamp=CountingStamp(),
            context=Context(me.tenant, me.shop, me.reg, "live", "test"),
            reserve=Reserve(self.folder / "reserve", ballast_bytes=4096, low_water_bytes=4096),
            recovery=Recovery(self.keys, self.identity_key, lambda n: min(self.jump, n - 1)) if mend else None,
        )
        return self.journal

    def fill(self, count: int, text: str = "") -> None:
        for _ in range(count):
            self.journal.append("test.note", {"n": self.journal.head().seq + 1, "text": text}, CUSTOMER)
        self.checkout.tell_recorded()

    def write(self, count: int, text: str = "") -> None:
        """Open, append, close."""
        with self.open():
            self.fill(count, text)

    def clone(self, folder: Path) -> "RealLane":
        shutil.copytree(self.folder, folder)
        return RealLane(self.backend, folder, self.enrolment, jump=self.jump + 100)

    def edit(self, *statements: str) -> None:
        """What rot, or someone with the file, can do."""
        connection = apsw.Connection(str(self.path))
        try:
            triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
        finally:
            connection.close()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Path]:
        """The lane's socket over the open journal."""
        path = self.folder / "lane.sock"
        checkout: Any = self.checkout
        checkout.rest.clear()
        upkeep = Upkeep(checkout, self.journal)

        def ignore(version: str) -> None:
            """No catalogue and no settings come down here."""

        condition = Condition(self.journal, CountingStamp(), self.folder, "kassa test", lambda: upkeep.upload)
        service = Service(checkout, self.journal, upkeep, condition, ignore, ignore, frozenset((os.getuid(),)))
        await service.start(str(path))
        try:
            yield path
        finally:
            await service.stop()
            self.checkout.recorded.clear()

    def sync(self) -> bool:
        """Open the journal, bring up what can be brought up, close. True when everything is acknowledged."""
        with self.open():
            return asyncio.run(self.synced())

    async def synced(self) -> bool:
        adapter = HttpBackend(self.enrolment)
        async with self.serving() as path:
            uplink = Uplink(self.enrolment, path, adapter, luck=lambda: 0.0, once=True)
            async with asyncio.timeout(20):
                await uplink.run()
        adapter.close()
        return uplink.finished

    def held(self, ep: int) -> list[Any]:
        """What the backend holds of an epoch: (seq, record), in order."""
        table = schema.records
        rows = [row for row in self.backend.rows(table) if (row["dev"], row["ep"]) == (self.enrolment.dev, ep)]
        return [(row["seq"], json.loads(row["data"])) for row in sorted(rows, key=lambda row: int(row["seq"]))]

    def alarms(self) -> set[tuple[str, int]]:
        return {(row["kind"], row["ep"]) for row in self.backend.rows(schema.alarms)}
