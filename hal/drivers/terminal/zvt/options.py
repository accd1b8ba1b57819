"""Options of a ZVT card terminal in `hal.toml`."""

from typing import Annotated, Literal

from msgspec import Meta

from hal.drivers.options import DeviceOptions, Host, Port


class ZvtOptions(DeviceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: Host
    port: Port = 20007
    password: Annotated[str, Meta(pattern="^[0-9]{6}$")] = "000000"
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "DKK"
    profile: Literal["status", "print"] = "status"
    """What this model takes for the definitive acknowledgement: the status information, or also the print blocks."""
    line_width: Annotated[int, Meta(ge=16, le=64)] = 42
    """Characters of a line of the terminal's receipt text."""
    confirm_window_s: Annotated[float, Meta(ge=0.5, le=4.5)] = 4.0
    """How long a result waits for the kiosk's word. The terminal itself waits 5 s (T3) for its acknowledgement."""
    empty_codes: frozenset[Annotated[int, Meta(ge=0, le=255)]] = frozenset()
    """Error codes by which this model says that its record holds no transaction yet."""
