"""Bytes for the printer, kept free of real-time commands.

DLE EOT, DLE ENQ and DLE DC4 (Epson ESC/POS reference: "real-time commands") are acted on by the receiving side of the
printer the moment they arrive, image data or not: one such pair of pixels could open the drawer or drop the job.
"""

import re

from escpos.constants import DC4, DLE, ENQ, EOT, GS
from PIL import Image

MAX_BAND_DOTS = 240
"""Rows per image command. Below 256, so that the height's high byte stays zero; small printers buffer 32 KiB."""

_REAL_TIME: re.Pattern[bytes] = re.compile(re.escape(DLE) + b"[" + re.escape(EOT + ENQ + DC4) + b"]")


class UnsafeBytes(AssertionError):
    """A real-time command stands in the finished bytes: an error of this program; nothing was sent."""


def checked(data: bytes) -> bytes:
    """`data` itself. Raises UnsafeBytes if a real-time command stands in it."""
    found = _REAL_TIME.search(data)
    if found is not None:
        raise UnsafeBytes(f"real-time command {found[0].hex(' ')} at byte {found.start()}")
    return data


def safe_image_data(data: bytes) -> bytes:
    """Image bytes without real-time commands, of equal length: a dot is burned beside the lone one that 0x10 is.

    0x10 -> 0x18 widens a lone dot by one; no pair begins with 0x18, and none can be made with the byte before.
    """
    return _REAL_TIME.sub(lambda pair: b"\x18" + pair[0][1:], data)


def image_bands(picture: Image.Image) -> bytes:
    """`GS v 0` commands for a one-bit picture with ink set, white at its right left out. Width at most 2040 dots."""
    box = picture.getbbox()
    bytes_wide = max(1, ((box[2] if box else 1) + 7) // 8)
    if bytes_wide > 255:
        raise ValueError(f"picture of {picture.width} dots; allowed: 2040")
    out = bytearray()
    for top in range(0, picture.height, MAX_BAND_DOTS):
        rows = min(MAX_BAND_DOTS, picture.height - top)
        band = picture.crop((0, top, bytes_wide * 8, top + rows))
        header = b"".join((GS, b"v0", bytes((0, bytes_wide, 0, rows, 0))))
        out += header + safe_image_data(band.tobytes())
    return bytes(out)
