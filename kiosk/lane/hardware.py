"""Between the core and the hardware daemon: its events become ours, our effects become its calls.

Runs on the kiosk's event loop. Every call has an answer as an event, also when the daemon is gone; what could not be
known is said to be unknown, never guessed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, Protocol

from asyncvarlink import VarlinkErrorReply

from hal.api import records as hal
from hal.api.client import HalClient, HalGone
from hal.api.interfaces import NotReady
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.report import Totals
from kiosk.core.state import DeviceHealth
from kiosk.lane.answers import queried, result
from kiosk.lane.translate import CodeRead

_log = logging.getLogger("kassa.lane.hardware")

Post = Callable[[object, int], None]
CLAIM_S = 2.0
REVERSE_READY_S = 20.0
REVERSE_AGAIN_S = 1.0
_REVERSED: Mapping[hal.PaymentState, Literal["reversed", "refused"]] = {
    hal.PaymentState.cancelled: "reversed",
    hal.PaymentState.declined: "refused",
}


class Encoder(Protocol):
    def __call__(self, document: str, profile: hal.PrinterProfile, *, copy: bool) -> bytes:
        """The receipt as bytes for this printer. Blocking, up to some hundred milliseconds."""


@dataclass
class _Reversal:
    """The last that this process asked for, and its answer once there is one."""

    reversal_id: str
    answer: on.ReversalEnded | None = None


class Hardware:
    """One lane's devices: `scanner`, `printer`, `terminal` are the ids in `hal.toml`. `wall_ms`: the lane's time."""

    def __init__(
        self,
        socket: str,
        post: Callable[..., None],
        encode: Encoder,
        wall_ms: Callable[[], int],
        scanner: str,
        printer: str,
        terminal: str,
    ):
        self._wall_ms = wall_ms
        self._post = post
        self._encode = encode
        self._scanner, self._printer, self._terminal = scanner, printer, terminal
        self._connected = False
        self._querying: set[str] = set()
        self._reversal: _Reversal | None = None
        self._sent: dict[str, on.PrintedJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.client = HalClient(
            socket, on_batch=self._batch, on_connection=self._connection, claims=(scanner, printer, terminal)
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self.client:
            try:
                await self.client.held(self._scanner)
                await self.client.enable(self._scanner, enabled=True)
            except HalGone:
                _log.info("the scanner is enabled at the next connect")
            except VarlinkErrorReply as error:  # the other devices are served all the same
                _log.error("the scanner cannot be enabled: %s", error)
            await asyncio.Event().wait()

    def perform(self, effect: do.Any) -> bool:
        """Begin an effect that is for a device; False if it is for somebody else. On the loop's thread."""
        work: Coroutine[Any, Any, None]
        match effect:
            case do.PrepareTerminal(tender_id):
                work = self._prepare(tender_id)
            case do.Charge():
                work = self._charge(effect)
            case do.ConfirmPayment(tender_id, seq):
                work = self._confirm(tender_id, seq)
            case do.AbortPayment(tender_id):
                work = self._abort(tender_id)
            case do.QueryPayment():
                work = self._query(effect)
            case do.Reverse():
                work = self._reverse(effect)
            case do.PrintReceipt():
                work = self._print(effect)
            case do.AskPrint(job_id):
                work = self._ask_print(job_id)
            case _:
                return False
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    # From the daemon

    def _connection(self, up: bool) -> None:  # noqa: FBT001 (the client's signature)
        if not up:
            self._connected = False
            self._post(on.HalChanged(connected=False, resumed=False))

    def _batch(self, batch: hal.Batch) -> None:
        first = not self._connected
        if first:
            for device in batch.devices:
                self._device(device)
        for event in batch.events:
            self._event(event)
        if first:
            self._connected = True
            self._post(on.HalChanged(connected=True, resumed=batch.resumed))

    def _device(self, device: hal.Device) -> None:
        health = DeviceHealth(device.condition.value, device.reason, tuple(device.warnings))
        if device.id == self._scanner:
            self._post(on.DeviceChanged("scanner", health))
        elif device.id == self._printer:
            self._post(on.DeviceChanged("printer", health))
        elif device.id == self._terminal:
            self._post(on.DeviceChanged("terminal", health))

    def _event(self, event: hal.Event) -> None:
        if event.device_changed is not None:
            self._device(event.device_changed)
        elif event.read is not None:
            if event.device == self._scanner:
                self._post(CodeRead(event.read.text, event.read.aim), event.read.received_mono_ns)
        elif event.payment_progress is not None:
            progress = event.payment_progress
            self._post(on.PaymentProgressed(progress.payment_id, progress.progress.value, progress.text))
        elif event.payment_result is not None:
            self._post(result(event.seq, event.payment_result))
        elif event.payment_ended is not None:
            ended = event.payment_ended
            self._post(on.PaymentEnded(ended.payment_id, ended.standing.value, ended.receipt_lines))
        elif event.payment_lost is not None:
            lost = event.payment_lost
            self._post(on.PaymentLost(lost.payment_id, lost.sent, lost.reason))
        elif event.print_ended is not None:
            printed = event.print_ended
            self._printed(printed.job_id, printed.outcome.value, printed.reason)

    # To the daemon

    async def _prepare(self, tender_id: str) -> None:
        try:
            await self._terminal_held()
            witness = await self.client.prepare(self._terminal)
        except (HalGone, VarlinkErrorReply) as error:
            self._post(on.TerminalNotPrepared(tender_id, _reason(error)))
        else:
            self._post(on.TerminalPrepared(tender_id, witness, self._wall_ms()))

    async def _charge(self, charge: do.Charge) -> None:
        tender_id = charge.tender_id
        try:
            answer = await self.client.authorise(
                self._terminal, tender_id, charge.amount_minor, charge.currency, charge.witness
            )
        except VarlinkErrorReply as error:  # refused before anything was sent
            self._post(on.PaymentLost(tender_id, sent=False, reason=_reason(error)))
        except HalGone as error:  # nobody knows whether it was carried out
            self._post(on.PaymentLost(tender_id, sent=True, reason=_reason(error)))
        else:
            if answer.state is hal.PaymentState.in_progress:
                self._post(on.ChargeSent(tender_id))
            else:
                self._post(queried(tender_id, answer, self._wall_ms()))

    async def _confirm(self, tender_id: str, seq: int) -> None:
        try:
            await self.client.confirm(self._terminal, tender_id, seq)
        except (HalGone, VarlinkErrorReply) as error:
            _log.warning("payment %s was not confirmed: %s", tender_id, _reason(error))
            self._post(on.ConfirmFailed(tender_id))

    async def _abort(self, tender_id: str) -> None:
        try:
            await self.client.abort(self._terminal, tender_id)
        except (HalGone, VarlinkErrorReply) as error:
            _log.warning("payment %s was not aborted: %s", tender_id, _reason(error))

    async def _query(self, query: do.QueryPayment) -> None:
        tender_id = query.tender_id
        if tender_id in self._querying:
            return  # the answer under way is as good
        self._querying.add(tender_id)
        try:
            await self._terminal_held()
            answer = await self.client.query(
                self._terminal, tender_id, query.amount_minor, query.currency, query.witness
            )
        except (HalGone, VarlinkErrorReply) as error:
            detail = _reason(error)
            answer = hal.PaymentAnswer(hal.PaymentState.unreachable, 0, None, detail)
        finally:
            self._querying.discard(tender_id)
        self._post(queried(tender_id, answer, self._wall_ms()))

    async def _reverse(self, reversal: do.Reverse) -> None:
        """Asked once by this process: when the core asks again, since an answer could not be recorded, it gets the
        answer that there was. Nothing is sent while the terminal is not ready, which is waited for a moment."""
        known = self._reversal
        if known is not None and known.reversal_id == reversal.reversal_id:
            if known.answer is not None:
                self._post(known.answer)
            return
        self._reversal = mine = _Reversal(reversal.reversal_id)
        outcome, detail = await self._reversed(reversal)
        mine.answer = on.ReversalEnded(reversal.tender_id, reversal.reversal_id, outcome, detail)
        self._post(mine.answer)

    async def _reversed(self, reversal: do.Reverse) -> tuple[Literal["reversed", "refused", "unknown"], str]:
        deadline = asyncio.get_running_loop().time() + REVERSE_READY_S
        while True:
            try:
                await self._terminal_held()
                answer = await self.client.reverse(
                    self._terminal,
                    reversal.tender_id,
                    reversal.reversal_id,
                    reversal.receipt_no,
                    reversal.amount_minor,
                    reversal.currency,
                )
            except NotReady as error:
                if asyncio.get_running_loop().time() >= deadline:
                    return "refused", _reason(error)
                await asyncio.sleep(REVERSE_AGAIN_S)
            except VarlinkErrorReply as error:
                return "refused", _reason(error)
            except HalGone as error:  # nobody knows whether it was carried out
                return "unknown", _reason(error)
            else:
                return _REVERSED.get(answer.state, "unknown"), answer.detail

    async def _terminal_held(self) -> None:
        """A daemon that has just come tells its events before the terminal is claimed again. When the time is over
        the call itself says what is missing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_S):
                await self.client.held(self._terminal)

    async def reconcile(self, no: int) -> Totals:
        """The acquirer's end of day, once per day number. Never raises; up to some minutes."""
        try:
            await self._terminal_held()
            answer = await self.client.reconcile(self._terminal, f"day-{no}")
        except (HalGone, VarlinkErrorReply) as error:
            return Totals("unreachable", detail=_reason(error))
        return Totals(
            answer.state.value,
            answer.amount_minor,
            answer.currency,
            answer.count,
            answer.first_receipt,
            answer.last_receipt,
            tuple((one.name, one.count, one.amount_minor) for one in answer.schemes),
            tuple(answer.lines),
            answer.detail,
        )

    async def _print(self, job: do.PrintReceipt) -> None:
        try:
            profile = await self.client.profile(self._printer)
            data = await asyncio.to_thread(self._encode, job.document, profile, copy=job.copy)
            self._sent[job.job_id] = _digested(data, profile)
        except (HalGone, VarlinkErrorReply) as error:
            self._post(on.ReceiptPrintEnded(job.job_id, "failed", _reason(error)))
            return
        except Exception:  # noqa: BLE001 - whatever the document holds, the customer must not wait for it for ever
            _log.exception("the receipt of job %s cannot be encoded", job.job_id)
            self._post(on.ReceiptPrintEnded(job.job_id, "failed", "unprintable"))
            return
        try:
            state = await self.client.print(self._printer, job.job_id, data)
        except VarlinkErrorReply as error:
            self._post(on.ReceiptPrintEnded(job.job_id, "failed", _reason(error)))
        except HalGone as error:
            self._printed(job.job_id, "uncertain", _reason(error))
        else:
            self._job(job.job_id, state)

    async def _ask_print(self, job_id: str) -> None:
        try:
            self._job(job_id, await self.client.job(self._printer, job_id))
        except (HalGone, VarlinkErrorReply) as error:
            # Asked again when the daemon is back; the customer is not kept waiting for it.
            self._post(on.ReceiptPrintEnded(job_id, "uncertain", _reason(error)))

    def _job(self, job_id: str, state: hal.JobState) -> None:
        match state:
            case hal.JobState.printing:
                return
            case hal.JobState.printed:
                self._printed(job_id, "printed", "")
            case hal.JobState.failed:
                self._printed(job_id, "failed", "failed")
            case hal.JobState.uncertain | hal.JobState.unknown:
                self._printed(job_id, "uncertain", state.value)

    def _printed(self, job_id: str, outcome: Literal["printed", "failed", "uncertain"], reason: str) -> None:
        # What is in doubt may still be told to have been printed.
        job = self._sent.get(job_id) if outcome == "uncertain" else self._sent.pop(job_id, None)
        self._post(on.ReceiptPrintEnded(job_id, outcome, reason, job))


def _digested(data: bytes, profile: hal.PrinterProfile) -> on.PrintedJob:
    return on.PrintedJob(
        sha256(data).hexdigest(), profile.dots, profile.columns, profile.code_pages, profile.cutter, profile.qr
    )


def _reason(error: Exception) -> str:
    """A stable word for the record; the details go to the log."""
    if isinstance(error, NotReady):
        return str(error.parameters.get("reason", "not_ready"))
    if isinstance(error, HalGone):
        return "hal_gone"
    _log.error("the hardware daemon refused: %s", error)
    return str(getattr(error, "name", "error")).rpartition(".")[2]
