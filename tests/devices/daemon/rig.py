"""A daemon to test against: in this loop with fakes behind it, or as a process with a scanner on a pty."""

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hal.api.client import HalClient
from hal.api.records import (
    Batch,
    Condition,
    Event,
    JobState,
    Kind,
    PaymentAnswer,
    PaymentState,
    PrinterProfile,
    Read,
    ReconcileAnswer,
    ReconcileState,
)
from hal.api.server import Connection, Server, listen
from hal.daemon.hub import Hub
from hal.daemon.interfaces import Session, registry_for
from hal.daemon.supervisor import Supervisor
from hal.drivers.contract import Busy, NotAwaited, Reporter
from hal.transports import DeviceGone

CANNOT = "the currency is not known; allowed: DKK"


def _refuse(identity: str) -> None:
    """A driver's refusal of what its protocol cannot carry, and a fault of its own that only looks like one."""
    if identity == "cannot":
        raise ValueError(CANNOT)
    if identity == "fault":
        b"\xff".decode()


CALM = PaymentAnswer(PaymentState.in_progress, 0, None)


@dataclass
class FakeDevice:
    """Serves until `trouble` says otherwise; each exception put there ends one run of `serve`."""

    reporter: Reporter
    trouble: "asyncio.Queue[Exception | None]" = field(default_factory=asyncio.Queue)
    runs: int = 0
    enabled: bool = False
    calls: list[Any] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    awaits: tuple[str, int] = ("p1", 7)
    profile = PrinterProfile(576, 48, ["CP858"], cutter=True, qr=True)

    async def serve(self) -> None:
        self.runs += 1
        self.reporter.condition(Condition.opening)
        self.reporter.condition(Condition.ready)
        error = await self.trouble.get()
        if error is not None:
            raise error

    async def identify(self) -> None:
        self.calls.append("identify")

    def enable(self, *, enabled: bool) -> None:
        self.enabled = enabled

    def print(self, job_id: str, data: bytes) -> JobState:
        if job_id == "busy":
            raise Busy("paper_out")
        _refuse(job_id)
        self.calls.append((job_id, data))
        return JobState.printing

    def job(self, job_id: str) -> JobState:
        return JobState.unknown

    async def prepare(self) -> str:
        raise Busy("unreachable")

    def authorise(self, *given: Any) -> PaymentAnswer:
        _refuse(given[0])
        self.calls.append(("authorise", *given))
        return CALM

    def confirm(self, payment_id: str, seq: int) -> None:
        if (payment_id, seq) != self.awaits:
            raise NotAwaited
        self.calls.append(("confirm", payment_id, seq))

    def abort(self, payment_id: str) -> None:
        self.calls.append(("abort", payment_id))

    async def query(self, *given: Any) -> PaymentAnswer:
        _refuse(given[0])
        self.calls.append(("query", *given))
        await self.gate.wait()
        self.calls.append("query ended")
        return CALM

    async def reconcile(self, reconcile_id: str) -> ReconcileAnswer:
        self.calls.append(("reconcile", reconcile_id))
        return ReconcileAnswer(ReconcileState.closed, 1250, "DKK", 1, "0001", "0001", [], [])

    async def reverse(self, *given: Any) -> PaymentAnswer:
        _refuse(given[0])
        self.calls.append(("reverse", *given))
        return CALM


@dataclass
class Rig:
    path: str
    hub: Hub
    supervisor: Supervisor
    server: Server
    scanner: FakeDevice
    printer: FakeDevice
    terminal: FakeDevice

    def scan(self, text: str) -> None:
        self.scanner.reporter.emit(Read(text, "", 1))


