"""QR codes and Code 128 as modules: rows of true for dark."""

from functools import lru_cache

import qrcode
from barcode.codex import Code128

from kiosk.receipt.clean import MAX_CODE

QR_QUIET = 4
"""Modules of white around (ISO/IEC 18004, 6.3.8)."""
BARS_QUIET = 10
"""Modules of white on either side (ISO/IEC 15417, 4.2)."""
MAX_QR_TEXT = MAX_CODE
MAX_BARS_TEXT = 40


@lru_cache(maxsize=32)
def qr_modules(data: str) -> tuple[tuple[bool, ...], ...]:
    """The symbol without its quiet zone, error correction M. `data`: 1 to 600 characters, else ValueError."""
    if not 1 <= len(data) <= MAX_QR_TEXT:
        raise ValueError(f"QR code of {len(data)} characters; allowed: 1 to {MAX_QR_TEXT}")
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=0)
    code.add_data(data)
    code.make(fit=True)
    return tuple(tuple(bool(module) for module in row) for row in code.get_matrix())


def module_dots(modules: int, dots: int) -> int:
    """Dots per QR module for paper of `dots`: about 27 mm wide at 203 dpi, 3 to 8 dots, never wider than the paper."""
    return max(1, min(max(3, min(8, 216 // modules)), dots // (modules + 2 * QR_QUIET)))


@lru_cache(maxsize=32)
def bars_modules(data: str) -> tuple[bool, ...]:
    """Code 128 of printable ASCII without its quiet zones; empty when it cannot be said in it."""
    if not data.isascii() or not data.isprintable() or not 1 <= len(data) <= MAX_BARS_TEXT:
        return ()
    return tuple(module == "1" for module in Code128(data).build()[0])
