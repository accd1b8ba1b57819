"""The code of a suspended sale: what it holds, how large it gets, and that nothing hostile gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.core.basket import make_line, with_lines
from kiosk.core.slipcode import MAX_CHARS, Goods, Slip, TooLarge, decode, encode, fits
from kiosk.records.sale import Sale
from tests.core.checkout.script import DKK, Script, product

SALE_ID = "0123456789abcdef" * 2
WALL_MS = 1_795_000_000_000


def sale(*goods: tuple[int, int, int]) -> Sale:
    """Of (code, pieces, price)."""
    s = Script()
    s.scan()
    assert s.state.sale is not None
    made = replace(s.state.sale, sale_id=SALE_ID, lines=[])
    lines = [
        make_line(
            product(f"{code:014d}", price), line_id=f"{code}-{n}", currency=DKK, catalogue_version="20261121T120000Z-1"
        )
        for code, pieces, price in goods
        for n in range(pieces)
    ]
    return with_lines(replace(made, catalogue_version="20261121T120000Z-1"), lines)


def test_what_is_put_in_comes_out() -> None:
    code = encode(sale((5712345678906, 2, 1250), (5712345678913, 1, 995)), WALL_MS)
    assert code == (
        "KASSA1:2FAPL4N1AZS5KKWZRXA98BN3:HT7UI:DKK:20261121T120000Z-1:20W7R4MYI.2.YQ/20W7R4MYP.1.RN:" + code[-8:]
    )
    assert decode(code) == Slip(
        SALE_ID,
        WALL_MS // 60_000,
        "DKK",
        "20261121T120000Z-1",
        (Goods("05712345678906", 2, 1250), Goods("05712345678913", 1, 995)),
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 10**14 - 1), st.integers(1, 9), st.integers(0, 10**6)),
        min_size=1,
        max_size=20,
        unique_by=lambda one: one[0],
    )
)
def test_every_basket_of_counted_goods_comes_out_as_it_was(goods: list[tuple[int, int, int]]) -> None:
    made = sale(*goods)
    assert fits(made)
    slip = decode(encode(made, WALL_MS))
    assert slip is not None
    assert [(int(one.code), one.pieces, one.price_minor) for one in slip.goods] == goods


def test_thirty_products_fit_and_too_many_are_refused() -> None:
    thirty = sale(*((5_712_345_678_900 + n, 9, 99_999) for n in range(30)))
    assert len(encode(thirty, WALL_MS)) <= MAX_CHARS
    with pytest.raises(TooLarge, match="600"):
        encode(sale(*((5_712_345_678_900 + n, 9, 99_999) for n in range(40))), WALL_MS)


def test_what_was_taken_off_is_not_in_the_code() -> None:
    from kiosk.core import events as on

    s = Script()
    s.scan()
    s.scan(product("05712345678913", 995))
    s.play(on.AttendantIdentified("a-1", ("void",)), on.LineVoided("l1", ("v1",), "other"))
    assert s.state.sale is not None
    slip = decode(encode(replace(s.state.sale, sale_id=SALE_ID), WALL_MS))
    assert slip is not None
    assert [one.code for one in slip.goods] == ["05712345678913"]


CODE = encode(sale((5712345678906, 2, 1250), (5712345678913, 1, 995)), WALL_MS)


def test_no_prefix_and_no_single_change_of_a_code_is_a_code() -> None:
    for at in range(len(CODE)):
        assert decode(CODE[:at]) is None
        assert decode(CODE[:at] + ("0" if CODE[at] != "0" else "1") + CODE[at + 1 :]) is None
        assert decode(CODE + CODE[:at]) is None or at == 0


def resigned(text: str) -> str:
    """A text with a check that holds: what a forger makes."""
    import hashlib

    return f"{text}:{hashlib.sha256(text.encode()).hexdigest()[:8].upper()}"


HEAD = "KASSA1:12J8SMW6KZ0M6ATLBO47LEOCF:HARAYZ:DKK:v1"
FORGED = {
    "no goods": f"{HEAD}:",
    "a thousand pieces": f"{HEAD}:20W829UMI.RS.1",
    "pieces that add up to more": f"{HEAD}:" + "/".join(f"{n:X}.9Q.1" for n in range(2)),
    "no pieces": f"{HEAD}:20W829UMI.0.1",
    "a code of 15 digits": f"{HEAD}:ZZZZZZZZZZ.1.1",
    "a price beyond all": f"{HEAD}:20W829UMI.1.ZZZZZZZZZZ",
    "a sale id beyond 128 bits": "KASSA1:ZZZZZZZZZZZZZZZZZZZZZZZZZ9:HARAYZ:DKK:v1:20W829UMI.1.1",
    "a path for a version": "KASSA1:1:1:DKK:../../etc:20W829UMI.1.1",
    "a currency in small letters": "KASSA1:1:1:dkk:v1:20W829UMI.1.1",
    "a part more": f"{HEAD}:x:20W829UMI.1.1",
    "a sign": f"{HEAD}:20W829UMI.-1.1",
    "other digits": f"{HEAD}:20W829UMI.\u0661.1",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_code_is_none(name: str) -> None:
    assert decode(resigned(FORGED[name])) is None


@given(st.text(max_size=700))
def test_any_text_is_answered(text: str) -> None:
    assert decode("KASSA1:" + text) is None
    assert decode(resigned("KASSA1:" + text) if text.isascii() else text) is None or text.count(":") == 4
