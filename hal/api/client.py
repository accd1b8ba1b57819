"""Client of the hardware daemon for the kiosk's event loop: reconnects, resumes and claims by itself.

Varlink answers the calls of one connection in order, so a call that takes long (Query 30 s, Reverse 180 s) holds up
those behind it. The client therefore keeps one connection for the event stream, one for questions that need no
claim, and one for each claimed device: a claim belongs to its connection, and a slow terminal delays neither
scanner nor printer.
"""

import asyncio
import base64
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from asyncvarlink import (
    GenericVarlinkErrorReply,
    VarlinkErrorReply,
    VarlinkInterface,
    VarlinkMethodCall,
    VarlinkMethodReply,
    VarlinkMethodSignature,
    varlinksignature,
)
from asyncvarlink.conversion import ConversionError

from hal.api.interfaces import BadRequest, CardTerminal, ClaimedByAnother, Devices, NoSuchDevice, Printer, Scanner
from hal.api.records import Batch, Device, JobState, PaymentAnswer, PrinterProfile, ReconcileAnswer
from hal.api.wire import Line, WireError, decode

BACKOFF_FIRST_S = 0.05
BACKOFF_LAST_S = 1.0
_log = logging.getLogger("kassa.hal.client")

T = TypeVar("T")
_Replies = asyncio.Queue[dict[str, Any] | None]
"""Replies to one call; None when the connection was lost."""


class HalGone(Exception):
    """No connection to the daemon, or it broke during the call: whether the call was carried out is not known."""


