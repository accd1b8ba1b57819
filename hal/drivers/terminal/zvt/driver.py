"""A card terminal that speaks ZVT over TCP (PA00P015 rev. 13.08, PA00P016).

One task, `serve`, owns the line and does one thing at a time; the calls of the contract hand it jobs. What is known of
payments outlives the connection, but not the daemon.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from hal.api.records import Condition, PaymentAnswer, PaymentState, ReconcileAnswer
from hal.drivers.contract import Busy, NotAwaited, Reporter
from hal.drivers.terminal.zvt import judge, reconcile, reversal, words
from hal.drivers.terminal.zvt.codec import Abort, Completion, Fields, Nak, commands
from hal.drivers.terminal.zvt.currency import numeric
from hal.drivers.terminal.zvt.memory import Payment, Payments
from hal.drivers.terminal.zvt.payment import PaymentRun, Profile, drop
from hal.drivers.terminal.zvt.reconcile import Reconciliations
from hal.drivers.terminal.zvt.reversal import Reversals
from hal.drivers.terminal.zvt.session import Session, Timing
from hal.transports import DeviceGone
from hal.transports.tcp import open_tcp

CONFIG_BYTE = 0xBE
"""Table 1: print lines of payments and administration come to us (80, 04, 02), intermediate status wanted (08),
amounts and administration only from us (10, 20)."""

_DISPLAY_S = 5
_T = TypeVar("_T")


@dataclass
class Job:
    """Work for the session's task. `drop` settles it, with a reason, when it will never run."""

    run: Callable[[Session], Awaitable[None]]
    drop: Callable[[str], None]


