"""What a lane keeps from one sale to the next. It stands in each record after which no sale is open, so that a restart
knows it without reading the journal any further back."""

import msgspec
from msgspec.structs import replace

from kiosk.core.report import Report
from kiosk.core.state import Adopted, Attendant, State


class Lasting(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields as in `State`. What later versions add has a default, so that older records are still read."""

    attendant: Attendant | None = None
    settings: Adopted = Adopted()
    refusals: tuple[int, ...] = ()
    recalled: tuple[str, ...] = ()
    day: Report | None = None
    z_no: int = 0
    grand_total_minor: int = 0
    reconcile_due: int = 0


def lasting(state: State) -> Lasting:
    return Lasting(**{name: getattr(state, name) for name in Lasting.__struct_fields__})


def with_lasting(state: State, kept: Lasting) -> State:
    return replace(state, **{name: getattr(kept, name) for name in Lasting.__struct_fields__})
