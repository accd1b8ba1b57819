"""APDUs, bitmaps and containers: whole, byte by byte, cut at every byte, with junk, and nothing secret let through."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hal.drivers.terminal.zvt.codec import (
    MAX_DATA_BYTES,
    Abort,
    Ack,
    Apdu,
    ApduReader,
    Completion,
    Decoder,
    Fields,
    Intermediate,
    Message,
    Nak,
    Other,
    Print,
    Receipt,
    Status,
    commands,
    decode,
)
from hal.drivers.terminal.zvt.codec.mask import mask_pan, scrub
from tests.devices.replay import load

PAN = "4111111111111111"
CASES: dict[str, Message] = {
    "80 00 00": Ack(),
    "84 00 00": Ack(),
    "84 9C 00": Nak(0x9C),
    "84 1E 03 6F 09 78": Nak(0x1E),
    "06 1E 01 6C": Abort(0x6C),
    "06 1E 00": Abort(0xFF),
    "04 FF 01 0A": Intermediate(0x0A, None, ""),
    "04 FF 02 0A 03": Intermediate(0x0A, 3, ""),
    "04 FF 0A 0A 01 06 06 24 04 07 02 48 69": Intermediate(0x0A, 1, "Hi"),
    "04 FF 09 0A 06 06 24 04 07 02 48 69": Intermediate(0x0A, None, "Hi"),
    "04 FF 00": Intermediate(0xFF, None, ""),
    "06 0F 00": Completion(Fields(), None, ""),
    "06 0F 01 00": Completion(Fields(), 0x00, ""),
    "06 0F 01 DC": Completion(Fields(), 0xDC, ""),
    "06 0F 01 F0": Completion(Fields(), 0xF0, ""),
    "06 0F 07 F0 F0 F3 31 2E 32 9C": Completion(Fields(), 0x9C, "1.2"),
    "06 0F 0A 19 02 29 52 50 00 01 49 09 78": Completion(
        Fields(status_byte=2, terminal_id="52500001", currency="0978"), None, ""
    ),
    "06 D1 03 40 48 69": Print(["Hi"], Receipt.unsaid, ends=False),
    "06 D1 03 02 48 69": Print(["  Hi"], Receipt.unsaid, ends=False),
    "06 D1 03 81 48 69": Print(["Hi"], Receipt.unsaid, ends=True),
    "06 D1 02 FF 03": Print(["", "", ""], Receipt.unsaid, ends=False),
    "06 D1 00": Print([""], Receipt.unsaid, ends=False),
    "06 D3 0E 06 0C 1F 07 01 01 25 06 07 01 41 09 01 81": Print(["A"], Receipt.merchant, ends=True),
    "06 D3 02 06 05": Print([], Receipt.unsaid, ends=False),
    "06 D8 00": Other(0x06D8),
    "04 0F 02 27 37": Status(Fields(result_code=0x37)),
    "04 0F 05 27 00 F7 01 02": Status(Fields(result_code=0, undecoded=True)),
    "04 0F 04 27 00 27 05": Status(Fields(result_code=5, conflicting=True)),
    "04 0F 08 04 00 00 00 00 1A 00 27": Status(Fields(undecoded=True)),
    "04 0F 0B 0B 00 00 00 06 05 1F 2B 04 12 34 56": Status(Fields(trace="000000", undecoded=True)),
    "04 0F 0C 06 06 1F 2B 03 12 34 56 0B 00 00 00": Status(Fields(trace="123456")),
    "04 0F 05 06 03 41 01 2E": Status(Fields(card_type=46)),
}


@pytest.mark.parametrize("text", CASES)
def test_messages(text: str) -> None:
    data = bytes.fromhex(text)
    if data[2] != len(data) - 3:
        data = data[:2] + bytes([len(data) - 3]) + data[3:]
    assert Decoder().feed(data) == [CASES[text]]


def test_the_length_has_one_byte_or_three() -> None:
    for size, head in {254: "06D3FE", 255: "06D3FFFF00", 256: "06D3FF0001", MAX_DATA_BYTES: "06D3FF0020"}.items():
        data = bytes(Apdu(0x06D3, bytes(size)))
        assert data[: len(head) // 2] == bytes.fromhex(head)
        assert ApduReader().feed(data) == [Apdu(0x06D3, bytes(size))]


STREAM = b"".join(s.data for s in load("zvt-approved.txt") if s.kind == "<")


def test_a_stream_in_any_pieces() -> None:
    whole = Decoder().feed(STREAM)
    assert len(whole) == 10
    slow = Decoder()
    assert [m for b in STREAM for m in slow.feed(bytes([b]))] == whole
    for cut in range(len(STREAM) + 1):
        first = Decoder()
        early = first.feed(STREAM[:cut])
        assert early == whole[: len(early)]
        assert early + first.feed(STREAM[cut:]) == whole
        assert not first.broken


@pytest.mark.parametrize("junk", [b"\x00", b"\xff" * 40, b"GET / HTTP/1.1\r\n", bytes(100_000)])
def test_junk_breaks_the_stream_and_what_came_before_is_kept(junk: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(STREAM + junk) == Decoder().feed(STREAM)
    assert decoder.broken
    assert decoder.feed(STREAM) == []
    before = Decoder()
    assert before.feed(junk + STREAM) == []
    assert before.broken


def test_a_length_beyond_what_we_take() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x06\xd3\xff\xff\xff") == []
    assert "65535" in decoder.broken


@given(st.integers(0, 0xFFFF), st.binary(max_size=400))
@example(0x040F, bytes.fromhex("0684FFFFFFFF"))
@example(0x06D3, bytes.fromhex("06020000"))
def test_no_data_can_make_the_decoder_fail(command: int, data: bytes) -> None:
    decode(Apdu(command, data))


@given(st.sampled_from([0x040F, 0x060F, 0x06D3, 0x04FF]), st.data())
def test_a_good_message_with_bytes_changed(command: int, data: st.DataObject) -> None:
    good = bytearray(max((a.data for a in ApduReader().feed(STREAM) if a.command == command), key=len))
    for _ in range(data.draw(st.integers(0, 5)) if good else 0):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    decode(Apdu(command, bytes(good)))


def test_neither_track_data_nor_a_full_number_leaves_the_codec() -> None:
    messages = [m for s in load("zvt-track-data.txt") if s.kind == "<" for m in Decoder().feed(s.data)]
    shown = repr(messages).replace(" ", "").replace("-", "")
    assert "1111111" not in shown
    assert "************1111" in shown
    status = next(m for m in messages if isinstance(m, Status))
    assert (status.fields.amount_minor, status.fields.receipt, status.fields.undecoded) == (12345, "0042", False)


def test_raw_data_is_not_shown() -> None:
    assert "41" not in repr(Apdu(0x040F, bytes.fromhex("2208" + PAN)))


PANS = {
    "474843EEEEEE7743": "************7743",
    PAN: "************1111",
    "60112233445566778F": "*************6778",
    "EEEEEEEEEEEE1234": "************1234",
    "5413330089020011D2512": "************0011",
    "4111": "****",
    "": "",
    "EEEEEEEEEEEEEEEE": "****************",
}


@pytest.mark.parametrize("nibbles", PANS)
def test_masked_numbers(nibbles: str) -> None:
    assert mask_pan(nibbles) == PANS[nibbles]


TEXTS = {
    f"card {PAN} ok": "card ************1111 ok",
    "4111 1111 1111 1111": "**** **** **** 1111",
    "4111-1111-1111-1111": "****-****-****-1111",
    f";{PAN}=2512101": ";************1111=2512101",
    "4111111111111112": "4111111111111112",
    "AID A0000000031010": "AID A0000000031010",
    "12.06.2026 12:30": "12.06.2026 12:30",
}


@pytest.mark.parametrize("text", TEXTS)
def test_scrubbed_texts(text: str) -> None:
    assert scrub(text) == TEXTS[text]


COMMANDS = {
    "06 01 0C 04 00 00 00 00 10 00 49 09 78 19 40": commands.authorisation(1000, "0978"),
    "06 20 05 12 34 56 03 03": commands.repeat_receipt("123456"),
    "05 01 03 00 00 00": commands.status_enquiry("000000"),
    "06 30 10 00 00 00 87 00 07 04 00 00 00 00 10 00 49 09 78": commands.reversal("000000", "7", 1000, "0978"),
    "06 50 03 00 00 00": commands.end_of_day("000000"),
    "06 B0 00": commands.abort(),
    "84 83 00": commands.negative(0x83),
    "06 E0 0C F0 05 F1 F0 F5 4B 61 73 73 61 F9 01": commands.display("Kassa", 5),
    "80 00 00": commands.ACK,
}


@pytest.mark.parametrize("text", COMMANDS)
def test_commands(text: str) -> None:
    assert COMMANDS[text] == bytes.fromhex(text)


@pytest.mark.parametrize("amount", [-1, 10**12])
def test_amounts_that_do_not_fit(amount: int) -> None:
    with pytest.raises(ValueError, match="twelve digits"):
        commands.authorisation(amount, "0978")


@pytest.mark.parametrize("password", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_passwords_that_are_none(password: str) -> None:
    with pytest.raises(ValueError, match="six digits"):
        commands.status_enquiry(password)
