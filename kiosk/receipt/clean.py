"""What may stand on a receipt: printable text only, whatever the catalogue, a terminal or a barcode brought.

Every text passes here twice: when a document is composed (so that what is journaled is clean) and when it is laid out
(so that a document from elsewhere is, too). What is left holds no control character, hence no printer command.
"""

import re
import unicodedata

MAX_TEXT = 400
"""Longest text in characters; more is cut. A product name of a real shop stays below 120."""

MAX_CODE = 600
"""Longest text of a QR code in characters: what 58 mm paper holds with modules that every scanner reads."""

# Cc controls, Cf invisible formatting (bidirectional overrides reorder amounts), Co and Cn without a glyph, Cs lone
# surrogates, Zl and Zp line breaks.
_UNPRINTABLE = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))
_MAX_MARKS = 2
_CARD_NUMBER = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_SHOWN_DIGITS = 4
NBSP = "\u00a0"


def clean(text: str) -> str:
    """`text` as one printable line: NFC, no controls, runs of blanks become one; no-break spaces stay."""
    return re.sub(" {2,}", " ", _printable(text)).strip(" ")


def clean_code(text: str) -> str:
    """What a symbol holds: as it is where it is printable, up to MAX_CODE. A code that is cut says something else, so
    the length of a line of text is no measure for it."""
    return text if len(text) <= MAX_CODE and is_clean(text) else clean(text)


def clean_columns(text: str) -> str:
    """As `clean`, but inner and leading blanks stay: lines a terminal has already set in columns."""
    return _printable(text.expandtabs(8)).rstrip(" ")


def clean_terminal_line(text: str) -> str:
    """A card terminal's receipt line. A full card number in it keeps its last four digits only (PCI DSS 4.0, 3.4).

    Card numbers carry a check digit (ISO/IEC 7812-1, annex B); application ids and references of that length do not.
    """
    return _CARD_NUMBER.sub(lambda found: _masked(found) if _checks(found[0]) else found[0], clean_columns(text))


def masked_pan(text: str) -> str:
    """The masked number as the terminal gave it; a full one that slipped through is masked here."""
    return _CARD_NUMBER.sub(_masked, clean(text))


def is_clean(text: str) -> bool:
    return all(unicodedata.category(char) not in _UNPRINTABLE for char in text)


def _checks(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and digits[0] != 0


def _masked(match: re.Match[str]) -> str:
    digits = sum(char.isdigit() for char in match[0])
    hidden = digits - _SHOWN_DIGITS
    out = []
    for char in match[0]:
        if char.isdigit():
            out.append("*" if hidden > 0 else char)
            hidden -= 1
        else:
            out.append(char)
    return "".join(out)


def _printable(text: str) -> str:
    out: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text[: MAX_TEXT * 2]):
        category = unicodedata.category(char)
        if category in _UNPRINTABLE:
            if category in ("Cc", "Zl", "Zp"):
                out.append(" ")
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MAX_MARKS or (marks and not out):
            continue
        out.append(" " if category == "Zs" and char != NBSP else char)
    return "".join(out[:MAX_TEXT])
