"""One authorisation, from its first byte to its end (PA00P015 rev. 13.08, 2.2).

The terminal's answer is passed on first and acknowledged to the terminal only after `confirm`; the terminal takes an
unacknowledged payment back (2.2.8). What follows the acknowledgement is where the specification contradicts itself:

- 2.2.9: once the status information is acknowledged the payment stands, whatever happens to the completion.
- 2.2.8: where the terminal sends print lines, all of them must be acknowledged too, else it reverses.

Hence two profiles. "status" trusts 2.2.9: a line lost after the terminal took our acknowledgement leaves the payment
standing. That it took it shows in whatever it says next; an acknowledgement written to a dying line may never have
arrived (4.1), so without a word after it the end is unclear. "print" trusts 2.2.8: only the completion proves that
every print block arrived; a line lost before is unclear.
In both, 06 1E after the acknowledgement is unclear (2.2.9: the terminal ends so when the transaction failed, though it
may not take the payment back any more), unless the terminal first said in status information that it is undone: then
it is void. 06 B0 is sent only while the terminal waits for the card, at most once, and may be refused.
"""

import asyncio
from typing import Literal

from hal.api.records import (
    Outcome,
    PaymentEnded,
    PaymentLost,
    PaymentProgress,
    PaymentResult,
    PaymentState,
    Standing,
)
from hal.drivers.contract import Reporter
from hal.drivers.terminal.zvt import judge, words
from hal.drivers.terminal.zvt.codec import (
    Abort,
    Ack,
    Completion,
    Fields,
    Intermediate,
    Message,
    Nak,
    Print,
    Status,
    commands,
)
from hal.drivers.terminal.zvt.currency import numeric
from hal.drivers.terminal.zvt.memory import Payment
from hal.drivers.terminal.zvt.receipts import Receipts
from hal.drivers.terminal.zvt.session import Session
from hal.transports import DeviceGone

Profile = Literal["status", "print"]

_LOST_WORDS = {"no_answer": "no_answer", "protocol": "protocol"}


class Unsettled(Exception):
    """The terminal said something that is neither a clear approval nor a refusal, or no confirmation came: the line
    must be dropped without an acknowledgement. The argument is the word for `PaymentLost.reason`."""


def drop(payment: Payment, reporter: Reporter, reason: str) -> None:
    """The payment ends without a result we know."""
    payment.result_seq = 0
    payment.state = PaymentState.unknown if payment.sent else PaymentState.not_charged
    payment.detail = reason
    reporter.emit(PaymentLost(payment.payment_id, payment.sent, reason))


