"""Options of a serial barcode scanner in `hal.toml`."""

from typing import Annotated, Literal

from msgspec import Meta

from hal.drivers.options import AbsolutePath, DeviceOptions


class SerialScannerOptions(DeviceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: AbsolutePath
    """By stable identity, `/dev/serial/by-id/…`: ttyUSB numbers change with the order of plugging."""
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    double_read_s: Annotated[float, Meta(ge=0.0, le=5.0)] = 0.4
    char_gap_s: Annotated[float, Meta(ge=0.02, le=2.0)] = 0.1
    beep: Annotated[str, Meta(max_length=64, pattern="^([0-9a-fA-F]{2})*$")] = ""
    """Bytes in hexadecimal that make this model beep, for Identify; they differ between makers."""

    @property
    def watched_path(self) -> str | None:
        return self.path
