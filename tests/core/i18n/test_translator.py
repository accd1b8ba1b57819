import pytest

from kiosk.i18n import pick, resolve, translator
from kiosk.records.sale import Currency

KRONE = Currency("DKK", 2)
DOLLAR = Currency("TWD", 0)


@pytest.mark.parametrize(
    ("language", "amount_minor", "currency", "text"),
    [
        ("da", 12450, KRONE, "124,50\u00a0kr."),
        ("da", 124550, KRONE, "1.245,50\u00a0kr."),
        ("da", -5, KRONE, "-0,05\u00a0kr."),
        ("en", 12450, KRONE, "DKK\u00a0124.50"),
        ("bg", 124550, KRONE, "1\u00a0245,50\u00a0DKK"),
        ("zh-Hans", 12450, KRONE, "DKK\u00a0124.50"),
        ("zh-Hant", 1250, DOLLAR, "$1,250"),
        ("en", 0, Currency("EUR", 2), "€0.00"),
        ("en", 1, Currency("KWD", 3), "KWD\u00a00.001"),
    ],
)
def test_money(language: str, amount_minor: int, currency: Currency, text: str) -> None:
    assert translator(language).money(amount_minor, currency) == text


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("da", "da"),
        ("da-DK", "da"),
        ("zh-Hans", "zh-Hans"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh_TW", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("zh_Hans", "zh-Hans"),
        ("tlh", "en"),
        ("", "en"),
    ],
)
def test_resolve(code: str, language: str) -> None:
    assert resolve(code) == language
    assert translator(code).language == language


def test_plural_forms() -> None:
    assert translator("da").n("{n} item", "{n} items", 1) == "1 vare"
    assert translator("da").n("{n} item", "{n} items", 1200) == "1.200 varer"
    assert translator("zh-Hans").n("{n} item", "{n} items", 1) == "1 件商品"


def test_a_text_without_translation_is_english() -> None:
    assert translator("da").t("Zebra {n}", n=3) == "Zebra 3"


def test_a_value_is_never_a_placeholder() -> None:
    assert translator("en").t("Remove {item}", item="{shop} %s") == "Remove {shop} %s"


def test_formats() -> None:
    danish = translator("da")
    assert danish.number(1250, 3) == "1,250"
    assert danish.percent(2500) == "25\u00a0%"
    assert danish.percent(550) == "5,5\u00a0%"
    assert danish.date(1_790_000_000_000, 120) == "21. sep. 2026 16.13.20"


def test_pick() -> None:
    assert pick({"en": "Milk", "da": "Mælk"}, "da") == ("Mælk", "da")
    assert pick({"en": "Milk", "zh-Hans": "牛奶"}, "zh_Hans") == ("牛奶", "zh-Hans")
    assert pick({"en": "Milk"}, "bg") == ("Milk", "en")
    assert pick({"de": "Milch"}, "bg") == ("Milch", "de")
    assert pick({}, "bg") == ("", "bg")