class PaymentRun:
    """Runs in the session's task; `Payment.confirmed` and `Payment.abort_asked` are its only inputs besides."""

    def __init__(
        self, session: Session, payment: Payment, reporter: Reporter, *, profile: Profile, confirm_window_s: float
    ) -> None:
        self._session = session
        self._payment = payment
        self._reporter = reporter
        self._profile = profile
        self._confirm_window_s = confirm_window_s
        self._receipts = Receipts()
        self._t4_s = session.timing.t4_s
        self._refused: int | None = None
        self._abort_sent = False
        self._approval: Fields | None = None
        self._taken = False
        self._undone = False

    async def run(self) -> None:
        """Ends when the terminal is idle again. DeviceGone when the line is lost or must be dropped; either way the
        payment has its end by then."""
        try:
            await self._authorise()
        except Unsettled as error:
            self._break_off(str(error))
            reason = "no_answer" if str(error) == "timeout" else "protocol"
            raise DeviceGone(reason, f"payment broken off: {error}") from error
        except DeviceGone as gone:
            self._break_off(_LOST_WORDS.get(gone.reason, "line_lost"))
            raise
        except asyncio.CancelledError:
            self._break_off("stopped")
            raise

    async def _authorise(self) -> None:
        payment, session = self._payment, self._session
        if session.gone:
            raise session.gone
        payment.sent = True  # from here on a byte may be on its way
        reply = await session.command(commands.authorisation(payment.amount_minor, numeric(payment.currency)))
        if isinstance(reply, Nak):
            self._refuse(reply.code)
            return
        fields = await self._await_approval()
        if fields is not None:
            await self._hold(fields)
            await self._follow()

    async def _await_approval(self) -> Fields | None:
        """Status information that approves; None when the terminal ended the payment otherwise."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._t4_s
        while True:
            message = await self._next(deadline, abort=True)
            match message:
                case None:
                    self._abort_sent = True
                    await self._session.send(commands.abort())
                case Status(fields):
                    if self._approves(fields):
                        return fields
                    self._refused = fields.result_code
                    await self._session.ack()
                    deadline = loop.time() + self._t4_s
                case Intermediate():
                    deadline = loop.time() + await self._progress(message)
                case Abort(code):
                    self._refuse(code if self._refused is None or code not in (0x00, 0xFF) else self._refused)
                    await self._session.ack()
                    return None
                case Completion():
                    self._end_without_approval()
                    await self._session.ack()
                    return None
                case _:
                    await self._other(message)

    async def _next(self, deadline: float, *, abort: bool = False) -> Message | None:
        def wishes_abort() -> bool:
            return abort and self._payment.abort_asked and not self._abort_sent and self._refused is None

        remaining_s = deadline - asyncio.get_running_loop().time()
        try:
            return await self._session.next(remaining_s, unless=wishes_abort)
        except TimeoutError as error:
            raise Unsettled("timeout") from error

    def _approves(self, fields: Fields) -> bool:
        """True for an approval, False for a refusal; Unsettled for anything that is not surely one of both."""
        if fields.result_code is None or fields.totals or fields.conflicting:
            raise Unsettled("unclear_status")
        if fields.result_code:
            return False
        if fields.currency not in ("", numeric(self._payment.currency)):
            raise Unsettled("wrong_currency")
        if fields.undecoded and fields.amount_minor is None:
            raise Unsettled("unclear_status")
        return True

    async def _progress(self, message: Intermediate) -> float:
        """Pass a step on; returns T4."""
        self._reporter.emit(PaymentProgress(self._payment.payment_id, words.progress(message.code), message.text))
        self._t4_s = self._session.t4(message, self._t4_s)
        await self._session.ack()
        return self._t4_s

    async def _other(self, message: Message) -> None:
        match message:
            case Ack() | Nak():  # the answer to 06 B0; whether it was granted, the end of the payment will tell
                return
            case Print():
                self._receipts.add(message)
                await self._session.ack()
            case _:
                await self._session.answer_unasked(message)

    def _refuse(self, code: int) -> None:
        outcome, reason = words.refusal(code, abort_asked=self._payment.abort_asked)
        self._payment.state = PaymentState[outcome.value]
        self._payment.detail = reason
        result = PaymentResult(self._payment.payment_id, outcome, reason, f"{code:02X}", None)
        self._payment.result_seq = self._reporter.emit(result)

    def _end_without_approval(self) -> None:
        if self._refused is None:
            drop(self._payment, self._reporter, "no_result")
        else:
            self._refuse(self._refused)

    async def _hold(self, fields: Fields) -> None:
        """Report the approval and wait for its confirmation. Nothing is sent meanwhile, for the terminal would take
        any 80 00 for the acknowledgement."""
        payment = self._payment
        self._approval = fields
        payment.card = judge.card_of(fields, payment.amount_minor, payment.currency)
        result = PaymentResult(payment.payment_id, Outcome.approved, "", "00", payment.card)
        payment.result_seq = self._reporter.emit(result)
        deadline = asyncio.get_running_loop().time() + self._confirm_window_s
        while message := await self._until_confirmed(deadline):
            if isinstance(message, Completion | Abort) or (isinstance(message, Status) and message.fields != fields):
                raise Unsettled("not_confirmed")  # the terminal gave up waiting
        await self._session.ack()

    async def _until_confirmed(self, deadline: float) -> Message | None:
        """What the terminal says meanwhile; None once confirmed, and Unsettled when that comes too late."""

        def confirmed() -> bool:
            return self._payment.confirmed

        try:
            return await self._session.next(deadline - asyncio.get_running_loop().time(), unless=confirmed)
        except TimeoutError as error:
            if confirmed():  # in the very last moment: the kiosk relies on it
                return None
            raise Unsettled("not_confirmed") from error

    async def _follow(self) -> None:
        """After the acknowledgement: receipts, card removal, and the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._t4_s
        while True:
            message = await self._next(deadline)
            self._taken = True
            match message:
                case Completion(fields):
                    self._end(Standing.unclear if self._undone or fields.result_code else Standing.stands)
                    await self._session.ack()
                    return
                case Abort():
                    self._end(Standing.void if self._undone else Standing.unclear)
                    await self._session.ack()
                    return
                case Status(fields):
                    self._check_repeated(fields)
                    await self._session.ack()
                    deadline = loop.time() + self._t4_s
                case Intermediate():
                    deadline = loop.time() + await self._progress(message)
                case None:
                    continue
                case _:
                    await self._other(message)

    def _check_repeated(self, fields: Fields) -> None:
        """Status information may come again, with more details or because our answer came late (2.2.6)."""
        first = self._approval
        if fields.result_code:
            self._undone = True
        elif first is None or (fields.trace, fields.receipt, fields.amount_minor, fields.currency) != (
            first.trace,
            first.receipt,
            first.amount_minor,
            first.currency,
        ):
            raise Unsettled("unclear_status")

    def _end(self, standing: Standing) -> None:
        ends = {
            Standing.stands: PaymentState.approved,
            Standing.void: PaymentState.not_charged,
            Standing.unclear: PaymentState.unknown,
        }
        self._payment.state = ends[standing]
        self._payment.detail = standing.value
        self._reporter.emit(PaymentEnded(self._payment.payment_id, standing, self._receipts.for_customer()))

    def _break_off(self, reason: str) -> None:
        payment = self._payment
        if payment.state is not PaymentState.in_progress:
            return  # it had its end; only the last acknowledgement did not get through
        if not payment.confirmed:
            drop(payment, self._reporter, reason)
        elif self._taken and self._profile == "status" and not self._undone and reason != "unclear_status":
            self._end(Standing.stands)
        else:
            self._end(Standing.unclear)
