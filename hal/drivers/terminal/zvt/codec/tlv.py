"""TLV containers (PA00P015, chapter 9). Only tags that are asked for leave this module."""

from collections.abc import Iterator

_MAX_DEPTH = 4
_MAX_OBJECTS = 2000


class BadTlv(ValueError):
    """The container ends inside an object, or uses a length form the specification reserves."""


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Length and the position after it: one byte below 80, else 81 nn or 82 hi lo (9.3.2)."""
    if at >= len(data):
        raise BadTlv("no length")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    size = first - 0x80
    if size not in (1, 2) or at + 1 + size > len(data):
        raise BadTlv(f"length form {first:02X}")
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    tag, at = data[at], at + 1
    if tag & 0x1F == 0x1F:
        for _ in range(2):
            if at >= len(data):
                raise BadTlv("tag without end")
            tag, at = tag << 8 | data[at], at + 1
            if not data[at - 1] & 0x80:
                return tag, at
        raise BadTlv("tag of more than three bytes")
    return tag, at


def _constructed(tag: int) -> bool:
    first = tag
    while first > 0xFF:
        first >>= 8
    return bool(first & 0x20)


def walk(data: bytes, depth: int = 0) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Every primitive object with the path of tags that leads to it, in order. Raises BadTlv."""
    at = count = 0
    while at < len(data):
        tag, at = _read_tag(data, at)
        length, at = read_length(data, at)
        if at + length > len(data):
            raise BadTlv(f"tag {tag:X} of {length} bytes, {len(data) - at} are there")
        value, at = data[at : at + length], at + length
        count += 1
        if count > _MAX_OBJECTS:
            raise BadTlv("too many objects")
        if _constructed(tag) and depth < _MAX_DEPTH:
            for path, inner in walk(value, depth + 1):
                yield (tag, *path), inner
        else:
            yield (tag,), value


def encode(tag: int, value: bytes) -> bytes:
    """One data object."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + length + value
