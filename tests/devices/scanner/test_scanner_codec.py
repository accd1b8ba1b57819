"""The serial scanner's codec: fed whole, byte by byte, between junk, cut off anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.drivers.scanner.serial.codec import MAX_READ_BYTES, Message, Rubbish, Scanned, ScannerCodec

CASES: dict[str, tuple[bytes, list[Message]]] = {
    "EAN-13 with CR": (b"5701234567899\r", [Scanned("5701234567899", "")]),
    "with LF": (b"5701234567899\n", [Scanned("5701234567899", "")]),
    "with CR LF": (b"5701234567899\r\n", [Scanned("5701234567899", "")]),
    "AIM identifier": (b"]E05701234567899\r\n", [Scanned("5701234567899", "]E0")]),
    "GS1 with GS kept": (b"]C1010570123456789910A\x1d21B\r", [Scanned("010570123456789910A\x1d21B", "]C1")]),
    "letter as modifier": (b"]XaX\r", [Scanned("X", "]Xa")]),
    "two reads": (b"1\r2\r", [Scanned("1", ""), Scanned("2", "")]),
    "suffixes alone": (b"\r\n\r\r\n", []),
    "bracket that is no identifier": (b"]1\r]\r]E\r", [Scanned("]1", ""), Scanned("]", ""), Scanned("]E", "")]),
    "identifier alone": (b"]E0\r", [Rubbish("empty", 3, "]E0")]),
    "UTF-8": ("smørrebrød 你\r".encode(), [Scanned("smørrebrød 你", "")]),
    "ISO 8859-1": ("smørrebrød\r".encode("latin-1"), [Scanned("smørrebrød", "")]),
    "control characters": (b"\x00\x07A\x1b[2J\r", [Scanned("\ufffd\ufffdA\ufffd[2J", "")]),
    "C1, direction and zero width": (
        "a\x85\u202e\u200b\u2028b\r".encode(),
        [Scanned("a\ufffd\ufffd\ufffd\ufffdb", "")],
    ),
    "longest": (b"x" * MAX_READ_BYTES + b"\r", [Scanned("x" * MAX_READ_BYTES, "")]),
    "one too long": (b"x" * 4097 + b"\r1\r", [Rubbish("too_long", 4097, "x" * MAX_READ_BYTES), Scanned("1", "")]),
    "10 kB of control characters": (b"\x01" * 10_240 + b"\r", [Rubbish("too_long", 10_240, "\ufffd" * 4096)]),
    "too long, cut in a character": (
        b"x" + "å".encode() * 4000 + b"\r",
        [Rubbish("too_long", 8001, "x" + "å" * 2047)],
    ),
}


def _whole(data: bytes) -> list[Message]:
    return ScannerCodec().feed(data)


def _bytewise(data: bytes) -> list[Message]:
    codec = ScannerCodec()
    return [message for byte in data for message in codec.feed(bytes([byte]))]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("feed", [_whole, _bytewise])
def test_reads(case: str, feed: object) -> None:
    data, messages = CASES[case]
    assert feed(data) == messages  # type: ignore[operator]


@pytest.mark.parametrize("case", CASES)
def test_between_junk(case: str) -> None:
    data, messages = CASES[case]
    assert _whole(b"\xff\x00junk\r" + data + b"jun") == [Scanned("ÿ\ufffdjunk", ""), *messages]


@pytest.mark.parametrize("case", CASES)
def test_every_prefix_then_silence_leaves_nothing_behind(case: str) -> None:
    data, messages = CASES[case]
    for cut in range(0, len(data), 1 if len(data) < 200 else 97):
        codec = ScannerCodec()
        before = codec.feed(data[:cut])
        assert before == messages[: len(before)]
        assert codec.pending == bool(data[:cut].rpartition(b"\r")[2].rpartition(b"\n")[2])
        lost = codec.expire()
        assert [type(message) for message in lost] == ([Rubbish] if cut and data[cut - 1] not in b"\r\n" else [])
        assert not codec.pending
        assert codec.feed(b"5701\r") == [Scanned("5701", "")]


def test_silence_tells_what_was_lost() -> None:
    codec = ScannerCodec()
    codec.feed(b"]E0570")
    assert codec.expire() == [Rubbish("incomplete", 6, "]E0570")]
    assert codec.expire() == []


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r", b"\n", b"]E0", b"\x1d", b"57"]), max_size=30))
def test_cutting_never_matters_and_no_control_character_passes(pieces: list[bytes]) -> None:
    codec = ScannerCodec()
    messages = [message for piece in pieces for message in codec.feed(piece)]
    assert messages == _whole(b"".join(pieces)) == _bytewise(b"".join(pieces))
    for message in messages:
        assert 0 < len(message.text) <= MAX_READ_BYTES
        assert all(char.isprintable() or char == "\x1d" for char in message.text)


@given(st.binary(min_size=1, max_size=9), st.integers(MAX_READ_BYTES - 3, MAX_READ_BYTES + 3), st.integers(1, 5000))
def test_the_bound_holds_for_any_bytes_and_cut(seed: bytes, length: int, cut: int) -> None:
    data = (seed * length)[:length]
    codec = ScannerCodec()
    messages = codec.feed(data[:cut]) + codec.feed(data[cut:] + b"\r")
    assert all(len(message.text) <= MAX_READ_BYTES for message in messages)
    assert messages == _whole(data + b"\r")
