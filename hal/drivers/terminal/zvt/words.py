"""The terminal's codes in the daemon's words (PA00P015 rev. 13.08, Table 17, chapters 10 to 12)."""

from hal.api.records import Outcome, Progress

WRONG_PIN = 0x37
"""55 decimal. The terminal may ask for the PIN again after it, so it is not the end (2.2.6)."""

PLEASE_WAIT = frozenset({0x9C, 0xA0})
STOPPED = 0x6C
ALREADY_REVERSED = 0xB4
FUNCTION_NOT_POSSIBLE = 0x83

_CARD_REFUSED = frozenset(
    {0x64, 0x65, 0x67, 0x68, 0x6E, 0x71, 0x72, 0x73, 0x76, 0x78, 0x79, 0x7A, 0x7B, 0x7C, 0x7E}
    | {0xC3, 0xC5, 0xD2, 0xE9, 0xEA, 0xEC, 0xF1}
)


def refusal(code: int, *, abort_asked: bool) -> tuple[Outcome, str]:
    """Outcome and reason of a payment that was not approved."""
    if code == WRONG_PIN:
        return Outcome.declined, "wrong_pin"
    if 0x01 <= code <= 0x63 or code in _CARD_REFUSED:  # 01 to 63: codes of the authorising system
        return Outcome.declined, "card_declined"
    if code == STOPPED:  # one code for the stop key and for the terminal's own time-out
        return Outcome.cancelled, "aborted" if abort_asked else "customer_cancelled"
    if code in PLEASE_WAIT:
        return Outcome.cancelled, "terminal_busy"
    return Outcome.cancelled, "aborted" if abort_asked else "terminal_error"


_PROGRESS: dict[int, Progress] = {
    0x00: Progress.confirm_amount,
    0x01: Progress.enter_pin,
    0x02: Progress.enter_pin,
    0x03: Progress.declined,
    0x04: Progress.authorising,
    0x05: Progress.reversing,
    0x06: Progress.please_wait,
    0x07: Progress.declined,
    0x08: Progress.declined,
    0x09: Progress.declined,
    0x0A: Progress.present_card,
    0x0B: Progress.remove_card,
    0x0C: Progress.card_unreadable,
    0x0D: Progress.cancelled,
    0x0E: Progress.please_wait,
    0x0F: Progress.please_wait,
    0x10: Progress.declined,
    0x12: Progress.cancelled,
    0x13: Progress.declined,
    0x14: Progress.declined,
    0x15: Progress.wrong_pin,
    0x16: Progress.declined,
    0x17: Progress.please_wait,
    0x18: Progress.declined,
    0x19: Progress.card_unreadable,
    0x1B: Progress.approved,
    0x1C: Progress.approved,
    0x1D: Progress.declined,
    0x28: Progress.please_wait,
    0x29: Progress.please_wait,
    0x2A: Progress.insert_card,
    0x2B: Progress.please_wait,
    0x2C: Progress.please_wait,
    0xC9: Progress.please_wait,
    0xCA: Progress.please_wait,
    0xCC: Progress.try_other_interface,
    0xD2: Progress.connecting,
    0xD3: Progress.connecting,
    0xF2: Progress.authorising,
    0xF3: Progress.authorising,
}


def progress(code: int) -> Progress:
    """Codes 41 to 69 are those of 01 to 29 with "please remove card" (Table 17): what the customer is to do counts,
    unless the first half says that it ended, or how."""
    if 0x41 <= code <= 0x5D:
        told = _PROGRESS.get(code - 0x40, Progress.other)
        endings = (Progress.declined, Progress.approved, Progress.cancelled, Progress.wrong_pin)
        return told if told in endings else Progress.remove_card
    return _PROGRESS.get(code, Progress.other)


SCHEMES: dict[int, str] = {
    5: "girocard",
    6: "Mastercard",
    8: "American Express",
    10: "Visa",
    11: "Visa Electron",
    12: "Diners",
    13: "V PAY",
    14: "JCB",
    46: "Maestro",
}

READY_STATUS = frozenset({0x00, 0xDC, 0xE1})
"""Ready; a card stands in the reader, which the next payment takes or ejects (11.1)."""

BUSY_STATUS = 0x9C
RECONCILE_STATUS = 0xF0

_ADVICE: dict[int, str] = {
    0x51: "Run the initialisation on the terminal.",
    0x62: "Set date and time on the terminal, or run its diagnosis.",
    0xB1: "The terminal's memory is full: run its end of day.",
    0xB2: "The terminal's journal is full: have it read out.",
    0xC2: "Run the diagnosis on the terminal.",
    0xF6: "The terminal must be personalised by its provider.",
}


def advice_for_status(code: int) -> str:
    """What a technician does about a terminal status other than ready."""
    return _ADVICE.get(code, f"The terminal reports status {code:02X}: restart it, then call its provider.")


def advice_for_refused_registration(code: int) -> str:
    """The terminal answered the registration with an error."""
    if code in (0x6F, 0xC6):
        return "The terminal does not know the configured currency: set the one it was opened for."
    return f"The terminal refused to register this lane (code {code:02X}): check the password and its ECR settings."
