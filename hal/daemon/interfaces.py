# No postponed annotations here: asyncvarlink reads the real types when a class is made.
"""What the socket's interfaces do, for one connection. Claims belong to the connection."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from asyncvarlink import VarlinkInterfaceRegistry, varlinkmethod
from asyncvarlink.serviceinterface import VarlinkServiceInterface

from hal.api import interfaces as api
from hal.api.records import Batch, Device, JobState, Kind, PaymentAnswer, PrinterProfile, ReconcileAnswer
from hal.api.scrub import scrubbed
from hal.daemon.supervisor import Slot, Supervisor
from hal.drivers.contract import Busy, NotAwaited, PrinterDriver, ScannerDriver, TerminalDriver

MAX_AMOUNT_MINOR = 10**12
MAX_PRINT_BYTES = 1024 * 1024
MAX_WITNESS_BYTES = 1024
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")

T = TypeVar("T")


@dataclass(eq=False)
class Session:
    """One connection to the daemon, as the claim it may hold."""

    supervisor: Supervisor
    on_stall: Callable[[], None] = lambda: None
    """Ends the connection: its Watch is not being read."""

    def slot(self, device: str) -> Slot:
        try:
            return self.supervisor.slots[device]
        except KeyError:
            raise api.NoSuchDevice(device=device[:64]) from None

    def typed(self, device: str, kind: Kind) -> Slot:
        slot = self.slot(device)
        if slot.kind is not kind:
            raise api.BadRequest(message=f"device {device} is a {slot.kind.value}; allowed: a {kind.value}")
        return slot

    def held(self, device: str, kind: Kind | None = None) -> Slot:
        slot = self.slot(device) if kind is None else self.typed(device, kind)
        if slot.holder is not self:
            raise api.NotClaimed(device=device)
        return slot

    def held_terminals(self) -> list[tuple[str, TerminalDriver]]:
        terminals = [slot for slot in self.supervisor.slots.values() if slot.kind is Kind.terminal]
        held = [(slot.id, cast(TerminalDriver, slot.driver)) for slot in terminals if slot.holder is self]
        if not held:
            raise api.NotClaimed(device=" ".join(slot.id for slot in terminals))
        return held

    def claim(self, slot: Slot) -> None:
        if slot.holder not in (None, self):
            raise api.ClaimedByAnother(device=slot.id)
        slot.holder = self
        slot.reporter.claimed(claimed=True)

    def release(self, slot: Slot) -> None:
        slot.holder = None
        if slot.kind is Kind.scanner:
            cast(ScannerDriver, slot.driver).enable(enabled=False)
        slot.reporter.claimed(claimed=False)

    def end(self) -> None:
        """The connection is over. Only claims end with it: a payment or print under way goes on."""
        for slot in self.supervisor.slots.values():
            if slot.holder is self:
                self.release(slot)

    async def lasting(self, device: str, call: Coroutine[Any, Any, T]) -> T:
        """Await a driver's call that must not be torn in the middle when its caller leaves."""
        task = asyncio.create_task(call, name=f"call {device}")
        self.supervisor.keep(cast("asyncio.Task[object]", task))
        with _refusals(device):
            return await asyncio.shield(task)


@contextmanager
def _refusals(device: str) -> Iterator[None]:
    """A driver's refusals as the interface's errors; nothing was sent to the device."""
    try:
        yield
    except Busy as busy:
        raise api.NotReady(device=device, reason=busy.reason) from None
    except ValueError as error:
        if type(error) is not ValueError:
            raise  # a kind of its own is no refusal but a fault, and may have come after something was sent
        raise api.BadRequest(message=str(error)) from None


def _bad(what: str, allowed: str) -> api.BadRequest:
    return api.BadRequest(message=f"{what}; allowed: {allowed}")


def _check_id(name: str, value: str) -> None:
    if not _ID.fullmatch(value):
        raise _bad(f"bad {name}", "1 to 64 of A-Z a-z 0-9 . _ -")


def _check_money(amount_minor: int, currency: str) -> None:
    if isinstance(amount_minor, bool) or not 1 <= amount_minor <= MAX_AMOUNT_MINOR:
        raise _bad("bad amount_minor", f"1 to {MAX_AMOUNT_MINOR}")
    if not _CURRENCY.fullmatch(currency):
        raise _bad("bad currency", "three letters A-Z (ISO 4217)")


def _check_witness(witness: str) -> None:
    if len(witness.encode("utf-8", "replace")) > MAX_WITNESS_BYTES:
        raise _bad("bad witness", f"at most {MAX_WITNESS_BYTES} bytes")


