"""What the lane gives to a record's header: the impure fields, and those that stay the same."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Moment:
    """The impure fields of a record's header; see `kiosk.records.journal.Header` for units."""

    boot: str
    mono_us: int
    wall_ms: int
    tzo: int
    clk: str
    bday: str


class Stamp(Protocol):
    """Given by the lane: clock, identifiers, business day. `inc`: the random incarnation of this process."""

    @property
    def inc(self) -> str: ...

    def moment(self) -> Moment: ...

    def new_txn(self) -> str: ...


@dataclass(frozen=True)
class Context:
    """The header fields that stay the same while the journal is open."""

    tenant: str
    shop: str
    reg: str
    mode: str
    sw: str
