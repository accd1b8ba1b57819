"""What is left of a card number: its last four digits."""

import re

_PAN = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_KEPT = 4


def mask_pan(nibbles: str) -> str:
    """BMP 22 as hex digits: E is a digit the terminal masked, D begins what follows the number, F pads
    (PA00P015, 13). Whatever the terminal shows, only the last four digits pass."""
    number = nibbles.upper().split("D")[0].rstrip("F")
    if len(number) < 2 * _KEPT:
        return "*" * len(number)
    tail = "".join(c if c.isdecimal() else "*" for c in number[-_KEPT:])
    return "*" * (len(number) - _KEPT) + tail


def scrub(text: str) -> str:
    """Text from the terminal without any run of 12 to 19 digits that passes the Luhn check, but for its last four.

    A misconfigured terminal prints full numbers on the merchant's receipt, and some on the customer's.
    """
    return _PAN.sub(lambda m: _hide(m.group()), text)


def _hide(run: str) -> str:
    digits = [int(c) for c in run if c.isdecimal()]
    if sum(_luhn(d, i) for i, d in enumerate(reversed(digits))) % 10:
        return run
    kept_from = len(digits) - _KEPT
    seen, out = 0, []
    for char in run:
        if char.isdecimal():
            out.append(char if seen >= kept_from else "*")
            seen += 1
        else:
            out.append(char)
    return "".join(out)


def _luhn(digit: int, place: int) -> int:
    doubled = digit * 2 if place % 2 else digit
    return doubled - 9 if doubled > 9 else doubled