def _decode_print(data_base64: str) -> bytes:
    allowed = f"base64 of 1 to {MAX_PRINT_BYTES} bytes"
    if len(data_base64) > (MAX_PRINT_BYTES + 2) // 3 * 4:
        raise _bad("data_base64 too long", allowed)
    try:
        data = base64.b64decode(data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise _bad("data_base64 is not base64", allowed) from None
    if not 1 <= len(data) <= MAX_PRINT_BYTES:
        raise _bad("data_base64 empty or too long", allowed)
    return data


class Devices(api.Devices):
    def __init__(self, session: Session) -> None:
        self._session = session
        self._supervisor = session.supervisor

    @varlinkmethod(return_parameter="devices")
    async def List(self) -> list[Device]:
        return self._supervisor.devices()

    @varlinkmethod(return_parameter="batch", delay_generator=False)
    async def Watch(self, *, instance: str | None = None, after: int | None = None) -> AsyncIterator[Batch]:
        hub = self._supervisor.hub
        watcher, resumed = hub.watch(instance, after, self._session.on_stall)
        try:
            events = watcher.take_present()
            yield Batch(hub.instance, resumed, self._supervisor.devices(), events, watcher.seq)
            while True:
                events = await watcher.take()
                yield Batch(hub.instance, resumed=True, devices=[], events=events, seq=watcher.seq)
        finally:
            watcher.close()

    @varlinkmethod
    async def Claim(self, *, device: str) -> None:
        self._session.claim(self._session.slot(device))

    @varlinkmethod
    async def Release(self, *, device: str) -> None:
        self._session.release(self._session.held(device))

    @varlinkmethod
    async def Identify(self, *, device: str) -> None:
        slot = self._session.held(device)
        await self._session.lasting(device, slot.driver.identify())


class Scanner(api.Scanner):
    def __init__(self, session: Session) -> None:
        self._session = session

    @varlinkmethod
    async def Enable(self, *, device: str, enabled: bool) -> None:
        cast(ScannerDriver, self._session.held(device, Kind.scanner).driver).enable(enabled=enabled)


class Printer(api.Printer):
    def __init__(self, session: Session) -> None:
        self._session = session

    @varlinkmethod(return_parameter="profile")
    async def Profile(self, *, device: str) -> PrinterProfile:
        return cast(PrinterDriver, self._session.typed(device, Kind.printer).driver).profile

    @varlinkmethod(return_parameter="state")
    async def Print(self, *, device: str, job_id: str, data_base64: str) -> JobState:
        driver = cast(PrinterDriver, self._session.held(device, Kind.printer).driver)
        _check_id("job_id", job_id)
        data = _decode_print(data_base64)
        with _refusals(device):
            return driver.print(job_id, data)

    @varlinkmethod(return_parameter="state")
    async def Job(self, *, device: str, job_id: str) -> JobState:
        driver = cast(PrinterDriver, self._session.typed(device, Kind.printer).driver)
        _check_id("job_id", job_id)
        return driver.job(job_id)


class CardTerminal(api.CardTerminal):
    def __init__(self, session: Session) -> None:
        self._session = session

    def _driver(self, device: str) -> TerminalDriver:
        return cast(TerminalDriver, self._session.held(device, Kind.terminal).driver)

    @varlinkmethod(return_parameter="witness")
    async def Prepare(self, *, device: str) -> str:
        return await self._session.lasting(device, self._driver(device).prepare())

    @varlinkmethod(return_parameter="answer")
    async def Authorise(
        self, *, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        driver = self._driver(device)
        _check_id("payment_id", payment_id)
        _check_money(amount_minor, currency)
        _check_witness(witness)
        with _refusals(device):
            return driver.authorise(payment_id, amount_minor, currency, witness)

    @varlinkmethod
    async def Confirm(self, *, payment_id: str, seq: int) -> None:
        terminals = self._session.held_terminals()
        _check_id("payment_id", payment_id)
        for device, driver in terminals:
            try:
                driver.confirm(payment_id, seq)
            except NotAwaited:
                continue
            except Busy as busy:
                raise api.NotReady(device=device, reason=busy.reason) from None
            return
        raise api.NotWaiting(payment_id=payment_id)

    @varlinkmethod
    async def Abort(self, *, payment_id: str) -> None:
        terminals = self._session.held_terminals()
        _check_id("payment_id", payment_id)
        refused: api.NotReady | None = None
        for device, driver in terminals:
            try:
                driver.abort(payment_id)
            except Busy as busy:
                refused = api.NotReady(device=device, reason=busy.reason)
            else:
                return
        if refused is not None:
            raise refused

    @varlinkmethod(return_parameter="answer")
    async def Query(
        self, *, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        driver = self._driver(device)
        _check_id("payment_id", payment_id)
        _check_money(amount_minor, currency)
        _check_witness(witness)
        return scrubbed(await self._session.lasting(device, driver.query(payment_id, amount_minor, currency, witness)))

    @varlinkmethod(return_parameter="answer")
    async def Reverse(
        self, *, device: str, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer:
        driver = self._driver(device)
        for name, value in (("payment_id", payment_id), ("reversal_id", reversal_id), ("receipt_no", receipt_no)):
            _check_id(name, value)
        _check_money(amount_minor, currency)
        call = driver.reverse(payment_id, reversal_id, receipt_no, amount_minor, currency)
        return await self._session.lasting(device, call)

    @varlinkmethod(return_parameter="answer")
    async def Reconcile(self, *, device: str, reconcile_id: str) -> ReconcileAnswer:
        driver = self._driver(device)
        _check_id("reconcile_id", reconcile_id)
        return scrubbed(await self._session.lasting(device, driver.reconcile(reconcile_id)))


_DESCRIBED = VarlinkInterfaceRegistry()
"""The abstract interfaces: their docstrings are what a technician reads when introspecting."""
for _interface in (api.Devices, api.Scanner, api.Printer, api.CardTerminal):
    _DESCRIBED.register_interface(_interface())
_SERVICE = VarlinkServiceInterface("Kassa", "kassa-hal", "1", "https://varlink.org", _DESCRIBED)
_DESCRIBED.register_interface(_SERVICE)


def registry_for(session: Session) -> VarlinkInterfaceRegistry:
    """Everything one connection may call."""
    registry = VarlinkInterfaceRegistry()
    for interface in (Devices, Scanner, Printer, CardTerminal):
        registry.register_interface(interface(session))
    registry.register_interface(_SERVICE)
    return registry
