"""A receipt printer that speaks ESC/POS over TCP port 9100.

A printer takes bytes without having paper, so that a job has printed only when the printer itself says so: by the
process id after it (GS ( H), or, for printers without that, by GS r 1 after it, which is executed in its turn and not
without paper; there the data must end with the cut.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hal.api.records import Condition, JobState, PrintEnded, PrinterProfile, PrintOutcome
from hal.drivers.contract import Busy, Reporter
from hal.drivers.printer.escpos import codec, words
from hal.drivers.printer.escpos.codec import Answer, Changed, Done, Named, Paper, Splitter, State, Told
from hal.transports import DeviceGone, Link
from hal.transports.inbox import Inbox
from hal.transports.tcp import open_tcp

MAX_JOB_BYTES = 1024 * 1024
_MAX_JUNK_BYTES = 64 * 1024
_KEPT_JOBS = 256
_IDENTIFY = codec.INITIALISE + b"Kassa: this printer\n\n\n\n\n"


@dataclass(frozen=True)
class Timing:
    """`poll_s`: how often the printer is asked, for not every printer tells changes. `job_s`: how long a job may wait
    for new paper before it is given up."""

    connect_s: float = 5.0
    write_s: float = 2.0
    answer_s: float = 2.0
    poll_s: float = 5.0
    job_s: float = 120.0


@dataclass
class _Job:
    job_id: str
    data: bytes
    process_id: str
    ended: Callable[[PrintOutcome, str], None]
    sent: bool = False
    done: bool = False


class EscposPrinter:
    """See `hal.drivers.contract.PrinterDriver`."""

    def __init__(
        self,
        reporter: Reporter,
        *,
        host: str,
        port: int = 9100,
        dots: int = 576,
        columns: int = 48,
        code_pages: Sequence[str] = ("CP437",),
        cutter: bool = True,
        qr: bool = True,
        completion: Literal["process_id", "gs_r"] = "process_id",
        timing: Timing = Timing(),
    ) -> None:
        self._reporter = reporter
        self._host, self._port = host, port
        self._completion = completion
        self._timing = timing
        self.profile = PrinterProfile(dots, columns, list(code_pages), cutter, qr)
        self._jobs: OrderedDict[str, JobState] = OrderedDict()
        self._job: _Job | None = None
        self._number = 0
        self._link: Link | None = None
        self._inbox: Inbox[Answer] | None = None
        self._splitter = Splitter()
        self._state = State()
        self._silent = False
        self._dirty = False
        self._told: int | None = None
        self._info: dict[str, str] = {}

    # The contract

    def print(self, job_id: str, data: bytes) -> JobState:
        """ValueError for data that is empty, above 1 MiB, or holds a real-time command."""
        if job_id in self._jobs:
            return self._jobs[job_id]
        if not 0 < len(data) <= MAX_JOB_BYTES:
            raise ValueError(f"a job must be of 1 to {MAX_JOB_BYTES} bytes, this one is of {len(data)}")
        at = codec.realtime_command(data)
        if at >= 0:
            raise ValueError(f"the data holds a real-time command ({data[at : at + 3].hex(' ')}) at byte {at}")
        self._check_ready()
        self._remember(job_id, JobState.printing)

        def ended(outcome: PrintOutcome, reason: str) -> None:
            self._remember(job_id, JobState[outcome.value])
            self._reporter.emit(PrintEnded(job_id, outcome, reason))

        self._begin(job_id, data, ended)
        return JobState.printing

    def job(self, job_id: str) -> JobState:
        return self._jobs.get(job_id, JobState.unknown)

    async def identify(self) -> None:
        """Prints one line. Busy when it was not printed."""
        self._check_ready()
        over: asyncio.Future[tuple[PrintOutcome, str]] = asyncio.get_running_loop().create_future()

        def ended(outcome: PrintOutcome, reason: str) -> None:
            if not over.done():
                over.set_result((outcome, reason))

        self._begin("", _IDENTIFY, ended)
        outcome, reason = await over
        if outcome is not PrintOutcome.printed:
            raise Busy(reason)

    def _check_ready(self) -> None:
        if self._inbox is None or self._inbox.gone:
            raise Busy("unreachable")
        if reason := self._fault():
            raise Busy(reason)
        if self._job:
            raise Busy("busy")

    def _begin(self, job_id: str, data: bytes, ended: Callable[[PrintOutcome, str], None]) -> None:
        self._number = self._number % 9999 + 1
        self._job = _Job(job_id, data, f"{self._number:04d}", ended)
        self._report()
        if self._inbox:
            self._inbox.poke()

    def _remember(self, job_id: str, state: JobState) -> None:
        self._jobs[job_id] = state
        while len(self._jobs) > _KEPT_JOBS:
            self._jobs.popitem(last=False)

    # The life of a connection

    async def serve(self) -> None:
        self._reporter.condition(Condition.opening)
        self._splitter, self._state, self._silent = Splitter(), State(), False
        # A printer without paper takes no more data, for as long as it waits for a new roll.
        link = await open_tcp(
            self._host, self._port, connect_timeout_s=self._timing.connect_s, silent_limit_s=self._timing.job_s + 5
        )
        inbox: Inbox[Answer] = Inbox(link, self._splitter.feed, self._too_much_junk)
        pump = asyncio.create_task(inbox.pump())
        reason = "stopped"
        try:
            await self._live(link, inbox)
        except DeviceGone as gone:
            reason = gone.reason
            raise
        finally:
            self._inbox = self._link = None
            link.close()
            if self._job:
                self._end(self._job, PrintOutcome.uncertain if self._job.sent else PrintOutcome.failed, reason)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)  # last: a cancellation here may end this function

    async def _live(self, link: Link, inbox: Inbox[Answer]) -> None:
        self._link = link
        await self._greet(link, inbox)
        self._inbox = inbox
        self._report()
        while True:
            if self._job:
                await self._print(link, inbox, self._job)
                self._report()
                continue
            try:
                answer = await inbox.next(self._timing.poll_s, unless=lambda: self._job is not None)
            except TimeoutError:
                await self._poll(link, inbox)
                continue
            if answer:
                self._take(answer)

    def _too_much_junk(self) -> str:
        junk = self._splitter.junk
        return f"{junk} bytes that are no ESC/POS status" if junk > _MAX_JUNK_BYTES else ""

    async def _greet(self, link: Link, inbox: Inbox[Answer]) -> None:
        """Leave whatever a lost job left behind, switch status on, and learn the state."""
        clear = codec.CLEAR_AFTER_ERROR + codec.INITIALISE if self._dirty else b""
        await link.write(codec.NUL_FLUSH + clear + codec.ASB_ON + codec.ASK_MODEL, self._timing.write_s)
        self._dirty = False
        await self._poll(link, inbox)

    async def _poll(self, link: Link, inbox: Inbox[Answer]) -> None:
        """DLE EOT 1 to 4, each after the answer to the one before."""
        was_silent = self._silent
        flush = codec.NUL_FLUSH if was_silent else b""
        for n in (1, 2, 3, 4):
            self._told = None
            await link.write(flush + codec.ask_now(n), self._timing.write_s)
            told = await self._await_told(inbox)
            if told is None:
                self._silent = True
                self._report()
                return
            self._state = self._state.with_answer(n, told)
        self._silent = False
        if was_silent:
            await link.write(codec.ASB_ON + codec.ASK_MODEL, self._timing.write_s)
        self._report()

    async def _await_told(self, inbox: Inbox[Answer]) -> int | None:
        deadline = asyncio.get_running_loop().time() + self._timing.answer_s
        try:
            while self._told is None:
                answer = await inbox.next(deadline - asyncio.get_running_loop().time())
                if answer:
                    self._take(answer)
        except TimeoutError:
            return None
        return self._told

    def _take(self, answer: Answer) -> None:
        job = self._job
        match answer:
            case Changed(state):
                self._state = state
                self._report()
            case Told(byte):
                self._told = byte
            case Done(process_id):
                if job and job.sent and process_id == job.process_id:
                    job.done = True
            case Paper(out):
                if job and job.sent and self._completion == "gs_r" and not out and not self._fault():
                    job.done = True
            case Named(text):
                self._info = {"model": text}
                self._report()

    # A job

    async def _print(self, link: Link, inbox: Inbox[Answer], job: _Job) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.job_s
        ask = codec.ASK_PAPER if self._completion == "gs_r" else codec.ask_when_done(job.process_id)
        if inbox.gone:
            raise inbox.gone
        job.sent = True
        self._dirty = True
        await self._hand_over(link, inbox, codec.with_status(job.data) + ask)
        while not job.done and loop.time() < deadline:
            try:
                answer = await inbox.next(min(self._timing.poll_s, deadline - loop.time()))
            except TimeoutError:
                if loop.time() < deadline:
                    await self._poll(link, inbox)
                continue
            if answer:
                self._take(answer)
        if job.done:
            self._dirty = False
            self._end(job, PrintOutcome.printed, "")
            return
        self._end(job, PrintOutcome.uncertain, self._fault() or "no_answer")
        await self._give_up(link, inbox)

    async def _give_up(self, link: Link, inbox: Inbox[Answer]) -> None:
        """Make the printer forget the job. Its answer to a later question proves that nothing of the job is still on
        its way; without one the line is dropped, and so is what the kernel holds of the job."""
        await link.write(codec.CLEAR_AFTER_ERROR + codec.INITIALISE + codec.ASB_ON, self._timing.write_s)
        await self._poll(link, inbox)
        if self._silent or self._completion == "gs_r":  # a late GS r could not be told from the next job's
            raise DeviceGone("no_answer", "a job was given up")
        self._dirty = False

    async def _hand_over(self, link: Link, inbox: Inbox[Answer], data: bytes) -> None:
        """Write while the printer may tell that paper has run out: it then takes no more until there is new paper.
        When it never does, the line is dropped, for the rest of the job would come out before the next one."""
        writing = asyncio.create_task(link.write(data, self._timing.job_s))
        writing.add_done_callback(lambda _: inbox.poke())
        try:
            while not writing.done():
                answer = await inbox.next(self._timing.job_s + 1, unless=writing.done)
                if answer:
                    self._take(answer)
        finally:
            writing.cancel()
            outcome = (await asyncio.gather(writing, return_exceptions=True))[0]
        if isinstance(outcome, DeviceGone):
            raise outcome

    def _end(self, job: _Job, outcome: PrintOutcome, reason: str) -> None:
        self._job = None
        job.ended(outcome, reason)

    # The state

    def _fault(self) -> str:
        return "no_answer" if self._silent else words.fault(self._state)

    def _report(self) -> None:
        if self._link is None:
            return
        warnings = ["paper_near_end"] if self._state.paper_near_end else []
        reason = self._fault()
        if reason:
            advice = words.ADVICE[reason]
            self._reporter.condition(Condition.fault, reason=reason, advice=advice, warnings=warnings, info=self._info)
        elif self._inbox:
            condition = Condition.busy if self._job else Condition.ready
            self._reporter.condition(condition, warnings=warnings, info=self._info)
