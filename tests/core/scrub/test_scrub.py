"""What counts as a card number in text from outside, and what does not."""

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.api.records import PaymentEnded, Standing
from hal.api.scrub import is_gtin, scrub, scrubbed

STAR_16 = "*" * 16
CARDS: dict[str, tuple[str, str]] = {
    "together": ("4111111111111111", STAR_16),
    "in blocks": ("4111 1111 1111 1111", "**** **** **** ****"),
    "with dashes": ("5500-0055-5555-5559", "****-****-****-****"),
    "with dots": ("4111.1111.1111.1111", "****.****.****.****"),
    "with hard blanks": ("4111\u00a01111\u00a01111\u00a01111", "****\u00a0****\u00a0****\u00a0****"),
    "in a sentence": ("KARTE:4111111111111111, OK", f"KARTE:{STAR_16}, OK"),
    "letters at both ends": ("PAN4111111111111111X", f"PAN{STAR_16}X"),
    "after other digits": ("ref 004111111111111111 end", f"ref 00{STAR_16} end"),
    "two of them": ("4111111111111111/5500005555555559", f"{STAR_16}/{STAR_16}"),
    "13 digits": ("Visa 4222222222222", "Visa *************"),
    "14 digits": ("Diners 30569309025904", "Diners **************"),
    "15 digits": ("Amex 3782 822463 10005", "Amex **** ****** *****"),
    "19 digits": ("UnionPay 6205500000000000004", "UnionPay *******************"),
    "Mastercard of the 2 series": ("2223000048400011", STAR_16),
    "full-width digits": ("4111111111111111".translate({ord(str(n)): 0xFF10 + n for n in range(10)}), STAR_16),
    "track 2": (";4111111111111111=25121010000012345678?", "*" * 39),
    "track 2 as in ZVT": ("4111111111111111D25121010000012345678", "*" * 37),
    "track 2 whose check digit is wrong": (";4111111111111112=2512101?", "*" * 26),
    "track 1": ("%B4111111111111111^DOE/JOHN^2512101000000000?", "*" * 45),
}
NO_CARDS = {
    "wrong check digit": "4111111111111112",
    "too short": "411111111111",
    "begins as no card does": "9999999999999995",
    "masked by the terminal": "4111********1111",
    "an id of ours": "5f4111111111111111aa0b9c1d2e3f40",
    "a hash of ours": "4111111111111111" * 3 + "a" * 16,
    "a fraction": "seconds=0.4111111111111111",
    "a time in milliseconds": "1767225600000",
    "a time": "2026-11-27 02:27:12.345678",
    "a sum": "12 x 4,50 = 54,00 EUR",
    "a terminal's numbers": "TID 62000123 TRACE 000123 RECEIPT 0042",
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_number_is_starred_out(case: str) -> None:
    text, expected = CARDS[case]
    assert scrub(text) == expected
    assert scrub(f"{text}\n{text}") == f"{expected}\n{expected}"


@pytest.mark.parametrize("case", NO_CARDS)
def test_what_is_none_is_left_alone(case: str) -> None:
    assert scrub(NO_CARDS[case]) == NO_CARDS[case]


@given(st.text(alphabet="0123456789 -=D^%;B?", max_size=60))
def test_scrubbed_once_is_scrubbed(text: str) -> None:
    once = scrub(text)
    assert len(once) == len(text)
    assert scrub(once) == once


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_surrounding_hides_a_card(before: str, after: str) -> None:
    if not before[-1:].isdecimal() and not before.endswith(".") and not after[:1].isdecimal():
        assert "4111111111111111" not in scrub(f"{before}4111111111111111{after}")


def test_a_product_code_is_a_typed_field() -> None:
    """4006381333931 is a pen; and one GTIN in ten passes Luhn too."""
    looks_like_a_card = "4000000000006"
    assert is_gtin("4006381333931")
    assert is_gtin(looks_like_a_card)
    assert scrubbed({"code": looks_like_a_card}) == {"code": looks_like_a_card}
    assert scrub(f"code {looks_like_a_card}") == "code *************"


def test_values_are_walked_and_copied_only_where_something_was_found() -> None:
    clean = PaymentEnded("id", Standing.stands, ["VISA", "**** 1111"])
    assert scrubbed(clean) is clean
    leaking = PaymentEnded("id", Standing.stands, ["VISA", "4111 1111 1111 1111"])
    assert scrubbed(leaking) == PaymentEnded("id", Standing.stands, ["VISA", "**** **** **** ****"])

    class Said(msgspec.Struct, frozen=True):
        texts: tuple[str, ...]
        more: dict[str, list[str]]
        amount_minor: int = 4111111111111111

    said = Said(("4111111111111111",), {"a": ["x", "4111111111111111"]})
    assert scrubbed(said) == Said((STAR_16,), {"a": ["x", STAR_16]})


LOGGING = """
import logging, sys, structlog
from hal.api.scrub import guard_stderr
guard_stderr()
guard_stderr()
structlog.configure(processors=[structlog.processors.JSONRenderer()],
                    logger_factory=structlog.PrintLoggerFactory(sys.stderr))
logging.basicConfig(level=logging.INFO)
logging.getLogger("a").info("stdlib %s", "4111 1111 1111 1111")
structlog.get_logger().info("structlog", text="4111111111111111")
try:
    raise ValueError("caught 4111-1111-1111-1111")
except ValueError:
    logging.getLogger("b").exception("it failed")
raise RuntimeError("crash ;4111111111111111=25121010000012345678?")
"""


def test_no_log_and_no_traceback_tells_one() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for said in ("stdlib ****", "structlog", "caught ****", "it failed", "RuntimeError: crash ****"):
        assert said in done.stderr
    digits = "".join(char for char in done.stderr if char.isdigit())
    assert "1111111" not in digits, done.stderr
