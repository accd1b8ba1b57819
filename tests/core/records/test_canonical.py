"""The canonical form against an independent implementation of RFC 8785, and what it refuses."""

import json
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kiosk.records.canonical import MAX_DEPTH, MAX_INTEGER, NotCanonical, canonical, parse

_keys = st.text(st.characters(max_codepoint=127), max_size=8)
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
_values = st.recursive(
    st.none() | st.booleans() | _integers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(_keys, _values, max_size=6)


@given(_objects)
def test_bytes_are_those_of_rfc_8785_and_come_back(value: dict[str, Any]) -> None:
    data = canonical(value)
    assert data == rfc8785.dumps(value)
    assert parse(data) == value


@given(_objects)
def test_no_other_writing_of_the_same_object_is_taken(value: dict[str, Any]) -> None:
    data = canonical(value)
    for other in (json.dumps(value).encode(), json.dumps(value, indent=1).encode(), data + b" ", b" " + data):
        if other != data:
            with pytest.raises(NotCanonical):
                parse(other)


_odd_texts = st.text('aN:å黑"\\\n,{', max_size=5)
_odd_values = st.recursive(
    _odd_texts | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_odd_texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_odd_texts, _odd_values, max_size=3))
def test_a_key_is_refused_if_and_only_if_it_is_not_ascii_wherever_it_stands(value: dict[str, Any]) -> None:
    data = msgspec.json.encode(value, order="sorted")
    if _all_keys(value).isascii():
        assert parse(data) == value
    else:
        with pytest.raises(NotCanonical, match="ASCII"):
            parse(data)


def _all_keys(value: object) -> str:
    if isinstance(value, dict):
        return "".join(key + _all_keys(item) for key, item in value.items())
    return "".join(map(_all_keys, value)) if isinstance(value, list) else ""


@given(st.text(max_size=4), st.integers(0, 0xD7FF))
def test_a_lone_surrogate_is_refused_wherever_it_stands(text: str, point: int) -> None:
    surrogate = text + chr(0xD800 + point % 0x800)
    for value in ({"a": surrogate}, {"a": [surrogate]}, {"a": {"b": surrogate}}):
        with pytest.raises(NotCanonical, match="surrogate"):
            canonical(value)
    with pytest.raises(NotCanonical):
        canonical({surrogate: 1})


REFUSED: dict[str, tuple[object, str]] = {
    "float": ({"a": 1.0}, "float"),
    "float in a list": ({"a": [1, 2.5]}, "float"),
    "infinity": ({"a": float("inf")}, "float"),
    "not a number": ({"a": float("nan")}, "float"),
    "integer above": ({"a": 2**53}, r"2\^53"),
    "integer below": ({"a": -(2**53)}, r"2\^53"),
    "integer far above": ({"a": 2**80}, r"2\^53"),
    "key not ASCII": ({"å": 1}, "ASCII"),
    "key no text": ({1: 1}, "ASCII"),
    "set of objects": ({"a": object()}, "cannot be encoded|object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_outside_the_form_is_refused(case: str) -> None:
    value, message = REFUSED[case]
    with pytest.raises(NotCanonical, match=message):
        canonical(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":9007199254740992}',
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\n',
        b'{"a":NaN}',
        b"{" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        parse(data)


def test_depth_is_bounded() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = {"a": value}
    canonical(value)
    with pytest.raises(NotCanonical, match="deeper"):
        canonical({"a": value})