class _ClientLine(Line):
    """One connection: calls go out at once and are answered in order. Not reused after it ended."""

    QUEUE_FRAMES = 2**30  # replies are matched at once; what is unread is bounded by the calls under way

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[_Replies] = deque()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        while not self._frames.empty():
            try:
                message = decode(self._frames.get_nowait())
            except WireError as error:
                self.hostile(str(error))
                self.abort()
                return
            if not self._waiting:
                self.hostile("a reply to no call")
                self.abort()
                return
            waiting = self._waiting[0] if message.get("continues") is True else self._waiting.popleft()
            waiting.put_nowait(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        while self._waiting:
            self._waiting.popleft().put_nowait(None)
        self.resume_writing()

    def hostile(self, what: str) -> None:
        _log.error("the daemon's answer is not understood: %s", what)

    async def call(self, interface: type[VarlinkInterface], method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The reply's parameters. Raises the interface's errors, and HalGone."""
        replies = self._send(interface, method, parameters, more=False)
        _, reply = await self._reply(interface, method, replies)
        return reply

    async def stream(
        self, interface: type[VarlinkInterface], method: str, parameters: dict[str, Any], form: type
    ) -> AsyncIterator[dict[str, Any]]:
        """The parameters of each reply, each of them a `form`. Raises as `call`."""
        replies = self._send(interface, method, parameters, more=True)
        continues = True
        while continues:
            continues, reply = await self._reply(interface, method, replies, form)
            yield reply

    def _send(
        self, interface: type[VarlinkInterface], method: str, parameters: dict[str, Any], *, more: bool
    ) -> _Replies:
        if self.ended.is_set():
            raise HalGone("not connected")
        given = {key: value for key, value in parameters.items() if value is not None}
        json = _signature(interface, method).parameter_type.tojson(given)
        call = VarlinkMethodCall(f"{interface.name}.{method}", json, more=more)
        try:
            self.send(call.tojson())
        except WireError as error:
            raise BadRequest(message=str(error)) from None
        replies: _Replies = asyncio.Queue()
        # A caller that is cancelled leaves its queue in line, so that its reply is not taken for the next one's.
        self._waiting.append(replies)
        return replies

    async def _reply(
        self, interface: type[VarlinkInterface], method: str, replies: _Replies, form: type | None = None
    ) -> tuple[bool, dict[str, Any]]:
        message = await replies.get()
        if message is None:
            raise HalGone("connection lost")
        try:
            reply = VarlinkMethodReply.fromjson(message)
            if reply.error is None and form is not None:  # for a stream: a customer waits for each conversion
                return reply.continues, {name: msgspec.convert(v, form) for name, v in reply.parameters.items()}
            if reply.error is None:
                return reply.continues, _signature(interface, method).return_type.fromjson(reply.parameters)
            interface.raise_error(reply)
        except GenericVarlinkErrorReply as error:
            raise HalGone(f"the daemon failed: {error}") from None
        except (ConversionError, msgspec.ValidationError, TypeError, ValueError) as error:
            self.abort()
            raise HalGone(f"the daemon speaks another version: {error!r}") from None


def _signature(interface: type[VarlinkInterface], method: str) -> VarlinkMethodSignature:
    signature = varlinksignature(getattr(interface, method))
    assert signature is not None
    return signature


class _Backoff:
    """Pauses between tries. What is wrong is told once and not at every try: a daemon may be away for long."""

    def __init__(self) -> None:
        self._wait_s = BACKOFF_FIRST_S
        self._told = ""

    def reset(self) -> None:
        self._wait_s = BACKOFF_FIRST_S
        self._told = ""

    def tell(self, what: str) -> None:
        if what != self._told:
            self._told = what
            _log.info("%s", what)

    async def wait(self) -> None:
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(self._wait_s * 2, BACKOFF_LAST_S)


class HalClient:
    """Use as `async with HalClient(...) as hal:` inside the loop that is to run the callbacks.

    `on_batch` gets every `Batch`, the first after each connect included; its events are neither lost nor repeated
    as long as `resumed` is true. `on_connection` tells whether the event stream is up, True before its first batch.
    Callbacks run in the loop and must not block. `claims` are claimed on every connect, again and again while another
    client holds them; a scanner that was enabled is enabled anew.

    Every call raises the errors of `hal.api.interfaces`, and HalGone.
    """

    def __init__(
        self,
        path: str,
        *,
        on_batch: Callable[[Batch], None],
        on_connection: Callable[[bool], None] = lambda up: None,
        claims: Sequence[str] = (),
    ) -> None:
        self._path = path
        self._on_batch = on_batch
        self._on_connection = on_connection
        self._claims = tuple(claims)
        self._instance: str | None = None
        self._seq: int | None = None
        self._enabled: dict[str, bool] = {}
        self._lines: dict[str, _ClientLine] = {}
        self._held = {device: asyncio.Event() for device in claims}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "HalClient":
        self._tasks = [asyncio.create_task(self._watch(), name="hal watch")]
        self._tasks.append(asyncio.create_task(self._stay_connected("", None), name="hal questions"))
        for device in self._claims:
            self._tasks.append(asyncio.create_task(self._stay_connected(device, device), name=f"hal {device}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def held(self, device: str) -> None:
        """Wait until a device of `claims` is claimed by this client."""
        await self._held[device].wait()

    def holds(self, device: str) -> bool:
        return device in self._held and self._held[device].is_set()

    async def list(self) -> "list[Device]":
        return cast("list[Device]", await self._ask("", Devices, "List"))

    async def identify(self, device: str) -> None:
        await self._ask(device, Devices, "Identify", device=device)

    async def enable(self, device: str, *, enabled: bool) -> None:
        """Also kept for the next connect. HalGone then means that it takes effect only there."""
        self._enabled[device] = enabled
        try:
            await self._ask(device, Scanner, "Enable", device=device, enabled=enabled)
        except (BadRequest, NoSuchDevice):
            del self._enabled[device]
            raise

    async def profile(self, device: str) -> PrinterProfile:
        return cast(PrinterProfile, await self._ask("", Printer, "Profile", device=device))

    async def print(self, device: str, job_id: str, data: bytes) -> JobState:
        data_base64 = base64.b64encode(data).decode("ascii")
        state = await self._ask(device, Printer, "Print", device=device, job_id=job_id, data_base64=data_base64)
        return cast(JobState, state)

    async def job(self, device: str, job_id: str) -> JobState:
        return cast(JobState, await self._ask("", Printer, "Job", device=device, job_id=job_id))

    async def prepare(self, device: str) -> str:
        return cast(str, await self._ask(device, CardTerminal, "Prepare", device=device))

    async def authorise(
        self, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        return await self._payment(
            device, "Authorise", payment_id=payment_id, amount_minor=amount_minor, currency=currency, witness=witness
        )

    async def confirm(self, device: str, payment_id: str, seq: int) -> None:
        await self._ask(device, CardTerminal, "Confirm", payment_id=payment_id, seq=seq)

    async def abort(self, device: str, payment_id: str) -> None:
        await self._ask(device, CardTerminal, "Abort", payment_id=payment_id)

    async def query(
        self, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        return await self._payment(
            device, "Query", payment_id=payment_id, amount_minor=amount_minor, currency=currency, witness=witness
        )

    async def reverse(
        self, device: str, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer:
        return await self._payment(
            device,
            "Reverse",
            payment_id=payment_id,
            reversal_id=reversal_id,
            receipt_no=receipt_no,
            amount_minor=amount_minor,
            currency=currency,
        )

    async def reconcile(self, device: str, reconcile_id: str) -> ReconcileAnswer:
        answer = await self._ask(device, CardTerminal, "Reconcile", device=device, reconcile_id=reconcile_id)
        return cast(ReconcileAnswer, answer)

    async def _payment(self, device: str, method: str, **parameters: Any) -> PaymentAnswer:
        return cast(PaymentAnswer, await self._ask(device, CardTerminal, method, device=device, **parameters))

    async def _ask(self, line: str, interface: type[VarlinkInterface], method: str, **parameters: Any) -> Any:
        """The one value of the reply, or None. `line` is the device that must be claimed, or empty."""
        chosen = self._lines.get(line if line in self._held else "")
        if chosen is None:
            raise HalGone("not connected")
        reply = await chosen.call(interface, method, parameters)
        return next(iter(reply.values()), None)

    async def _connect(self) -> _ClientLine:
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_unix_connection(_ClientLine, self._path)
        except OSError as error:
            raise HalGone(f"{self._path}: {error.strerror or error}") from None
        return line

    async def _watch(self) -> None:
        backoff = _Backoff()
        while True:
            up = False
            try:
                line = await self._connect()
                try:
                    parameters = {"instance": self._instance, "after": self._seq}
                    async for reply in line.stream(Devices, "Watch", parameters, Batch):
                        batch = cast(Batch, reply["batch"])
                        if not up:
                            up = True
                            backoff.reset()
                            self._tell(self._on_connection, up)
                        self._instance, self._seq = batch.instance, batch.seq
                        self._tell(self._on_batch, batch)
                finally:
                    line.abort()
            except (HalGone, VarlinkErrorReply) as error:
                backoff.tell(f"event stream ended: {error}")
            if up:
                up = False
                self._tell(self._on_connection, up)
            await backoff.wait()

    def _tell(self, callback: Callable[[T], None], value: T) -> None:
        try:
            callback(value)
        except Exception:  # noqa: BLE001 - a callback's fault must not end the stream for everything after it
            _log.exception("callback failed")

    async def _stay_connected(self, name: str, device: str | None) -> None:
        backoff = _Backoff()
        while True:
            try:
                line = await self._connect()
                try:
                    self._lines[name] = line
                    if device is not None:
                        await self._claim(line, device, backoff)
                    backoff.reset()
                    await line.ended.wait()
                finally:
                    self._lines.pop(name, None)
                    line.abort()
                    if device is not None:
                        self._held[device].clear()
            except (HalGone, VarlinkErrorReply) as error:
                backoff.tell(f"connection for {name or 'questions'} ended: {error}")
            await backoff.wait()

    async def _claim(self, line: _ClientLine, device: str, backoff: _Backoff) -> None:
        while True:
            try:
                await line.call(Devices, "Claim", {"device": device})
                break
            except (ClaimedByAnother, NoSuchDevice) as error:
                backoff.tell(f"{device} is not to be had yet: {error!r}")
                await backoff.wait()
        if self._enabled.get(device):
            await line.call(Scanner, "Enable", {"device": device, "enabled": True})
        self._held[device].set()
