"""The contract of a backend adapter: carry one batch, say in one word how it was taken."""

from dataclasses import dataclass
from typing import Protocol

from kiosk.records.identity import Acknowledgement
from kiosk.records.segment import SignedSegment


@dataclass(frozen=True)
class Capabilities:
    """Of the transport alone, whatever stands behind it. `ordered`: batches arrive in the order they are sent.
    `conditional`: a batch is taken only in its place. `deduplicating`: a batch sent again is not taken twice.
    `countersigns`: who takes a batch is who counter-signs it. Where that is false, the counter-signature comes from the
    cloud behind the broker, and what the broker itself acknowledges counts for nothing."""

    ordered: bool
    conditional: bool
    deduplicating: bool
    countersigns: bool


@dataclass(frozen=True)
class Accepted:
    """Not yet believed: the counter-signature is checked by who receives this."""

    ack: Acknowledgement


@dataclass(frozen=True)
class Gap:
    """The backend holds less than was assumed; `ack` is its head."""

    ack: Acknowledgement


@dataclass(frozen=True)
class Fork:
    """The backend holds another history; `ack` is its head, the evidence for the lane."""

    message: str
    ack: Acknowledgement | None = None


@dataclass(frozen=True)
class Stale:
    """The epoch was replaced: nothing more of it will ever be taken."""

    message: str


@dataclass(frozen=True)
class Denied:
    """The device is not let in."""

    message: str


@dataclass(frozen=True)
class Rejected:
    """The batch as it is will not be taken. `kind`: the backend's stable word."""

    kind: str
    message: str


@dataclass(frozen=True)
class TooLarge:
    pass


@dataclass(frozen=True)
class Busy:
    """The backend asks for patience. `retry_after_s` 0: it does not say how long."""

    retry_after_s: float
    message: str


@dataclass(frozen=True)
class Unreachable:
    """No answer: the batch may or may not have been taken."""

    message: str


@dataclass(frozen=True)
class Strange:
    """An answer that is not the backend's: a captive portal, a cut-off body."""

    message: str


Answer = Accepted | Gap | Fork | Stale | Denied | Rejected | TooLarge | Busy | Unreachable | Strange


class Backend(Protocol):
    """One batch at a time. `send` blocks, bounded by its own timeouts, and never raises for what a network does.
    `status` carries what the operator sees of the lane; it may be lost, and raises `Failed` when that is known."""

    @property
    def capabilities(self) -> Capabilities: ...

    def send(self, segment: SignedSegment) -> Answer: ...

    def status(self, body: bytes) -> None: ...

    def close(self) -> None: ...
