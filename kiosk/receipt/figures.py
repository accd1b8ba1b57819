"""Numbers on a receipt: exact, in the customer's notation, without signs that a code page may lack."""

from functools import lru_cache

from kiosk.i18n import translator
from kiosk.receipt.clean import NBSP

# CLDR's minus and narrow spaces differ by language, and few code pages hold them.
_PLAIN = str.maketrans({"\u2212": "-", "\u202f": NBSP, "\u2009": NBSP, "\u200e": None, "\u200f": None})


@lru_cache(maxsize=4096)
def number_text(value: int, decimals: int, language: str) -> str:
    """`value` x 10^-`decimals`, all decimals shown, never broken over lines: (1250, 2, "da") is `12,50`."""
    return translator(language).number(value, decimals).translate(_PLAIN)


def trimmed_text(value: int, decimals: int, least: int, language: str) -> str:
    """As `number_text`, but zeros beyond `least` decimals are left out: a unit price finer than money."""
    while decimals > least and value % 10 == 0:
        value, decimals = value // 10, decimals - 1
    return number_text(value, decimals, language)


def percent_text(basis_points: int, language: str) -> str:
    return translator(language).percent(basis_points).translate(_PLAIN)


def moment_text(wall_ms: int, tzo_min: int, language: str) -> str:
    return translator(language).date(wall_ms, tzo_min).translate(_PLAIN).replace(NBSP, " ")
