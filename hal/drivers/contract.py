"""What the supervisor asks of a driver, and what a driver may tell.

A driver object lives as long as the daemon and keeps its memory of jobs and payments; `serve` is the life of one
connection. The supervisor alone calls `serve` again, with backoff, after it ended.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from hal.api.records import (
    Condition,
    JobState,
    PaymentAnswer,
    PaymentEnded,
    PaymentLost,
    PaymentProgress,
    PaymentResult,
    PrintEnded,
    PrinterProfile,
    Read,
    ReconcileAnswer,
)


class Busy(Exception):
    """The device cannot take this now, and nothing was sent to it. `reason` is a word of `Device.reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAwaited(Exception):
    """No result of this payment and number waits for a confirmation."""


Part = Read | PaymentProgress | PaymentResult | PaymentEnded | PaymentLost | PrintEnded


class Reporter(Protocol):
    """The driver's line to the daemon. Calls never block and never fail."""

    def condition(
        self,
        condition: Condition,
        *,
        reason: str = "",
        advice: str = "",
        warnings: Sequence[str] = (),
        info: Mapping[str, str] | None = None,
    ) -> None:
        """State where the device stands; repeated equal statements make no event. `info` None keeps the last."""

    def emit(self, part: Part) -> int:
        """Publish one event; returns its seq."""


class Driver(Protocol):
    async def serve(self) -> None:
        """Open the device, report `opening`, then `ready`, and serve it until it is gone.

        Ends only by DeviceGone or cancellation, and leaves nothing open either way. Before it ends it settles what
        was under way: a print becomes failed or uncertain, a payment is reported lost.
        """

    async def identify(self) -> None:
        """Let the device show which one it is. Raises Busy."""


class ScannerDriver(Driver, Protocol):
    def enable(self, *, enabled: bool) -> None:
        """Whether reads are passed on."""


class PrinterDriver(Driver, Protocol):
    @property
    def profile(self) -> PrinterProfile: ...

    def print(self, job_id: str, data: bytes) -> JobState:
        """Begin a job, once per id. Raises Busy when the printer cannot print now, ValueError for data that it cannot
        take; the text of a ValueError is told to the caller."""

    def job(self, job_id: str) -> JobState: ...


class TerminalDriver(Driver, Protocol):
    """See `hal.api.interfaces.CardTerminal` for the meaning of each call. All raise Busy, and those with an amount
    ValueError for what the protocol cannot carry; its text is told to the caller. Nothing was sent either way."""

    async def prepare(self) -> str: ...

    def authorise(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer: ...

    def confirm(self, payment_id: str, seq: int) -> None:
        """Raises NotAwaited."""

    def abort(self, payment_id: str) -> None: ...

    async def query(self, payment_id: str, amount_minor: int, currency: str, witness: str) -> PaymentAnswer: ...

    async def reverse(
        self, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer: ...

    async def reconcile(self, reconcile_id: str) -> ReconcileAnswer: ...
