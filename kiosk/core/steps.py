"""What one step yields."""

import msgspec

from kiosk.core import effects as do
from kiosk.core.state import State


class Step(msgspec.Struct, frozen=True):
    """The next state and what to do about it, in order."""

    state: State
    effects: tuple[do.Any, ...] = ()


def stay(state: State) -> Step:
    """The event means nothing here."""
    return Step(state)