class ZvtTerminal:
    """See `hal.drivers.contract.TerminalDriver`. ValueError for a currency, amount or number ZVT cannot carry."""

    def __init__(
        self,
        reporter: Reporter,
        *,
        host: str,
        port: int = 20007,
        password: str = "000000",
        currency: str = "DKK",
        config_byte: int = CONFIG_BYTE,
        profile: Profile = "status",
        line_width: int = 42,
        confirm_window_s: float = 4.0,
        empty_codes: frozenset[int] = frozenset(),
        timing: Timing = Timing(),  # noqa: B008 - frozen
    ) -> None:
        """`confirm_window_s` must end before the terminal's T3 of 5 s. `empty_codes`: error codes by which this model
        answers a repeated receipt when it has no transaction yet; others say nothing about its record."""
        self._reporter = reporter
        self._host, self._port = host, port
        self._password, self._currency = password, numeric(currency)
        self._registration = commands.registration(password, config_byte, self._currency, line_width)
        self._profile: Profile = profile
        self._confirm_window_s = confirm_window_s
        self._empty_codes = empty_codes
        self._timing = timing
        self._payments = Payments()
        self._reversals = Reversals()
        self._reconciliations = Reconciliations()
        self._jobs: deque[Job] = deque()
        self._session: Session | None = None
        self._settled_at_s = 0.0
        self._ready = asyncio.Event()
        self._why_not = "unreachable"
        self._info: dict[str, str] = {}
        self._warnings: list[str] = []

    # The life of a connection

    async def serve(self) -> None:
        self._unready("unreachable")
        self._reporter.condition(Condition.opening)
        link = await open_tcp(self._host, self._port, connect_timeout_s=self._timing.connect_s)
        self._settled_at_s = asyncio.get_running_loop().time() + self._timing.settle_s
        session = Session(link, self._timing)
        pump = asyncio.create_task(session.pump())
        try:
            await self._register(session)
            self._session = session
            self._be_ready()
            while True:
                await self._step(session)
        except DeviceGone as gone:
            self._unready(gone.reason)
            raise
        finally:
            self._session = None
            self._unready(self._why_not)
            link.close()
            while self._jobs:
                self._jobs.popleft().drop(self._why_not)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)  # last: a cancellation here may end this function

    async def _step(self, session: Session) -> None:
        """One job, or one unasked message, or one enquiry."""
        if self._jobs:
            await self._jobs.popleft().run(session)
            return
        quiet_s = self._timing.enquiry_interval_s if self._ready.is_set() else self._timing.retry_s
        try:
            message = await session.next(quiet_s, unless=lambda: bool(self._jobs))
        except TimeoutError:
            await self._enquire(session)
            return
        if message is not None:
            await session.answer_unasked(message)

    async def _register(self, session: Session) -> None:
        """06 00, again until the terminal accepts."""
        while True:
            reply = await session.command(self._registration)
            end = None if isinstance(reply, Nak) else await session.finish(self._timing.short_t4_s, lambda _: None)
            if isinstance(end, Completion):
                self._learn(end)
                return
            code = reply.code if isinstance(reply, Nak) else end.code if end else 0xFF
            self._why_not = "not_registered"
            advice = words.advice_for_refused_registration(code)
            self._reporter.condition(Condition.fault, reason="not_registered", advice=advice)
            with suppress(TimeoutError):
                while message := await session.next(self._timing.retry_s):
                    await session.answer_unasked(message)

    def _learn(self, end: Completion) -> None:
        fields = end.fields
        self._info = {"model": "ZVT", "terminal_id": fields.terminal_id, "currency": fields.currency}
        wants = fields.status_byte or 0
        self._warnings = [word for bit, word in ((1, "initialisation_needed"), (2, "diagnosis_needed")) if wants & bit]

    def _be_ready(self) -> None:
        self._why_not = ""
        self._ready.set()
        self._reporter.condition(Condition.ready, warnings=self._warnings, info=self._info)

    def _unready(self, reason: str) -> None:
        self._why_not = reason
        self._ready.clear()

    def _be_busy(self) -> None:
        self._unready("busy")
        self._reporter.condition(Condition.busy, warnings=self._warnings)

    async def _enquire(self, session: Session) -> int:
        """05 01: the terminal's status; reported when it is not ready. It may run its own events meanwhile."""
        reply = await session.command(commands.status_enquiry(self._password))
        if isinstance(reply, Nak):
            status = words.BUSY_STATUS if reply.code in words.PLEASE_WAIT else 0x00
        else:
            end = await session.finish(self._timing.short_t4_s, lambda _: None, self._be_busy)
            status = (end.terminal_status or 0x00) if isinstance(end, Completion) else 0x00
            if isinstance(end, Completion) and end.software:
                self._info = {**self._info, "software": end.software}
        self._report_status(status)
        return status

    def _report_status(self, status: int) -> None:
        self._warnings = [w for w in self._warnings if w != "reconciliation_needed"]
        if status == words.RECONCILE_STATUS:
            self._warnings.append("reconciliation_needed")
        if status in words.READY_STATUS or status == words.RECONCILE_STATUS:
            self._be_ready()
        elif status == words.BUSY_STATUS:
            self._be_busy()
        else:
            self._unready("offline")
            advice = words.advice_for_status(status)
            self._reporter.condition(Condition.fault, reason="offline", advice=advice, warnings=self._warnings)

    # Jobs

    def _check_ready(self) -> None:
        if not self._ready.is_set() or self._session is None or self._session.gone is not None:
            raise Busy(self._why_not or "unreachable")

    def _push(self, job: Job) -> None:
        self._jobs.append(job)
        if self._session:
            self._session.poke()

    async def _do(self, work: Callable[[Session], Awaitable[_T]]) -> _T:
        """Run in the session's task and wait for the outcome. Busy when it is never run, or the line is lost."""
        self._check_ready()
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        def dropped(reason: str) -> None:
            if not done.done():
                done.set_exception(Busy(reason))

        async def run(session: Session) -> None:
            if done.done():  # nobody waits any more
                return
            try:
                value = await work(session)
            except Busy as busy:
                dropped(busy.reason)
            except DeviceGone as gone:
                dropped(gone.reason)
                raise
            except asyncio.CancelledError:
                dropped("stopped")
                raise
            else:
                if not done.done():
                    done.set_result(value)

        self._push(Job(run, dropped))
        return await done

    # The contract

    async def identify(self) -> None:
        """Shows a text for five seconds, with a beep (2.26)."""

        async def show(session: Session) -> None:
            reply = await session.command(commands.display("Kassa", _DISPLAY_S), extra_s=_DISPLAY_S)
            if isinstance(reply, Nak):
                raise Busy("unsupported")

        await self._do(show)

    async def prepare(self) -> str:
        try:
            async with asyncio.timeout(self._timing.prepare_s):
                record, _ = await self._do(self._last_record)
        except TimeoutError as error:
            raise Busy("no_answer") from error
        return judge.write_witness(record)

    async def _last_record(self, session: Session) -> tuple[judge.Record, Fields]:
        """05 01, then 06 20 without printing. Busy while the terminal is in a transaction."""
        if await self._enquire(session) == words.BUSY_STATUS:
            raise Busy("busy")
        told: list[Fields] = []
        reply = await session.command(commands.repeat_receipt(self._password))
        end = reply if isinstance(reply, Nak) else await session.finish(self._timing.short_t4_s, told.append)
        terminal_id = self._info.get("terminal_id", "")
        if isinstance(end, Nak | Abort):
            if end.code in words.PLEASE_WAIT:
                raise Busy("busy")
            empty = end.code in self._empty_codes
            return judge.Record(tid=terminal_id, empty=empty, error="" if empty else f"{end.code:02X}"), Fields()
        if told:
            return judge.record_of(told[-1], terminal_id), told[-1]
        return judge.Record(tid=terminal_id, empty=True), Fields()

    def authorise(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer:
        known = self._payments.get(payment_id)
        if known:
            return known.answer
        commands.authorisation(amount_minor, numeric(currency))  # ValueError before anything is promised
        if amount_minor <= 0:
            raise ValueError("the amount of a payment must be positive")
        self._check_ready()
        payment = Payment(payment_id, amount_minor, currency)
        self._payments.add(payment)
        self._be_busy()

        async def run(session: Session) -> None:
            await PaymentRun(
                session,
                payment,
                self._reporter,
                profile=self._profile,
                confirm_window_s=self._confirm_window_s,
            ).run()
            self._be_ready()

        self._push(Job(run, lambda reason: drop(payment, self._reporter, reason)))
        return payment.answer

    def confirm(self, payment_id: str, seq: int) -> None:
        payment = self._payments.get(payment_id)
        if payment is None or seq <= 0 or payment.result_seq != seq:
            raise NotAwaited
        running = payment.state is PaymentState.in_progress
        if running and (self._session is None or self._session.gone is not None):
            raise NotAwaited
        payment.confirmed = True
        payment.result_seq = 0
        if running and self._session:
            self._session.poke()

    def abort(self, payment_id: str) -> None:
        """Nothing happens when the payment is over or unknown: its result, if any, has been told."""
        payment = self._payments.get(payment_id)
        if payment and payment.state is PaymentState.in_progress:
            payment.abort_asked = True
            if self._session:
                self._session.poke()

    async def query(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer:
        code = numeric(currency)
        detail = ""
        try:
            async with asyncio.timeout(self._timing.query_s):
                while True:
                    known = self._payments.get(payment_id)
                    if known and known.state is not PaymentState.unknown:
                        return known.answer
                    await self._settled()
                    try:
                        now, fields = await self._do(self._last_record)
                        break
                    except Busy as busy:
                        detail = busy.reason
                        await asyncio.sleep(self._timing.retry_s)
        except TimeoutError:
            return judge.answer(PaymentState.unreachable, detail or self._why_not)
        state, why = judge.compare(judge.read_witness(witness), now, amount_minor, code)
        payment = known or Payment(payment_id, amount_minor, currency)
        payment.state, payment.detail = state, why
        if state is PaymentState.approved:
            payment.card = judge.card_of(fields, amount_minor, currency)
        else:
            payment.card = judge.last_card(now, fields) if state is PaymentState.unknown else None
        self._payments.add(payment)
        return payment.answer

    async def _settled(self) -> None:
        """Until the terminal can be believed. It hears nothing of a lost line, and decides about a payment only when
        T3 is over: a record read before that may show the payment before ours, or ours before it is taken back."""
        while True:
            await self._ready.wait()
            left_s = self._settled_at_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)

    async def reverse(
        self, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer:
        known = self._reversals.get(reversal_id)
        if known is None:
            code = numeric(currency)
            request = commands.reversal(self._password, receipt_no, amount_minor, code)
            self._check_ready()
            known = new = self._reversals.add(reversal_id)
            self._be_busy()

            async def run(session: Session) -> None:
                await reversal.run(session, request, amount_minor, code, new)
                self._be_ready()

            self._push(Job(run, new.drop))
        return await known.result(self._timing.reverse_s)

    async def reconcile(self, reconcile_id: str) -> ReconcileAnswer:
        known = self._reconciliations.get(reconcile_id)
        if known is None:
            self._check_ready()
            known = new = self._reconciliations.add(reconcile_id)
            self._be_busy()

            async def run(session: Session) -> None:
                await reconcile.run(session, commands.end_of_day(self._password), new)
                self._be_ready()

            self._push(Job(run, new.drop))
        return await known.result(self._timing.reverse_s)
