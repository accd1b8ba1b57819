"""What this run of the daemon knows of its payments; nothing here is durable."""

from collections import OrderedDict
from dataclasses import dataclass

from hal.api.records import CardDetails, PaymentAnswer, PaymentState

KEPT = 256


@dataclass
class Payment:
    """One payment, from acceptance to its end.

    `state` is in_progress while it runs and until a confirmed approval has ended; unknown once it was lost.
    `result_seq` is the event that waits for a confirmation, 0 when none does.
    """

    payment_id: str
    amount_minor: int
    currency: str
    state: PaymentState = PaymentState.in_progress
    detail: str = ""
    card: CardDetails | None = None
    result_seq: int = 0
    confirmed: bool = False
    sent: bool = False
    abort_asked: bool = False

    @property
    def answer(self) -> PaymentAnswer:
        state = PaymentState.approved if self.card and self.result_seq else self.state
        shown = self.card if state in (PaymentState.approved, PaymentState.unknown) else None
        return PaymentAnswer(state, self.result_seq, shown, self.detail)


class Payments:
    """The last 256, the longest unused forgotten first; one that still runs is never forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Payment] = OrderedDict()

    def get(self, payment_id: str) -> Payment | None:
        return self._known.get(payment_id)

    def add(self, payment: Payment) -> None:
        self._known[payment.payment_id] = payment
        self._known.move_to_end(payment.payment_id)
        for old in [p for p in self._known.values() if p.state is not PaymentState.in_progress]:
            if len(self._known) <= KEPT:
                break
            del self._known[old.payment_id]
