"""A card terminal of quite another protocol, and its driver: lines of JSON, and a terminal that knows payments by id.

Only for the test that a second protocol needs nothing but a driver. Money moves when the register says `take`; the
terminal tells afterwards of any payment how it ended, so that the driver needs no witness.
"""

import asyncio
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any, ClassVar

from hal.api.records import (
    CardDetails,
    Condition,
    Outcome,
    PaymentAnswer,
    PaymentEnded,
    PaymentLost,
    PaymentProgress,
    PaymentResult,
    PaymentState,
    Progress,
    Standing,
)
from hal.drivers.contract import Busy, NotAwaited, Reporter
from hal.drivers.options import DeviceOptions
from hal.transports import DeviceGone


class PlainTerminal:
    """The terminal on a thread of its own. `part_minor`: the most it authorises. `drops`: at which word of the
    register it hangs up once, before it has done anything about it."""

    def __init__(self) -> None:
        self.paid: OrderedDict[str, int] = OrderedDict()
        self.part_minor = 10**9
        self.drops = ""
        self._offers: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = server.result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._offers.clear()
        with suppress(OSError):
            while line := await reader.readline():
                word, payment_id, amount = json.loads(line)
                if word == self.drops:
                    self.drops = ""
                    break
                answer = self._answer(word, payment_id, amount)
                writer.write(json.dumps([word, payment_id, answer]).encode() + b"\n")
                await writer.drain()
        writer.close()

    def _answer(self, word: str, payment_id: str, amount: int) -> int:
        match word:
            case "offer":
                self._offers[payment_id] = min(amount, self.part_minor)
                return self._offers[payment_id]
            case "take":
                self.paid[payment_id] = self._offers.pop(payment_id)
                return self.paid[payment_id]
            case "back":
                return self.paid.pop(payment_id, 0)
            case _:
                return self.paid.get(payment_id, 0)


class PlainOptions(DeviceOptions, frozen=True):
    host: str = "127.0.0.1"
    port: int = 0


class PlainDriver:
    """`hal.drivers.contract.TerminalDriver` over that protocol."""

    _KNOWN: ClassVar[PaymentAnswer] = PaymentAnswer(PaymentState.in_progress, 0, None)

    def __init__(self, reporter: Reporter, *, host: str, port: int) -> None:
        self._reporter = reporter
        self._host, self._port = host, port
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._awaited: dict[tuple[str, int], asyncio.Event] = {}

    async def serve(self) -> None:
        self._reporter.condition(Condition.opening)
        try:
            self._line = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            raise DeviceGone("unreachable", str(error)) from None
        self._reporter.condition(Condition.ready)
        try:
            while await self._say("ping") is not None:
                await asyncio.sleep(0.1)
        finally:
            self._line[1].close()
            self._line = None
        raise DeviceGone("unplugged", "the terminal hung up")

    async def _say(self, word: str, payment_id: str = "", amount: int = 0) -> int | None:
        """The terminal's answer; None when it does not come."""
        async with self._asking:
            if self._line is None:
                return None
            reader, writer = self._line
            with suppress(OSError, ValueError):
                writer.write(json.dumps([word, payment_id, amount]).encode() + b"\n")
                await writer.drain()
                told: list[Any] = json.loads(await reader.readline())
                return int(told[2])
        return None

    async def identify(self) -> None:
        raise Busy("unsupported")

    async def prepare(self) -> str:
        if await self._say("ping") is None:
            raise Busy("unreachable")
        return ""

    def authorise(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer:
        if payment_id not in self._running:
            if self._line is None:
                raise Busy("unreachable")
            pay = self._pay(payment_id, amount_minor, currency)
            self._running[payment_id] = asyncio.get_running_loop().create_task(pay)
        return self._KNOWN

    async def _pay(self, payment_id: str, amount_minor: int, currency: str) -> None:
        self._reporter.emit(PaymentProgress(payment_id, Progress.present_card, ""))
        offered = await self._say("offer", payment_id, amount_minor)
        if offered is None:
            self._reporter.emit(PaymentLost(payment_id, sent=True, reason="line_lost"))
            return
        card = _card(payment_id, offered, currency)
        confirmed = asyncio.Event()
        seq = self._reporter.emit(PaymentResult(payment_id, Outcome.approved, "", "", card))
        self._awaited[payment_id, seq] = confirmed
        await confirmed.wait()
        if await self._say("take", payment_id) is None:
            self._reporter.emit(PaymentLost(payment_id, sent=True, reason="line_lost"))
        else:
            self._reporter.emit(PaymentEnded(payment_id, Standing.stands, []))

    def confirm(self, payment_id: str, seq: int) -> None:
        try:
            self._awaited.pop((payment_id, seq)).set()
        except KeyError:
            raise NotAwaited from None

    def abort(self, payment_id: str) -> None:
        """It cannot be stopped."""

    async def query(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer:
        paid = await self._say("how", payment_id)
        if paid is None:
            return PaymentAnswer(PaymentState.unreachable, 0, None)
        if paid:
            return PaymentAnswer(PaymentState.approved, 0, _card(payment_id, paid, currency))
        return PaymentAnswer(PaymentState.not_charged, 0, None)

    async def reverse(
        self, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer:
        given_back = await self._say("back", payment_id)
        state = PaymentState.unknown if given_back is None else PaymentState.cancelled
        return PaymentAnswer(state if given_back == amount_minor else PaymentState.unknown, 0, None)


def _card(payment_id: str, amount_minor: int, currency: str) -> CardDetails:
    return CardDetails(amount_minor, currency, "", "Plain", "P1", "", payment_id[:8], "", "")
