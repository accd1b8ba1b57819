"""Canonical JSON: the restricted form of RFC 8785 (JCS) that every signed thing of Kassa uses.

Restricted: integers within +-(2^53 - 1), no floats, keys of ASCII, strings of valid Unicode (no lone surrogates).
In that subset the canonical bytes are unique, and `parse` refuses anything whose bytes are not canonical.
"""

from collections.abc import Iterable
from typing import Annotated, Any, cast

import msgspec

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32

# What is nested deeper than any record of ours goes the slow way.
_TYPED_DEPTH = 12

# RFC 8785 section 3.2.2.2 wants the short escapes for \b \t \n \f \r, which msgspec writes as well, and sorts keys by
# UTF-16 code units, which for ASCII is plain order.
_encoder = msgspec.json.Encoder(order="sorted")


class NotCanonical(ValueError):
    """The value or the bytes are outside the restricted canonical form."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a value of dict, list, str, int, bool and None. Raises NotCanonical."""
    try:
        plain = msgspec.to_builtins(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotCanonical(f"cannot be encoded: {error}") from None
    _check(plain, 0)
    try:
        return _encoder.encode(plain)
    except UnicodeEncodeError:
        raise NotCanonical("holds a lone surrogate") from None
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise NotCanonical(f"cannot be encoded: {error}") from None


def parse(data: bytes) -> dict[str, Any]:
    """The object in `data`, which must be canonical to the byte. Raises NotCanonical."""
    try:
        value = _decoder.decode(data)
        if not data.isascii():
            _check_keys(value)
    except (msgspec.ValidationError, _Doubtful):
        return _parse_slowly(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotCanonical(f"is no JSON: {error}") from None
    if _encoder.encode(value) != data:
        raise NotCanonical("is not in canonical form (RFC 8785)")
    return cast(dict[str, Any], value)


def _parse_slowly(data: bytes) -> dict[str, Any]:
    """As `parse`; for what is refused most likely, and then says why."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotCanonical(f"is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise NotCanonical("is not a JSON object")
    if canonical(value) != data:
        raise NotCanonical("is not in canonical form (RFC 8785)")
    return cast(dict[str, Any], value)


def _restricted() -> Any:
    """The form as a type, so that the decoder itself refuses what is outside of it; only keys are left to look at."""
    scalar = None | bool | Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | str
    value: Any = scalar
    for _ in range(_TYPED_DEPTH):
        value = scalar | list[value] | dict[str, value]
    return dict[str, value]


class _Doubtful(Exception):
    """A key that is not ASCII."""


def _check_keys(value: object) -> None:
    if type(value) is dict:
        if not "".join(value).isascii():
            raise _Doubtful
        value = value.values()
    for item in cast(Iterable[object], value):
        if type(item) is dict or type(item) is list:
            _check_keys(item)


def _check(value: object, depth: int) -> None:
    """What msgspec would encode and this form does not allow. Lone surrogates are left to the encoder.

    Runs on every append: exact types, which are all that `to_builtins` and the decoder yield, are told apart by
    identity, and a scalar inside a container costs no call.
    """
    if depth > MAX_DEPTH:
        raise NotCanonical(f"is nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind is dict:
        for key, item in cast(dict[object, object], value).items():
            if type(key) is not str or not key.isascii():
                raise NotCanonical(f"has a key that is not ASCII: {key!r}")
            if type(item) is not str:
                _check(item, depth + 1)
    elif kind is list or kind is tuple:  # the encoder writes both as an array
        for item in cast("list[object] | tuple[object, ...]", value):
            if type(item) is not str:
                _check(item, depth + 1)
    elif kind is int:
        if not -MAX_INTEGER <= cast(int, value) <= MAX_INTEGER:
            raise NotCanonical(f"holds an integer beyond 2^53: {value}")
    elif value is not None and kind is not bool and kind is not str:
        raise NotCanonical(f"holds a {kind.__name__}; allowed: object, array, text, integer, true, false, null")


_decoder = msgspec.json.Decoder(_restricted())
