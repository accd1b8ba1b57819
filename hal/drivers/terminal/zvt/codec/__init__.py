"""ZVT as bytes and types: pure, both ways (PA00P015 rev. 13.08, PA00P016)."""

from hal.drivers.terminal.zvt.codec.apdu import MAX_DATA_BYTES, Apdu, ApduReader
from hal.drivers.terminal.zvt.codec.bmp import Fields
from hal.drivers.terminal.zvt.codec.messages import (
    Abort,
    Ack,
    Completion,
    Decoder,
    Intermediate,
    Message,
    Nak,
    Other,
    Print,
    Receipt,
    Status,
    decode,
)

__all__ = [
    "MAX_DATA_BYTES",
    "Abort",
    "Ack",
    "Apdu",
    "ApduReader",
    "Completion",
    "Decoder",
    "Fields",
    "Intermediate",
    "Message",
    "Nak",
    "Other",
    "Print",
    "Receipt",
    "Status",
    "decode",
]
