"""The virtual printer seen from a socket: what it answers, when it prints, what the paper looks like."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hal.virtual.printer import Receipt, VirtualPrinter, picture
from hal.virtual.printer.paint import INK, MARGIN_X_DOTS, MARGIN_Y_DOTS

from .raw import RawClient, until

CUT = "1D 56 42 00"
ASB_ON = "1D 61 FF"
READY = "10 00 00 0F"
PROCESS_ID = "1D 28 48 06 00 30 30 41 42 43 44"
PROCESSED = "37 22 41 42 43 44 00"
HELLO = "48 65 6C 6C 6F 0A"

Scenario = Callable[[VirtualPrinter, RawClient], Awaitable[None]]


def on_printer(scenario: Scenario, *, speed_mm_s: float = 0.0) -> VirtualPrinter:
    async def run() -> VirtualPrinter:
        printer = VirtualPrinter(speed_mm_s=speed_mm_s)
        await printer.start()
        client = await RawClient.open(printer.port)
        try:
            await scenario(printer, client)
        finally:
            await client.close()
            await printer.stop()
        return printer

    return asyncio.run(run())


def printed(data: bytes) -> Receipt:
    """The receipt that these bytes print."""

    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say((data + bytes.fromhex(CUT)).hex())
        await until(lambda: bool(printer.receipts), "a receipt")

    return on_printer(scenario).receipts[0]


def dark(image: Image.Image, x: int, y: int, width: int, height: int) -> int:
    """Ink dots in a part of the print area."""
    x, y = x + MARGIN_X_DOTS, y + MARGIN_Y_DOTS
    counted = image.crop((x, y, x + width, y + height)).getcolors() or []
    return sum(count for count, colour in counted if colour == INK)


# Status


@pytest.mark.parametrize(
    ("condition", "asb", "real_time", "sensor"),
    [
        pytest.param({}, READY, ["12", "12", "12", "12"], "00", id="ready"),
        pytest.param({"near_end": True}, "10 00 03 0F", ["12", "12", "12", "1E"], "03", id="near end"),
        pytest.param({"paper_out": True}, "18 00 0F 0F", ["1A", "32", "12", "7E"], None, id="no paper"),
        pytest.param({"cover_open": True}, "38 00 00 0F", ["1A", "16", "12", "12"], None, id="cover open"),
        pytest.param({"drawer_high": True}, "14 00 00 0F", ["16", "12", "12", "12"], "00", id="drawer open"),
        pytest.param({"error": "cutter"}, "18 08 00 0F", ["1A", "52", "1A", "12"], None, id="cutter jammed"),
        pytest.param({"error": "overheat"}, "18 40 00 0F", ["1A", "52", "52", "12"], None, id="too hot"),
        pytest.param({"error": "unrecoverable"}, "18 20 00 0F", ["1A", "52", "32", "12"], None, id="broken"),
    ],
)
def test_status_bytes(condition: dict[str, Any], asb: str, real_time: list[str], sensor: str | None) -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say(ASB_ON)
        await client.expect(READY, "GS a answers with the status at once")
        printer._change(**condition)
        if condition:
            await client.expect(asb, "ASB is pushed")
        for n, byte in enumerate(real_time, 1):
            await client.say(f"10 04 {n:02X}")
            await client.expect(byte, f"DLE EOT {n}")
        await client.say("1D 72 01")
        if sensor is None:
            await client.say("10 04 01")
            await client.expect(real_time[0], "GS r waits while offline, DLE EOT does not")
        else:
            await client.expect(sensor, "GS r 1")

    on_printer(scenario)


def test_asb_reports_only_what_was_asked_for_and_stops_at_initialisation() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say("1D 61 08")
        await client.expect(READY)
        printer.set_cover(is_open=True)
        printer.set_cover(is_open=False)
        printer.set_near_end(near=True)
        await client.expect("10 00 03 0F", "the cover was not asked for, the paper was")
        await client.say("1B 40" + "1D 72 01")
        await client.expect("03")
        printer.set_near_end(near=False)
        await client.say("10 04 04")
        await client.expect("12", "no ASB after ESC @")

    on_printer(scenario)


def test_identity() -> None:
    async def scenario(_printer: VirtualPrinter, client: RawClient) -> None:
        await client.say("1D 49 42 1D 49 43 1D 49 02")
        await client.expect("5F 45 50 53 4F 4E 00" + "5F 54 4D 2D 54 32 30 49 49 00" + "02")

    on_printer(scenario)


def test_a_process_id_is_answered_only_when_everything_before_it_is_printed() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        printer.set_paper(present=False)
        await client.say(HELLO + PROCESS_ID + "10 04 01")
        await client.expect("1A")
        await client.expect_silence("no process id without paper")
        printer.set_paper(present=True)
        await client.expect(PROCESSED)
        await client.say("48 65 6C 6C 6F" + PROCESS_ID + "1D 72 01")
        await client.expect("00")
        await client.expect_silence("a line without its LF is not printed")
        await client.say("0A")
        await client.expect(PROCESSED)

    on_printer(scenario)


def test_printing_takes_its_time() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        begun = asyncio.get_running_loop().time()
        await client.say("1B 4A 50" + PROCESS_ID)  # 80 dots are 10 mm
        await client.expect(PROCESSED)
        assert asyncio.get_running_loop().time() - begun >= 0.1

    on_printer(scenario, speed_mm_s=100)


def test_real_time_commands_act_inside_image_data_and_stay_part_of_it() -> None:
    raster = "1D 76 30 00 03 00 01 00" + "10 04 01"

    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say(raster)
        await client.expect("12")
        await client.say(HELLO + CUT)
        await until(lambda: bool(printer.receipts), "a receipt")

    receipt = on_printer(scenario).receipts[0]
    assert receipt.text == ["Hello"]
    assert dark(picture(receipt), 0, 0, 24, 1) == 3


def test_a_half_received_command_swallows_what_follows() -> None:
    receipt = printed(b"\x1d\x76\x30\x00\x01\x00\x06\x00" + b"Hello\n" + b"World\n")
    assert receipt.text == ["World"]


# Buffer, paper, cover, errors, cable


def test_without_paper_four_kilobytes_wait_and_then_the_sender_does() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        printer.set_cover(is_open=True)
        line = b"0123456789" * 4 + b"\n"
        connection = client.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        client.writer.transport.set_write_buffer_limits(0)
        sent = asyncio.ensure_future(client.say((line * 150_000).hex()))
        await until(lambda: printer.state()["buffered_bytes"] == 4096, "a full buffer")
        await asyncio.sleep(0.05)
        assert not sent.done(), "TCP must hold the sender back"
        assert printer.state()["buffered_bytes"] == 4096
        sent.cancel()
        await asyncio.gather(sent, return_exceptions=True)
        client.writer.transport.abort()

    on_printer(scenario)


def test_the_roll_ends_in_mid_receipt_and_printing_goes_on_with_a_new_one() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        printer.set_paper(present=True, left_mm=10)
        await client.say(ASB_ON + HELLO * 8 + CUT + PROCESS_ID)
        await client.expect(READY + "18 00 0F 0F")
        assert printer.receipts == []
        printer.set_cover(is_open=True)
        await client.expect("38 00 0F 0F")
        printer.set_paper(present=True)
        await client.expect("38 00 00 0F")
        printer.set_cover(is_open=False)
        await client.expect(READY + PROCESSED)

    assert on_printer(scenario).receipts[0].text == ["Hello"] * 8


@pytest.mark.parametrize(
    ("recovery", "receipts"),
    [pytest.param("10 05 01", [["Hello"]], id="repeat"), pytest.param("10 05 02", [], id="forget")],
)
def test_a_jammed_cutter_recovers_by_real_time_request(recovery: str, receipts: list[list[str]]) -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        printer.jam_next_cut()
        await client.say(ASB_ON + HELLO + CUT + PROCESS_ID)
        await client.expect(READY + "18 08 00 0F")
        await client.say(recovery)
        await client.expect(READY)
        if receipts:
            await client.expect(PROCESSED)
        await client.say("10 04 01")
        await client.expect("12")

    assert [r.text for r in on_printer(scenario).receipts] == receipts


def test_clearing_the_buffers_forgets_what_was_not_printed() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        printer.set_paper(present=False)
        await client.say(HELLO + "10 14 08 01 03 14 01 06 02 08")
        await client.expect("37 25 00")
        printer.set_paper(present=True)
        await client.say("48 69 0A" + CUT + PROCESS_ID)
        await client.expect(PROCESSED)

    assert on_printer(scenario).receipts[0].text == ["Hi"]


def test_the_drawer_opens_by_command_and_in_real_time() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        for pulse in ("1B 70 00 19 FA", "10 14 01 00 01"):
            await client.say(pulse + "10 04 01")
            await until(lambda: printer.condition.drawer_high, "an open drawer")
            printer.set_drawer(is_open=False)

    on_printer(scenario)


def test_power_off_forgets_the_buffer_and_keeps_the_paper() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say(HELLO + PROCESS_ID)
        await client.expect(PROCESSED)
        printer.set_cover(is_open=True)
        await client.say("6C 6F 73 74 0A 10 04 01")
        await client.expect("1A")
        port = printer.port
        await printer.unplug()
        assert await client.gone() == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await RawClient.open(port)
        printer.set_cover(is_open=False)
        await printer.plug()
        assert printer.port == port
        again = await RawClient.open(port)
        await again.say(HELLO + CUT + PROCESS_ID)
        await again.expect(PROCESSED)
        await again.close()

    assert on_printer(scenario).receipts[0].text == ["Hello", "Hello"]


def test_a_cut_cable_is_silence_and_a_mended_one_a_new_connection() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say(ASB_ON)
        await client.expect(READY)
        await printer.set_cable(connected=False)
        await client.say("10 04 01" + HELLO)
        printer.set_near_end(near=True)
        await client.expect_silence()
        await printer.set_cable(connected=True)
        assert await client.gone() == b""
        again = await RawClient.open(printer.port)
        await again.say("10 04 04")
        await again.expect("1E")
        await again.close()

    assert on_printer(scenario).state()["unprinted_dots"] == 0


def test_a_second_connection_waits_for_the_first() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say("10 04 01")
        await client.expect("12")
        second = await RawClient.open(printer.port)
        await second.say("10 04 01")
        await second.expect_silence()
        await client.close()
        await second.expect("12")
        await second.close()

    on_printer(scenario)


# The paper


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(b"Hello\n", {"x": 0, "y": 0, "height": 24, "text": "Hello"}, id="plain"),
        pytest.param(b"\x1ba\x01Hello\n", {"x": 258, "text": "Hello"}, id="centred"),
        pytest.param(b"\x1ba\x02Hello\n", {"x": 516, "text": "Hello"}, id="right"),
        pytest.param(b"\x1d!\x11Hi\n", {"x": 0, "height": 48}, id="double"),
        pytest.param(b"\x1bM\x01Hello\n", {"height": 17}, id="font B"),
        pytest.param(b"\n\n\x1b3\x40Hello\n", {"y": 60}, id="two default lines down"),
        pytest.param(b"\x1b$\x64\x00Hello\n", {"x": 100}, id="absolute position"),
        pytest.param(b"\x1bt\x05\x9b1,50\n", {"text": "ø1,50"}, id="code page 865"),
        pytest.param(b"\x1bt\x13\xd5 5\n", {"text": "€ 5"}, id="code page 858"),
        pytest.param(b"\x1bt\x11\x82\x88\n", {"text": "ВИ"}, id="code page 866"),
        pytest.param(b"\x1bt\x2e\xd5\xeb\xff\xe1\n", {"text": "Хляб"}, id="code page 1251"),
        pytest.param(b"\x1bt\x10\x80\xe6\n", {"text": "€æ"}, id="code page 1252"),
        pytest.param(b"\x1bt\x01\x95\xb1\xf1\n", {"text": "─ｱ円"}, id="code page 1"),
        pytest.param(b"\x1bt\x14\x95\n", {"text": "?"}, id="a page it does not have"),
        pytest.param(b"\x1bR\x04[\\]{|}\n", {"text": "ÆØÅæøå"}, id="Danish characters"),
        pytest.param(b"1\t2\n", {"text": "1       2"}, id="tab"),
    ],
)
def test_where_text_lands(data: bytes, line: dict[str, Any]) -> None:
    got = printed(data).lines()[0]
    assert {key: got[key] for key in line} == line


def test_attributes_belong_to_runs_of_one_line() -> None:
    runs = printed(b"a\x1bE\x01b\x1bE\x00\x1b-\x02c\x1b-\x00\x1dB\x01d\n").lines()[0]["runs"]
    assert [(r["text"], r["x"], r["bold"], r["underline"], r["reverse"]) for r in runs] == [
        ("a", 0, False, 0, False),
        ("b", 12, True, 0, False),
        ("c", 24, False, 2, False),
        ("d", 36, False, 0, True),
    ]


def test_forty_eight_columns_and_then_the_next_line() -> None:
    assert printed(b"x" * 50 + b"\n").text == ["x" * 48, "xx"]
    assert printed(b"\x1bM\x01" + b"x" * 65 + b"\n").text == ["x" * 64, "x"]


def test_ink_is_where_the_text_says() -> None:
    receipt = printed(b"\x1ba\x02" + b"\x1d!\x11" + b"88\n" + b"\x1dB\x01" + b"-\n")
    image = picture(receipt)
    assert image.size == (576 + 2 * MARGIN_X_DOTS, receipt.height + 2 * MARGIN_Y_DOTS)
    assert dark(image, 528, 0, 48, 48) > 300
    assert dark(image, 0, 0, 528, 48) == 0
    assert dark(image, 552, 48, 24, 48) > 24 * 48 * 0.8, "reverse print is mostly ink"


def test_rasters_by_all_three_commands() -> None:
    dots = b"\xff\x00\xff\x00"  # 16 x 2
    plain = b"\x1dv0\x00\x02\x00\x02\x00" + dots
    doubled = b"\x1dv0\x03\x02\x00\x02\x00" + dots
    stored = b"\x1d(L\x0e\x000p0\x01\x01\x31\x10\x00\x02\x00" + dots + b"\x1d(L\x02\x000\x32"
    stored_long = b"\x1d8L\x0e\x00\x00\x000p0\x01\x01\x31\x10\x00\x02\x00" + dots + b"\x1d(L\x02\x000\x32"
    receipt = printed(plain + doubled + stored + stored_long)
    pictures = receipt.as_json()["pictures"]
    assert [(p["x"], p["y"], p["width"], p["height"]) for p in pictures] == [
        (0, 0, 16, 2),
        (0, 2, 32, 4),
        (0, 6, 16, 2),
        (0, 8, 16, 2),
    ]
    image = picture(receipt)
    assert [dark(image, 0, y, 32, 1) for y in range(10)] == [8, 8, 16, 16, 16, 16, 8, 8, 8, 8]


def test_a_column_image_stands_in_the_line() -> None:
    receipt = printed(b"\x1b*\x21\x02\x00" + b"\xff\x00\x00\x00\x00\x01" + b"\n")
    image = picture(receipt)
    assert dark(image, 0, 0, 1, 8) == 8
    assert dark(image, 1, 23, 1, 1) == 1
    assert dark(image, 0, 0, 40, 30) == 9


def test_a_qr_code_can_be_read_from_the_picture() -> None:
    link = b"https://kassa.example/r/0123456789"
    store = b"\x1d(k" + (len(link) + 3).to_bytes(2, "little") + b"1P0" + link
    receipt = printed(
        b"\x1ba\x01\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1" + store + b"\x1d(k\x03\x001Q0"
    )
    assert receipt.qr == [link.decode()]
    assert [code.text for code in zxingcpp.read_barcodes(picture(receipt))] == [link.decode()]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"\x1dk\x43\x0d5701234567899", "5701234567899", id="EAN-13"),
        pytest.param(b"\x1dk\x025701234567899\x00", "5701234567899", id="EAN-13, function A"),
        pytest.param(b"\x1dk\x49\x0a{BKassa-42", "Kassa-42", id="Code 128"),
        pytest.param(b"\x1dk\x49\x06{C\x0c\x22\x38\x4e", "12345678", id="Code 128, pairs"),
    ],
)
def test_a_bar_code_can_be_read_from_the_picture(data: bytes, text: str) -> None:
    receipt = printed(b"\x1ba\x01\x1dH\x02\x1dw\x03" + data + b"\n")
    assert [code.text for code in zxingcpp.read_barcodes(picture(receipt))] == [text]
    assert receipt.text[0] == text


def test_each_cut_ends_a_receipt() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say(HELLO + "1D 56 00" + HELLO + "1D 56 41 10" + HELLO + "1B 6D" + PROCESS_ID)
        await client.expect(PROCESSED)

    receipts = on_printer(scenario).receipts
    assert [(r.number, r.cut, r.height) for r in receipts] == [
        (1, "full", 30),
        (2, "full", 46),
        (3, "partial", 30),
    ]
    assert receipts[0].raw == bytes.fromhex(HELLO + "1D 56 00")


def test_unknown_commands_are_counted_and_change_nothing() -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say("1B 7A" * 3 + "1B 4C" + "1D 28 5A 02 00 01 02" + HELLO + CUT + PROCESS_ID)
        await client.expect(PROCESSED)
        assert printer.state()["unknown"] == {"1B 7A": 3, "ESC L": 1, "GS ( Z": 1}

    assert on_printer(scenario).receipts[0].text == ["Hello"]


def test_an_absurdly_long_command_is_swallowed() -> None:
    huge = ((1 << 20) + 1).to_bytes(4, "little")

    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        await client.say((b"\x1d8L" + huge + bytes((1 << 20) + 1)).hex() + HELLO + CUT + PROCESS_ID)
        await client.expect(PROCESSED)
        assert printer.state()["unknown"] == {"oversized": 1}

    assert on_printer(scenario).receipts[0].text == ["Hello"]


PREFIXES = st.sampled_from(
    [
        b"\x1b",
        b"\x1d",
        b"\x1c",
        b"\x10",
        b"\x1d(k",
        b"\x1d(L",
        b"\x1d8L",
        b"\x1dk",
        b"\x1dv0",
        b"\x1b*",
        b"\x1bD",
        b"\x1b&",
    ]
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.builds(bytes.__add__, PREFIXES, st.binary(max_size=20))),
        max_size=20,
    )
)
def test_hostile_bytes_end_nothing(chunks: list[bytes]) -> None:
    async def scenario(printer: VirtualPrinter, client: RawClient) -> None:
        raised: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: raised.append(context))
        for chunk in chunks:
            await client.say(chunk.hex())
        await client.say("10 04 04")
        answers = await asyncio.wait_for(client.reader.read(1), 5)
        assert answers
        await client.say("00" * 5000)
        await until(lambda: printer.state()["buffered_bytes"] == 0, "an empty buffer")
        assert printer._worker is not None
        assert not printer._worker.done()
        assert raised == []

    for receipt in on_printer(scenario).receipts:
        picture(receipt)
        receipt.as_json()
