"""The one translator. Formats come from the Unicode CLDR as Babel carries it."""

import datetime
import gettext
import io
import re
from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, parse_pattern

from kiosk.records.sale import Currency

LOCALES = Path(__file__).parent / "locale"

LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "da": "Dansk",
    "bg": "Български",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
}
"""Every language there is a catalogue for, by its BCP 47 tag, with its own name for itself."""

NO_BREAK = "\u00a0"
LETTER_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)")
"""CLDR's currencySpacing: a code such as DKK stands apart from the digits. Babel does not do this."""


def N_(text: str) -> str:
    """gettext's customary mark: the text is translatable, and `Translator.t` translates it when it is shown."""
    return text


def resolve(language: str) -> str:
    """The catalogue that serves this language code (`da`, `da-DK`, `zh-Hans`, `zh_TW`); English if none does."""
    code = language.replace("_", "-")
    if code in LANGUAGES:
        return code
    head, _, rest = code.partition("-")
    if head == "zh":
        return "zh-Hant" if rest in ("TW", "HK", "MO") or rest.startswith("Hant") else "zh-Hans"
    return head if head in LANGUAGES else "en"


def html_lang(language: str) -> str:
    """The BCP 47 tag for a `lang` attribute: `zh_Hans` is `zh-Hans`."""
    return language.replace("_", "-")


def pick(names: Mapping[str, str], language: str) -> tuple[str, str]:
    """(text, its language) of a name held by language code: the reader's, else English, else whichever is there."""
    for code in (language, html_lang(language), language.replace("-", "_"), "en"):
        if names.get(code):
            return names[code], code
    return next(((text, code) for code, text in names.items() if text), ("", language))


@cache
def translator(language: str) -> "Translator":
    """The translator for a language code. The first call per language reads its files (about 20 ms); later ones do
    not block."""
    code = resolve(language)
    return Translator(code) if code == language else translator(code)


class Translator:
    """Texts and formats of one language. `language` is a key of `LANGUAGES`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = Locale.parse(language, sep="-")
        self._texts = _texts(language)
        self.money = lru_cache(maxsize=8192)(self._money)
        self._money_patterns: dict[int, NumberPattern] = {}

    def t(self, text: str, **values: object) -> str:
        """The text in this language, its `{placeholders}` filled in."""
        found = self._texts.gettext(text)
        return found.format_map(values) if values else found

    def n(self, singular: str, plural: str, n: int, **values: object) -> str:
        """The form that this language uses for `n`; `{n}` is the number, formatted."""
        return self._texts.ngettext(singular, plural, n).format_map({"n": self.number(n), **values})

    def _money(self, amount_minor: int, currency: Currency) -> str:
        """An amount with as many decimals as the currency has at the till: `124,50 kr.`; never broken over lines."""
        amount = Decimal(amount_minor).scaleb(-currency.exponent)
        pattern = self._money_patterns.get(currency.exponent)
        if pattern is None:
            pattern = copy(parse_pattern(self.locale.currency_formats["standard"].pattern))
            pattern.frac_prec = (currency.exponent, currency.exponent)
            self._money_patterns[currency.exponent] = pattern
        text: str = pattern.apply(amount, self.locale, currency=currency.code, currency_digits=False)
        return LETTER_DIGIT.sub(NO_BREAK, text).replace(" ", NO_BREAK)

    def number(self, value: int, decimals: int = 0) -> str:
        """`value` x 10^-`decimals`, with all its decimals: (1250, 3) is 1,250 in Danish."""
        pattern = copy(parse_pattern(self.locale.decimal_formats[None].pattern))
        pattern.frac_prec = (decimals, decimals)
        return str(pattern.apply(Decimal(value).scaleb(-decimals), self.locale))

    def percent(self, basis_points: int) -> str:
        """2500 is 25 %; decimals only where there are any."""
        pattern = copy(parse_pattern(self.locale.percent_formats[None].pattern))
        pattern.frac_prec = (0, 2)
        return str(pattern.apply(Decimal(basis_points).scaleb(-4), self.locale)).replace(" ", NO_BREAK)

    def date(self, wall_ms: int, tzo_min: int = 0) -> str:
        """Date and time of day of a Unix time in milliseconds, at `tzo_min` minutes east of UTC."""
        zone = datetime.timezone(datetime.timedelta(minutes=tzo_min))
        moment = datetime.datetime.fromtimestamp(wall_ms / 1000, zone)
        return str(format_datetime(moment, "medium", tzinfo=zone, locale=self.locale))


def _texts(language: str) -> gettext.NullTranslations:
    merged: gettext.NullTranslations | None = None
    folder = language.replace("-", "_")  # gettext's way of writing the same
    for path in sorted((LOCALES / folder / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as lines:
            catalogue = read_po(lines, locale=folder, domain=path.stem, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        domain = gettext.GNUTranslations(compiled)
        if merged is None:
            merged = domain
        else:
            merged.add_fallback(domain)
    return merged or gettext.NullTranslations()
