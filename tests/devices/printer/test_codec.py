"""The printer's stream cut into answers: whole, byte by byte, interleaved, and as junk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.drivers.printer.escpos.codec import (
    Answer,
    Changed,
    Done,
    Named,
    Paper,
    Splitter,
    State,
    Told,
    realtime_command,
)

CASES: dict[str, list[Answer]] = {
    "14 00 00 0F": [Changed(State(drawer_high=True))],
    "3C 00 0C 0F": [Changed(State(drawer_high=True, offline=True, cover_open=True, paper_out=True))],
    "50 28 03 0F": [Changed(State(feeding=True, cutter=True, unrecoverable=True, paper_near_end=True))],
    "10 44 00 00": [Changed(State(mechanical=True, auto_recoverable=True))],
    "12": [Told(0x12)],
    "7E": [Told(0x7E)],
    "00": [Paper(out=False)],
    "0C": [Paper(out=True)],
    "03": [Paper(out=False)],
    "37 22 41 42 43 44 00": [Done("ABCD")],
    "5F 54 4D 00": [Named("TM")],
    "13 11": [],
    "10 13 00 11 00 13 00": [Changed(State())],
    "10 00 16 00 00": [Told(0x16), Changed(State())],
    "37 13 22 30 11 30 30 31 00": [Done("0001")],
    "37 22 30 12 30 30 31 00": [Told(0x12), Done("0001")],
    "10 00 10 00 00 00": [Changed(State())],
    "37 22 30 10 00 00 00": [Changed(State())],
    "FF FF 37 22 30 30 30 31 00": [Done("0001")],
    "37 23 30 30 30 31 00": [],
    "37 22 30 30 00": [],
}


@pytest.mark.parametrize("text", CASES)
def test_cases_whole_and_byte_by_byte(text: str) -> None:
    data = bytes.fromhex(text)
    assert Splitter().feed(data) == CASES[text]
    slow = Splitter()
    assert [a for b in data for a in slow.feed(bytes([b]))] == CASES[text]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_cut_anywhere_give_the_same(data: bytes, cut: int) -> None:
    whole, halves = Splitter(), Splitter()
    assert whole.feed(data) == halves.feed(data[:cut]) + halves.feed(data[cut:])
    assert whole.junk == halves.junk <= len(data)


@given(st.binary(max_size=200))
def test_after_any_junk_the_status_is_understood_again(data: bytes) -> None:
    splitter = Splitter()
    splitter.feed(data)
    assert splitter.feed(bytes.fromhex("10 00 00 0F 30 00 00 0F"))[-1] == Changed(State(cover_open=True))


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"plain", -1),
        (b"\x10\x04\x01", -1),
        (b"\x10\x05\x03", -1),
        (b"\x10\x14\x04", -1),
        (b"\x10\x05", -1),
        (b"ab\x10\x05\x01", 2),
        (b"\x10\x10\x14\x08", 1),
    ],
)
def test_real_time_commands_in_data(data: bytes, at: int) -> None:
    assert realtime_command(data) == at


def test_answers_one_by_one() -> None:
    state = State()
    for n, byte in enumerate(bytes.fromhex("5E 16 7E 7E"), 1):
        state = state.with_answer(n, byte)
    assert state == State(
        offline=True,
        drawer_high=True,
        feeding=True,
        cover_open=True,
        mechanical=True,
        cutter=True,
        unrecoverable=True,
        auto_recoverable=True,
        paper_near_end=True,
        paper_out=True,
    )
