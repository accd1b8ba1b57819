"""A ZVT payment terminal over TCP (PA00P015 rev. 13.08, PA00P016). See `device.VirtualTerminal`."""

from hal.virtual.terminal.device import VirtualTerminal
from hal.virtual.terminal.line import DropAt
from hal.virtual.terminal.profile import OUTCOMES, Profile, Refused

__all__ = ["OUTCOMES", "DropAt", "Profile", "Refused", "VirtualTerminal"]
