"""The issued receipt as bytes for the printer that is there."""

from hal.api.records import PrinterProfile
from kiosk.receipt.blocks import from_json
from kiosk.receipt.escpos import encode


def encode_receipt(document: str, profile: PrinterProfile, *, copy: bool) -> bytes:
    """ESC/POS bytes of an issued document. Blocking, up to some hundred milliseconds for CJK."""
    return encode(from_json(document), profile, copy=copy)
