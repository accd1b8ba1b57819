import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.web.brand import FALLBACK, brand_css, contrast

WHITE = (1.0, 1.0, 1.0)
PAPER = (0.945, 0.933, 0.91)


def colour(css: str, token: str) -> tuple[float, float, float]:
    match = re.search(rf"{token}:#(..)(..)(..);", css)
    assert match is not None
    red, green, blue = (int(part, 16) / 255 for part in match.groups())
    return red, green, blue


def test_contrast_by_the_standard() -> None:
    assert contrast(WHITE, (0.0, 0.0, 0.0)) == pytest.approx(21)


@given(st.integers(0, 0xFFFFFF))
def test_every_accent_becomes_readable(number: int) -> None:
    css = brand_css(f"#{number:06x}")
    assert contrast(colour(css, "--accent"), WHITE) >= 4.45  # rounding to 8 bits takes a little
    assert contrast(colour(css, "--accent-deep"), WHITE) >= 6.9
    assert contrast(colour(css, "--accent-text"), PAPER) >= 4.5


@pytest.mark.parametrize("bad", ["", "red", "#fff", "#12345g", "#0f6b4f;}body{display:none", "#0f6b4f\n"])
def test_no_colour_is_the_house_colour(bad: str) -> None:
    assert brand_css(bad) == brand_css(FALLBACK)
