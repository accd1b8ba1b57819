"""What we say to the terminal, as bytes (PA00P015 rev. 13.08, chapter 2)."""

from hal.drivers.terminal.zvt.codec.apdu import MAX_DATA_BYTES, Apdu
from hal.drivers.terminal.zvt.codec.tlv import encode

ACK = bytes(Apdu(0x8000, b""))
PAYMENT_TYPE_TERMINAL_DECIDES = 0x40
"""Table 4: payment according to the terminal's decision, GeldKarte excluded."""

_CUSTOMER_RECEIPTS_ONLY = 0xC0
"""Tag 1F04: a customer's receipt for a good and for a bad end, none for the merchant: a lane files no paper."""


def password_bcd(password: str) -> bytes:
    """Six digits (1.2). ValueError otherwise."""
    if len(password) != 6 or not (password.isascii() and password.isdecimal()):
        raise ValueError("the terminal's password must be six digits")
    return bytes.fromhex(password)


def amount_bcd(amount_minor: int) -> bytes:
    """Twelve digits of minor units (BMP 04). ValueError outside 0 to 999,999,999,999."""
    if not 0 <= amount_minor <= 999_999_999_999:
        raise ValueError("the amount must be of at most twelve digits of minor units")
    return bytes.fromhex(f"{amount_minor:012d}")


def registration(password: str, config_byte: int, currency: str, line_width: int) -> bytes:
    """06 00 (2.1). `currency` is four digits. Print blocks are asked for because only they say for whom a receipt
    is; a terminal that cannot uses print lines."""
    container = (
        encode(0x26, encode(0x0A, b"\x06\xd3"))
        + encode(0x12, bytes.fromhex(f"{line_width:02d}"))
        + encode(0x1A, MAX_DATA_BYTES.to_bytes(2, "big"))
        + encode(0x1F04, bytes([_CUSTOMER_RECEIPTS_ONLY]))
    )
    data = password_bcd(password) + bytes([config_byte]) + bytes.fromhex(currency) + encode(0x06, container)
    return bytes(Apdu(0x0600, data))


def authorisation(amount_minor: int, currency: str, payment_type: int = PAYMENT_TYPE_TERMINAL_DECIDES) -> bytes:
    """06 01 (2.2.1)."""
    data = b"\x04" + amount_bcd(amount_minor) + b"\x49" + bytes.fromhex(currency) + b"\x19" + bytes([payment_type])
    return bytes(Apdu(0x0601, data))


def reversal(password: str, receipt_no: str, amount_minor: int, currency: str) -> bytes:
    """06 30 (2.9). The terminal looks the payment up by receipt number and checks the amount."""
    if len(receipt_no) > 4 or not (receipt_no.isascii() and receipt_no.isdecimal()):
        raise ValueError("the terminal's receipt number must be of one to four digits")
    data = password_bcd(password) + b"\x87" + bytes.fromhex(receipt_no.zfill(4))
    data += b"\x04" + amount_bcd(amount_minor) + b"\x49" + bytes.fromhex(currency)
    return bytes(Apdu(0x0630, data))


def repeat_receipt(password: str) -> bytes:
    """06 20 with service byte 03: send the status information of the last transaction, print nothing (Table 5)."""
    return bytes(Apdu(0x0620, password_bcd(password) + b"\x03\x03"))


def status_enquiry(password: str) -> bytes:
    """05 01 (2.56)."""
    return bytes(Apdu(0x0501, password_bcd(password)))


def end_of_day(password: str) -> bytes:
    """06 50 (2.16): the acquirer's settlement."""
    return bytes(Apdu(0x0650, password_bcd(password)))


def abort() -> bytes:
    """06 B0 (2.23)."""
    return bytes(Apdu(0x06B0, b""))


def negative(code: int) -> bytes:
    """84 xx (PA00P016, 5.2.3)."""
    return bytes(Apdu(0x8400 | code, b""))


def display(text: str, seconds: int) -> bytes:
    """06 E0 (2.26) with one line of at most 20 characters and one beep."""
    line = text.encode("ascii", "replace")[:20]
    marks = bytes([0xF0 | len(line) // 10, 0xF0 | len(line) % 10])
    return bytes(Apdu(0x06E0, b"\xf0" + bytes([seconds]) + b"\xf1" + marks + line + b"\xf9\x01"))
