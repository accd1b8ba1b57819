"""Options of an ESC/POS receipt printer in `hal.toml`."""

from typing import Annotated, Literal

from msgspec import Meta

from hal.drivers.options import DeviceOptions, Host, Port


class EscposOptions(DeviceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the layout must know of the model stands here, for no printer tells all of it."""

    host: Host
    port: Port = 9100
    dots: Annotated[int, Meta(ge=128, le=1024)] = 576
    """Printable dots of a line: 576 for 80 mm paper, 384 for 58 mm."""
    columns: Annotated[int, Meta(ge=16, le=96)] = 48
    """Characters of a line in font A."""
    code_pages: Annotated[
        tuple[Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,20}$")], ...], Meta(min_length=1, max_length=32)
    ] = ("CP437",)
    """Code pages that were seen to come out right on this model; other text goes as dots."""
    cutter: bool = True
    qr: bool = True
    """Whether the printer draws QR codes itself (GS ( k)."""
    completion: Literal["process_id", "gs_r"] = "process_id"
    """How the printer tells that a job is on paper: by its process id (GS ( H), or by GS r 1 after a cut."""