@asynccontextmanager
async def rig(tmp_path: Path, *, ring_events: int = 8192) -> AsyncIterator[Rig]:
    path = str(tmp_path / "hal.sock")
    hub = Hub(ring_events)
    supervisor = Supervisor(hub)
    fakes = []
    for name, kind in (("scanner", Kind.scanner), ("printer", Kind.printer), ("terminal", Kind.terminal)):
        reporter = supervisor.reporter(name, kind, "fake")
        fakes.append(FakeDevice(reporter))
        supervisor.add(reporter, fakes[-1])

    def admit(connection: Connection) -> Any:
        session = Session(supervisor, connection.stalled)
        return registry_for(session), session.end

    server = Server(admit, frozenset())
    await server.start(listen(path))
    supervisor.start()
    while not all(fake.runs for fake in fakes):
        await asyncio.sleep(0)
    try:
        yield Rig(path, hub, supervisor, server, *fakes)
    finally:
        await server.stop()
        await supervisor.stop()
        # A client that is to outlive this daemon, and another daemon's devices, are the test's own.
        left = [task for task in asyncio.all_tasks() if task.get_name() in ("connection", "call terminal")]
        assert not left, f"tasks left: {left}"


class Wire:
    """A bare Varlink client on an asyncio stream; knows nothing of the daemon's own code."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, path: str) -> "Wire":
        return cls(*await asyncio.open_unix_connection(path, limit=8 << 20))

    def send(self, method: str, *, more: bool = False, **parameters: Any) -> None:
        call = {"method": f"kassa.hal.{method}", "parameters": parameters, **({"more": True} if more else {})}
        self.writer.write(json.dumps(call).encode() + b"\0")

    async def reply(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            frame = await self.reader.readuntil(b"\0")
        reply = json.loads(frame[:-1])
        assert isinstance(reply, dict)
        return reply

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.send(method, **parameters)
        return await self.reply()

    async def error(self, method: str, **parameters: Any) -> str:
        return str((await self.call(method, **parameters)).get("error", "no error"))

    async def ended(self) -> bool:
        """Until the daemon has closed the connection; what it still sent is dropped."""
        async with asyncio.timeout(10):
            try:
                while await self.reader.read(1 << 16):
                    pass
            except ConnectionResetError:
                pass
        return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            await self.writer.wait_closed()


@dataclass
class Log:
    """What a client's callbacks were told, with waiting for it."""

    batches: list[Batch] = field(default_factory=list)
    ups: list[bool] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_batch(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._changed.set()

    def on_connection(self, up: bool) -> None:
        self.ups.append(up)
        self._changed.set()

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def reads(self) -> list[str]:
        return [event.read.text for event in self.events if event.read is not None]

    def conditions(self, device: str) -> list[str]:
        changed = [e.device_changed for e in self.events if e.device_changed and e.device == device]
        return [f"{d.condition.value} {d.reason}".strip() for d in changed]

    async def until(self, holds: Callable[["Log"], bool], timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def client(path: str, *claims: str) -> AsyncIterator[tuple[HalClient, Log]]:
    log = Log()
    async with HalClient(path, on_batch=log.on_batch, on_connection=log.on_connection, claims=claims) as hal:
        async with asyncio.timeout(10):
            await log.until(lambda log: bool(log.batches))
            for device in claims:
                await hal.held(device)
        yield hal, log


class Cable:
    """A pty under a stable name, as /dev/serial/by-id gives one: it can be pulled and plugged again."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master = -1

    def plug(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.link.symlink_to(os.ttyname(slave))
        self._slave = slave

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def pull(self) -> None:
        if self.master >= 0:
            self.link.unlink()
            os.close(self._slave)
            os.close(self.master)
            self.master = -1


class Daemon:
    """`kassa-hal` as a process of its own."""

    def __init__(self, folder: Path, cable: Cable, *options: str, char_gap_s: float = 0.1) -> None:
        self.socket = str(folder / "hal.sock")
        self.config = folder / "hal.toml"
        self.config.write_text(
            f'socket = "{self.socket}"\n[[device]]\nid = "scanner"\nkind = "scanner"\nmodel = "serial"\n'
            f'path = "{cable.link}"\ndouble_read_s = 0.0\nchar_gap_s = {char_gap_s}\n'
        )
        self.log = folder / "log"
        self._options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> "subprocess.Popen[bytes]":
        # Not -X dev: its asyncio debug mode logs every slow callback, which a busy machine has.
        command = [sys.executable, "-W", "error", "-m", "hal.main", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--json", *self._options], stderr=log, env={**os.environ, **environment}
            )
        return self.process

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(5)


def notify_socket(folder: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(folder / "notify"))
    sock.settimeout(5)
    return sock


def gone(reason: str) -> DeviceGone:
    return DeviceGone(reason, "test")
