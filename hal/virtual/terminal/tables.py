"""Codes of PA00P015 rev. 13.08 that the virtual terminal uses, with the texts on its display."""

from typing import Final

# Intermediate status (04 FF), table of codes in the clause on that command.
INSERT_CARD: Final = 0x0A
PLEASE_WAIT: Final = 0x0E
WAITING_FOR_HOST: Final = 0x04
AUTO_REVERSAL: Final = 0x05
DECLINED: Final = 0x1D
NOT_ACCEPTED: Final = 0x03
APPROVED: Final = 0x1C

STATUS_TEXTS: Final = {
    INSERT_CARD: "Insert or tap card",
    PLEASE_WAIT: "Please wait…",
    WAITING_FOR_HOST: "Authorising…",
    AUTO_REVERSAL: "Reversing…",
    DECLINED: "Declined",
    NOT_ACCEPTED: "Cancelled",
    APPROVED: "Approved",
}

# Error messages: the table of that name. 01–63 come from the card's host; 05 is its plain refusal.
DECLINED_BY_HOST: Final = 0x05
NOT_REGISTERED: Final = 0x6B
ABORTED: Final = 0x6C  # "abort via time-out or abort-key"
WRONG_CURRENCY: Final = 0x6F
NOT_POSSIBLE: Final = 0x83  # "function not possible"
PROTOCOL_ERROR: Final = 0x9A
BUSY: Final = 0x9C  # "please wait"
ALREADY_REVERSED: Final = 0xB4
REVERSAL_NOT_POSSIBLE: Final = 0xB5
AMOUNT_TOO_SMALL: Final = 0xC8

# Config byte of the registration (06 00).
ECR_PRINTS: Final = 0x02
WANTS_STATUS: Final = 0x08
PT_COMPOSES: Final = 0x80

ISO_4217: Final = {
    978: "EUR",
    208: "DKK",
    975: "BGN",
    901: "TWD",
    156: "CNY",
    752: "SEK",
    578: "NOK",
    826: "GBP",
}
EXPONENTS: Final = {"TWD": 0, "JPY": 0}


def money(amount_minor: int, currency: int) -> str:
    """For the terminal's own display and receipt."""
    name = ISO_4217.get(currency, f"{currency:03d}")
    exponent = EXPONENTS.get(name, 2)
    if not exponent:
        return f"{amount_minor} {name}"
    return f"{amount_minor // 10**exponent}.{amount_minor % 10**exponent:0{exponent}d} {name}"
