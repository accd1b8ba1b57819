"""The hardware daemon as the lane meets it: the contract of `hal.api`, its memory, and the terminal's line.

Calls arrive in the order they were made; those that must ask the terminal wait, and others overtake them.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.records.sale import CardReferences
from tests.torture.payment.terminal import Terminal

PaymentCall = do.PrepareTerminal | do.Charge | do.ConfirmPayment | do.AbortPayment | do.QueryPayment | do.Reverse
CURRENCY = "DKK"


def card(trace: int) -> CardReferences:
    return CardReferences("", "", "", str(trace), str(trace), "", "")


@dataclass
class Payment:
    """As the daemon remembers it."""

    tender: str
    amount_minor: int
    state: str = "in_progress"
    sent: bool = False
    result_seq: int = 0
    approved: bool = False
    confirmed: bool = False
    taken: bool = False
    authorised_minor: int = 0
    trace: int = 0

    def answer(self) -> on.PaymentQueried:
        state = "approved" if self.approved and self.result_seq else self.state
        told = state == "approved"
        return on.PaymentQueried(
            self.tender,
            state,  # type: ignore[arg-type]
            self.result_seq,
            self.authorised_minor if told else 0,
            CURRENCY if told else "",
            card(self.trace) if told else None,
            "",
        )


@dataclass
class Daemon:
    rng: random.Random
    terminal: Terminal
    up: bool = True
    line: bool = True
    seq: int = 0
    payments: dict[str, Payment] = field(default_factory=dict)
    reversals: dict[str, on.ReversalEnded | None] = field(default_factory=dict)
    running: Payment | do.Reverse | None = None
    """What has the terminal."""
    unsent: tuple[str, int, str] | None = None
    calls: deque[PaymentCall] = field(default_factory=deque)
    waiting: list[do.PrepareTerminal | do.QueryPayment | do.Reverse] = field(default_factory=list)
    stream: deque[on.Any] = field(default_factory=deque)
    answers: list[on.Any] = field(default_factory=list)

    # Calls

    def take_call(self) -> bool:
        if not self.up or not self.calls:
            return False
        call = self.calls.popleft()
        match call:
            case do.Charge():
                self._charge(call)
            case do.ConfirmPayment(tender_id, seq):
                if not self._confirm(tender_id, seq):
                    self.answers.append(on.ConfirmFailed(tender_id))
            case do.AbortPayment(tender_id):
                self._abort(tender_id)
            case _:
                self.waiting.append(call)
        return True

    def _charge(self, call: do.Charge) -> None:
        known = self.payments.get(call.tender_id)
        if known is not None:
            running = known.state == "in_progress"
            self.answers.append(on.ChargeSent(call.tender_id) if running else known.answer())
        elif not self.line or self.running is not None:
            self.answers.append(on.PaymentLost(call.tender_id, sent=False, reason="busy"))
        else:
            self.running = self.payments[call.tender_id] = Payment(call.tender_id, call.amount_minor)
            self.unsent = ("authorise", call.amount_minor, call.tender_id)
            self.answers.append(on.ChargeSent(call.tender_id))

    def _confirm(self, tender_id: str, seq: int) -> bool:
        payment = self.payments.get(tender_id)
        if payment is None or seq <= 0 or payment.result_seq != seq:
            return False
        running = payment.state == "in_progress"
        if running and not self.line:
            return False
        payment.confirmed, payment.result_seq = True, 0
        if running:
            self.terminal.down.append(("ack", 0, tender_id))
        return True

    def _abort(self, tender_id: str) -> None:
        payment = self.payments.get(tender_id)
        if payment is not None and payment is self.running and payment.sent and not payment.result_seq:
            self.terminal.down.append(("abort", 0, tender_id))

    def settle_waiting(self) -> bool:
        """One of the calls that wait gets its answer, if it can."""
        if not self.up or not self.waiting:
            return False
        call = self.rng.choice(self.waiting)
        answer = self._answer(call)
        if answer is None:
            return False
        self.waiting.remove(call)
        self.answers.append(answer)
        return True

    def _answer(self, call: do.PrepareTerminal | do.QueryPayment | do.Reverse) -> on.Any | None:
        match call:
            case do.PrepareTerminal(tender_id) if self._free():
                return on.TerminalPrepared(tender_id, "{}:{}".format(*self.terminal.last()), 1)
            case do.PrepareTerminal(tender_id):
                return on.TerminalNotPrepared(tender_id, "busy") if self.rng.random() < 0.3 else None
            case do.QueryPayment():
                return self._query(call)
            case do.Reverse():
                return self._reverse(call)

    def _free(self) -> bool:
        return self.line and self.running is None and self.terminal.quiet

    def _query(self, call: do.QueryPayment) -> on.Any | None:
        known = self.payments.get(call.tender_id)
        if known is not None and known.state != "unknown":
            return known.answer()
        if not self._free():
            unreachable = on.PaymentQueried(call.tender_id, "unreachable", 0, 0, "", None, "")
            return unreachable if self.rng.random() < 0.1 else None
        trace, amount = self.terminal.last()
        payment = known or Payment(call.tender_id, call.amount_minor)
        self.payments[call.tender_id] = payment
        payment.state = "unknown"
        if f"{trace}:{amount}" == call.witness:
            payment.state = "not_charged"
        elif call.witness and amount == call.amount_minor:
            payment.state, payment.approved = "approved", True
            payment.authorised_minor, payment.trace = amount, trace
        else:
            told = card(trace)
            return on.PaymentQueried(call.tender_id, "unknown", 0, amount, CURRENCY, told, "other_amount")
        return payment.answer()

    def _reverse(self, call: do.Reverse) -> on.Any | None:
        if call.reversal_id in self.reversals:
            return self.reversals[call.reversal_id]
        if not self.line or self.running is not None:
            refused = on.ReversalEnded(call.tender_id, call.reversal_id, "refused", "busy")
            return refused if self.rng.random() < 0.1 else None
        self.reversals[call.reversal_id] = None
        self.running = call
        self.terminal.down.append(("reverse", int(call.receipt_no or 0), call.tender_id))
        return None

    # The line

    def send(self) -> bool:
        """The first byte of an authorisation leaves."""
        if self.unsent is None or not isinstance(self.running, Payment):
            return False
        self.running.sent = True
        self.terminal.down.append(self.unsent)
        self.unsent = None
        return True

    def hear(self, word: str, number: int) -> None:
        """A message from the terminal."""
        running = self.running
        if isinstance(running, Payment):
            self._hear_payment(running, word, number)
        elif running is not None:
            self._hear_reversal(running, word)

    def _hear_payment(self, payment: Payment, word: str, number: int) -> None:
        payment.taken = payment.taken or payment.confirmed
        match word:
            case "approved":
                payment.authorised_minor, payment.approved = number, True
                payment.trace = self.terminal.last()[0] + 1
                payment.result_seq = self._emit_seq()
                told = card(payment.trace)
                self.stream.append(on.PaymentApproved(payment.tender, payment.result_seq, number, CURRENCY, told))
            case "print":
                self.terminal.down.append(("ack", 0, payment.tender))
            case "complete":
                payment.state = "approved"
                self.running = None
                self.stream.append(on.PaymentEnded(payment.tender, "stands", []))
            case "declined" | "cancelled" | "refused":
                outcome = "declined" if word == "declined" else "cancelled"
                payment.state, payment.result_seq = outcome, self._emit_seq()
                self.running = None
                seq = payment.result_seq
                self.stream.append(on.PaymentDeclined(payment.tender, seq, outcome, word, ""))  # type: ignore[arg-type]
            case _:
                raise NotImplementedError(word)

    def _hear_reversal(self, reversal: do.Reverse, word: str) -> None:
        match word:
            case "given_back" | "print":
                self.terminal.down.append(("ack", 0, ""))
            case "complete" | "already":
                self._end_reversal(reversal, "reversed")
            case "refused":
                self._end_reversal(reversal, "refused")
            case _:
                raise NotImplementedError(word)

    def _end_reversal(self, reversal: do.Reverse, outcome: Literal["reversed", "refused", "unknown"]) -> None:
        self.running = None
        ended = on.ReversalEnded(reversal.tender_id, reversal.reversal_id, outcome, "")
        self.reversals[reversal.reversal_id] = ended

    def _emit_seq(self) -> int:
        self.seq += 1
        return self.seq

    def cut(self) -> bool:
        """The line is lost: what was under way has its end as far as the daemon can know."""
        if not self.line:
            return False
        self.line = False
        self.terminal.line_lost()
        running, self.running, self.unsent = self.running, None, None
        if isinstance(running, Payment):
            self._break_off(running)
        elif running is not None:
            self._end_reversal(running, "unknown")
        return True

    def _break_off(self, payment: Payment) -> None:
        payment.result_seq = 0
        if not payment.confirmed:
            payment.state = "unknown" if payment.sent else "not_charged"
            self.stream.append(on.PaymentLost(payment.tender, payment.sent, "line_lost"))
        elif payment.taken and not self.terminal.print_final:
            payment.state = "approved"
            self.stream.append(on.PaymentEnded(payment.tender, "stands", []))
        else:
            payment.state = "unknown"
            self.stream.append(on.PaymentEnded(payment.tender, "unclear", []))

    def window_over(self) -> bool:
        """No confirmation in time: no acknowledgement; the line is dropped."""
        running = self.running
        waits = isinstance(running, Payment) and running.approved and running.result_seq > 0
        return waits and self.cut()

    # Ends

    def crash(self) -> None:
        """Killed: its memory is gone, and so is the line."""
        self.cut()
        self.up = False
        self.payments.clear()
        self.reversals.clear()
        self.stream.clear()

    def break_calls(self) -> list[on.Any]:
        """The lane's connections are gone: what its calls are told. Some had arrived, in their order, and some not."""
        arrived = self.rng.randint(0, len(self.calls)) if self.up else 0
        told = [gone(call) for call in (*self.waiting, *self.calls)]
        self.calls = deque(list(self.calls)[:arrived])
        self.waiting.clear()
        return [event for event in told if event is not None]


def gone(call: PaymentCall) -> on.Any | None:
    """What the lane takes an unanswered call for."""
    match call:
        case do.PrepareTerminal(tender_id):
            return on.TerminalNotPrepared(tender_id, "hal_gone")
        case do.Charge(tender_id=tender_id):
            return on.PaymentLost(tender_id, sent=True, reason="hal_gone")
        case do.ConfirmPayment(tender_id, _):
            return on.ConfirmFailed(tender_id)
        case do.QueryPayment(tender_id=tender_id):
            return on.PaymentQueried(tender_id, "unreachable", 0, 0, "", None, "hal_gone")
        case do.Reverse(tender_id=tender_id, reversal_id=reversal_id):
            return on.ReversalEnded(tender_id, reversal_id, "unknown", "hal_gone")
        case do.AbortPayment():
            return None
