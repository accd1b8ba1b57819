"""Card numbers and track data, found in text from outside and starred out. Pure, but for `guard_stderr`.

None may reach the journal, a log, a crash report, an export or the cloud, whatever a misconfigured terminal prints or
a scanner reads. Free text is scrubbed strictly: every run of 13 to 19 digits, together or with single blanks or dashes
between, that begins as cards do and has a right check digit by Luhn (ISO/IEC 7812-1), also inside a longer run; and
everything that has the form of track 1 or 2 (ISO/IEC 7813).

Product codes are typed fields, and some of them look like cards: a text that is a right GTIN as a whole, and nothing
else, is left alone by `scrubbed`. Ids of ours are hexadecimal and long; such a word is left alone too.
"""

import re
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TextIO, TypeVar, cast

import msgspec

_T = TypeVar("_T")
_MIN_DIGITS, _MAX_DIGITS = 13, 19
# Inside a longer run of digits, 13 and 14 are too often chance.
_MIN_INSIDE = 15

# Not after "0.": the digits of a fraction are no number on a card.
_RUN = re.compile(r"(?<!\d\.)(?<!\d)\d(?:[ \u00a0\t-]?\d){12,}|(?<!\d)\d{4}(?:\.\d{4}){3}(?!\d)")
_TRACK_1 = re.compile(r"%?[A-Z]\d[\d ]{11,18}\^[^^?\n]{2,26}\^[^?\n]{0,60}\??", re.IGNORECASE)
_TRACK_2 = re.compile(r"(?<!\d);?\d{12,19}[=D]\d{4,}\??", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{64})(?![0-9A-Za-z])")
_LONG_ENOUGH = re.compile(r"\d(?:[^0-9]?\d){11}")

# How numbers of 15 digits and more begin: travel, banks, trade; Mir and newer Mastercard; JCB; RuPay; Troy.
_BEGINS = re.compile(r"[3-6]|2131|1800|220[0-4]|22[2-9]|2[3-6]|27[01]|2720|8[12]|9792")
_BEGINS_13 = re.compile("4")
_BEGINS_14 = re.compile("30[0-5]|3[689]")


def scrub(text: str) -> str:
    """The text with every digit of a card number, and every character of track data, as a star. Same length."""
    if len(text) < _MIN_DIGITS or _LONG_ENOUGH.search(text) is None:
        return text
    ids = [found.span() for found in _HEXADECIMAL.finditer(text)]
    for track in (_TRACK_1, _TRACK_2):
        text = track.sub(lambda found: found.group() if _within(found.span(), ids) else "*" * len(found.group()), text)
    return _RUN.sub(lambda found: found.group() if _within(found.span(), ids) else _without_cards(found.group()), text)


def scrubbed(value: _T) -> _T:
    """The same value with every text in it scrubbed that is not a right GTIN as a whole: structs, dataclasses, lists,
    tuples and mappings are walked. What holds nothing of the kind is returned as it is, not copied."""
    return cast(_T, _scrubbed(value))


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return value if is_gtin(value) else scrub(value)
    if isinstance(value, msgspec.Struct):
        changed = _changed({name: getattr(value, name) for name in value.__struct_fields__})
        return msgspec.structs.replace(value, **changed) if changed else value
    if is_dataclass(value) and not isinstance(value, type):
        changed = _changed({field.name: getattr(value, field.name) for field in fields(value)})
        return replace(value, **changed) if changed else value
    if isinstance(value, list | tuple):
        items = [_scrubbed(item) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if isinstance(value, Mapping):
        changed = _changed(value)
        return {**value, **changed} if changed else value
    return value


def _changed(parts: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: new for name, old in parts.items() if (new := _scrubbed(old)) is not old}


def is_gtin(text: str) -> bool:
    """Whether the text is a GTIN of 8, 12, 13 or 14 digits with a right check digit (GS1 General Specifications 7.9),
    and nothing else."""
    if len(text) not in (8, 12, 13, 14) or not (text.isascii() and text.isdigit()):
        return False
    total = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(reversed(text[:-1])))
    return (total + int(text[-1])) % 10 == 0


def _within(span: tuple[int, int], ids: list[tuple[int, int]]) -> bool:
    return any(first <= span[0] and span[1] <= end for first, end in ids)


def _without_cards(run: str) -> str:
    places = [at for at, char in enumerate(run) if char.isdecimal()]
    digits = "".join(str(unicodedata.digit(run[at])) for at in places)
    starred = set[int]()
    for first in range(len(digits) - _MIN_DIGITS + 1):
        for length in range(min(_MAX_DIGITS, len(digits) - first), _MIN_DIGITS - 1, -1):
            if (length >= _MIN_INSIDE or length == len(digits)) and _is_card(digits[first : first + length]):
                starred.update(places[first : first + length])
    return "".join("*" if at in starred else char for at, char in enumerate(run))


def _is_card(digits: str) -> bool:
    begins = {13: _BEGINS_13, 14: _BEGINS_14}.get(len(digits), _BEGINS)
    if begins.match(digits) is None:
        return False
    total = 0
    for at, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + at % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


class _Guarded:
    """A text stream that scrubs what is written to it; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(scrub(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_stderr() -> None:
    """From now on nothing leaves this process by its log unscrubbed: not by logging or structlog, which both end
    there, and not by a traceback. Call it first; a second call changes nothing."""
    if not isinstance(sys.stderr, _Guarded):
        sys.stderr = cast(TextIO, _Guarded(sys.stderr))
