"""The virtual terminal against byte transcripts written by hand from PA00P015 rev. 13.08."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hal.virtual.terminal import DropAt, Profile, Refused, VirtualTerminal

from .raw import RawClient, until

OK = "80 00 00"
REGISTER_QUIET = "06 00 06 00 00 00 00 09 78"  # config byte 00: no intermediate status, no prints to the register
REGISTER_STATUS = "06 00 06 00 00 00 08 09 78"
REGISTER_PRINTS = "06 00 06 00 00 00 82 09 78"
REGISTER_BLOCKS = "06 00 0E 00 00 00 82 09 78 06 06 26 04 0A 02 06 D3"
REGISTERED = "06 0F 0A 19 00 29 52 50 00 41 49 09 78"
PAY_1250 = "06 01 0A 04 00 00 00 00 12 50 49 09 78"
# TLV 24 / 07: "Insert or tap card", "Please wait..."
INSERT_CARD = "04 FF 1A 0A 01 06 16 24 14 07 12 49 6E 73 65 72 74 20 6F 72 20 74 61 70 20 63 61 72 64"
PLEASE_WAIT = "04 FF 16 0E 01 06 12 24 10 07 0E 50 6C 65 61 73 65 20 77 61 69 74 2E 2E 2E"
PAID_1250_FIRST = (
    "04 0F 60 27 00 04 00 00 00 00 12 50 49 09 78 0B 00 00 01 0C 13 37 59 0D 11 21 17 00 01 19 60"
    "22 F0 F8 47 61 73 EE EE EE 00 10 29 52 50 00 41"
    "2A 4B 41 53 53 41 20 56 49 52 54 55 41 4C 20 20 3B 30 30 30 30 30 31 00 00"
    "3C F0 F0 F8 41 50 50 52 4F 56 45 44 87 00 01 8A 0A 8B F0 F5 56 69 73 61 00 A0 00"
)
COMPLETE = "06 0F 00"
ABORTED = "06 1E 01 6C"
REPEAT = "06 20 05 00 00 00 03 03"

Scenario = Callable[[VirtualTerminal, RawClient], Awaitable[None]]


def on_terminal(
    scenario: Scenario, *, ledger: Path | None = None, register: str = REGISTER_QUIET, **profile: object
) -> VirtualTerminal:
    """Start a terminal, register, run the scenario, stop everything."""

    async def run() -> VirtualTerminal:
        terminal = VirtualTerminal(ledger=ledger)
        terminal.set_profile({"t3_s": 1.0, **profile})
        terminal.ledger.now = lambda: datetime(2026, 11, 21, 13, 37, 59, tzinfo=UTC)
        await terminal.start()
        client = await RawClient.open(terminal.port)
        try:
            if register:
                await registered(client, register)
            await scenario(terminal, client)
        finally:
            await client.close()
            await terminal.stop()
        return terminal

    return asyncio.run(run())


async def registered(client: RawClient, register: str = REGISTER_QUIET) -> None:
    await client.say(register)
    await client.expect(OK + REGISTERED)
    await client.say(OK)


async def reconnected(terminal: VirtualTerminal) -> RawClient:
    client = await RawClient.open(terminal.port)
    await registered(client)
    return client


def charged(ledger: Path) -> list[tuple[int, str]]:
    if not ledger.exists():
        return []
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [(row["amount_minor"], row["outcome"]) for row in rows]


def test_an_approved_payment_byte_by_byte(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        for byte in bytes.fromhex(PAY_1250):
            await client.say(f"{byte:02X}")
        await client.expect(OK + INSERT_CARD)
        await client.say(OK)
        await until(lambda: terminal.state()["waiting_for_card"] is True, "waiting for the card")
        assert terminal.state()["amount"] == "12.50 EUR"
        terminal.tap("approve")
        await client.expect(PLEASE_WAIT)
        await client.say(OK)
        await client.expect(PAID_1250_FIRST)
        assert charged(tmp_path / "ledger") == []
        await client.say(OK)
        await client.expect(COMPLETE)
        await client.say(OK)

    on_terminal(scenario, ledger=tmp_path / "ledger", register=REGISTER_STATUS)
    row = json.loads((tmp_path / "ledger").read_text())
    assert row == {
        "trace": 1,
        "receipt": 1,
        "amount_minor": 1250,
        "currency": 978,
        "outcome": "captured",
        "time": "2026-11-21T13:37:59+00:00",
    }


@pytest.mark.parametrize(
    ("outcome", "transcript"),
    [
        pytest.param("cancelled", ABORTED, id="customer presses stop"),
        pytest.param("timeout", ABORTED, id="customer never comes"),
        pytest.param(
            "decline",
            "04 0F 1A 27 05 04 00 00 00 00 12 50 49 09 78 0C 13 37 59 0D 11 21 29 52 50 00 41 A0 05",
            id="host declines",
        ),
    ],
)
def test_a_payment_that_fails_charges_nothing_and_takes_no_number(
    tmp_path: Path, outcome: str, transcript: str
) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap(outcome)
        await client.say(PAY_1250)
        await client.expect(OK + transcript)
        await client.say(OK)
        if outcome == "decline":
            await client.expect("06 1E 01 05")
            await client.say(OK)
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST, "numbers must not have advanced")

    on_terminal(scenario, ledger=tmp_path / "ledger", card_timeout_s=0.05)
    assert charged(tmp_path / "ledger") == []


def test_the_register_aborts_while_the_card_is_awaited() -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(PAY_1250)
        await client.expect(OK)
        await client.say("06 B0 00")
        await client.expect(OK + ABORTED)
        await client.say(OK + PAY_1250)
        await client.expect(OK, "the terminal takes the next payment")

    on_terminal(scenario)


def test_an_abort_after_the_card_is_too_late() -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("slow")
        await client.say(PAY_1250)
        await client.expect(OK)
        await until(lambda: terminal.display == "Authorising…", "the host being asked")
        await client.say("06 B0 00")
        await client.expect("84 9C 00" + PAID_1250_FIRST)

    on_terminal(scenario, slow_s=0.2)


def test_a_negative_acknowledgement_reverses(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        await client.say("84 CC 00")
        await client.expect(ABORTED)
        await client.say(OK)

    on_terminal(scenario, ledger=tmp_path / "ledger")
    assert charged(tmp_path / "ledger") == []


def test_84_9C_asks_for_the_status_information_again(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        await client.say("84 9C 00")
        await client.expect(PAID_1250_FIRST)
        await client.say(OK)
        await client.expect(COMPLETE)

    on_terminal(scenario, ledger=tmp_path / "ledger")
    assert charged(tmp_path / "ledger") == [(1250, "captured")]


@pytest.mark.parametrize(
    ("unacknowledged", "expected", "repeated"),
    [("reverses", [], "06 1E 01 83"), ("stands", [(1250, "captured")], PAID_1250_FIRST)],
)
@pytest.mark.parametrize("silence", ["no acknowledgement", "line lost"])
def test_a_result_nobody_acknowledged(
    tmp_path: Path, unacknowledged: str, expected: list[tuple[int, str]], repeated: str, silence: str
) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        if silence == "line lost":
            await client.close()
        await until(lambda: terminal.display == "Ready", "the end of the sequence")
        again = await reconnected(terminal)
        await again.say(REPEAT)
        await again.expect(OK + repeated)
        await again.close()

    on_terminal(scenario, ledger=tmp_path / "ledger", unacknowledged=unacknowledged, t3_s=0.1)
    assert charged(tmp_path / "ledger") == expected


# Messages of a plain approved payment, as the terminal counts them:
#   in 1 06 01 · out 1 80 00 · out 2 04 0F · in 2 80 00 · out 3 06 0F · in 3 80 00
@pytest.mark.parametrize("manner", ["reset", "close", "silent"])
@pytest.mark.parametrize(
    ("direction", "message", "reverses", "stands"),
    [
        ("in", 1, 0, 0),
        ("out", 1, 0, 0),
        ("out", 2, 0, 1),
        ("in", 2, 0, 1),
        ("out", 3, 1, 1),
        ("in", 3, 1, 1),
    ],
)
def test_a_line_cut_at_each_message(
    tmp_path: Path, manner: str, direction: str, message: int, reverses: int, stands: int
) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.set_faults({"drop_at": {"direction": direction, "message": message, "manner": manner}})
        terminal.tap("approve")
        await client.say(PAY_1250)
        if (direction, message) not in (("in", 1), ("out", 1)):
            await client.expect(OK)
        if (direction, message) in (("in", 2), ("out", 3), ("in", 3)):
            await client.expect(PAID_1250_FIRST)
            await client.say(OK)
        if (direction, message) == ("in", 3):
            await client.expect(COMPLETE)
            await client.say(OK)
        await until(lambda: terminal.faults.drop_at is None, "the cut")
        if manner != "silent":
            assert await client.gone() == b""
        await (await reconnected(terminal)).close()

    for unacknowledged, expected in (("reverses", reverses), ("stands", stands)):
        ledger = tmp_path / unacknowledged
        on_terminal(scenario, ledger=ledger, unacknowledged=unacknowledged)
        assert len(charged(ledger)) == expected, unacknowledged


@pytest.mark.parametrize(("direction", "count"), [("out", 1), ("out", 3), ("out", 40), ("in", 2), ("in", 13)])
def test_a_line_cut_after_a_number_of_bytes(tmp_path: Path, direction: str, count: int) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.set_faults({"drop_at": {"direction": direction, "bytes": count}})
        terminal.tap("approve")
        await client.say(PAY_1250)
        got = await client.gone()
        if direction == "out":
            assert got == bytes.fromhex(OK + PAID_1250_FIRST)[:count]
        await (await reconnected(terminal)).close()

    on_terminal(scenario, ledger=tmp_path / "ledger")
    assert charged(tmp_path / "ledger") == []


LINES = (
    "06 D1 0D 00 43 61 72 64 20 70 61 79 6D 65 6E 74",
    "06 D1 12 00 54 65 72 6D 69 6E 61 6C 20 35 32 35 30 30 30 34 31",
)


def test_print_lines_go_to_a_register_that_prints(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        await client.say(OK)
        for line in LINES:
            await client.expect(line)
            await client.say(OK)
        for _ in range(4):
            assert (await client.apdu())[:2] == b"\x06\xd1"
            await client.say(OK)
        await client.expect("06 D1 09 81 41 50 50 52 4F 56 45 44")
        await client.say(OK)
        await client.expect(COMPLETE)

    on_terminal(scenario, ledger=tmp_path / "ledger", register=REGISTER_PRINTS)
    assert charged(tmp_path / "ledger") == [(1250, "captured")]


@pytest.mark.parametrize(("print_final", "expected"), [(False, [(1250, "captured")]), (True, [])])
def test_a_print_block_may_be_part_of_what_makes_a_payment_final(
    tmp_path: Path, print_final: bool, expected: list[tuple[int, str]]
) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        await client.say(OK)
        block = await client.apdu()
        assert block[:2] == b"\x06\xd3"
        assert bytes.fromhex("1F 07 01 02 25") in block
        assert bytes.fromhex("07 0C") + b"Card payment" in block
        await client.close()
        await until(lambda: not terminal.state()["connected"], "the line lost")

    on_terminal(scenario, ledger=tmp_path / "ledger", register=REGISTER_BLOCKS, print_final=print_final)
    assert charged(tmp_path / "ledger") == expected


def test_a_refused_print_block_reverses_a_payment_that_is_final_only_with_it(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.tap("approve")
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)
        await client.say(OK)
        assert (await client.apdu())[:2] == b"\x06\xd3"
        await client.say("84 CC 00")
        await client.expect(ABORTED)

    on_terminal(scenario, ledger=tmp_path / "ledger", register=REGISTER_BLOCKS, print_final=True)
    assert charged(tmp_path / "ledger") == []


async def pay(terminal: VirtualTerminal, client: RawClient) -> bytes:
    terminal.tap("approve")
    await client.say(PAY_1250)
    await client.expect(OK)
    status = await client.apdu()
    await client.say(OK)
    await client.expect(COMPLETE)
    await client.say(OK)
    return status


def test_repeat_receipt_resends_the_last_transaction() -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(REPEAT)
        await client.expect(OK + "06 1E 01 83", "nothing to repeat yet")
        await client.say(OK)
        await pay(terminal, client)
        second = await pay(terminal, client)
        assert bytes.fromhex("0B 00 00 02") in second
        await client.say(REPEAT)
        await client.expect(OK + second.hex())
        await client.say(OK)
        await client.expect(COMPLETE)

    on_terminal(scenario)


def test_reversal_once_and_only_of_the_present_day(tmp_path: Path) -> None:
    reverse = "06 30 06 00 00 00 87 00 01"

    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(reverse)
        await client.expect(OK + "06 1E 01 B5")
        await client.say(OK)
        await pay(terminal, client)
        await client.say(reverse)
        await client.expect(OK)
        status = await client.apdu()
        assert bytes.fromhex("04 00 00 00 00 12 50") in status
        await client.say(OK)
        await client.expect(COMPLETE)
        await client.say(OK + reverse)
        await client.expect(OK + "06 1E 01 B4")
        await client.say(OK)
        await pay(terminal, client)
        await client.say("06 50 03 00 00 00")
        await client.expect(OK)
        total = await client.apdu()
        assert total[:2] == b"\x04\x0f"
        assert bytes.fromhex("04 00 00 00 00 12 50") in total
        assert bytes.fromhex("60 F0 F5 F3 00 01 00 03") in total
        await client.say(OK)
        await client.expect(COMPLETE)
        await client.say(OK + "06 30 06 00 00 00 87 00 03")
        await client.expect(OK + "06 1E 01 B5")

    on_terminal(scenario, ledger=tmp_path / "ledger")
    assert charged(tmp_path / "ledger") == [(1250, "captured"), (1250, "reversed"), (1250, "captured")]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        pytest.param("05 01 03 00 00 00", OK + "06 0F 01 00", id="status enquiry"),
        pytest.param("06 70 00", OK + COMPLETE, id="diagnosis"),
        pytest.param("06 93 03 00 00 00", OK + COMPLETE, id="initialisation"),
        pytest.param("06 C0 00", "84 83 00", id="unknown command"),
        pytest.param("06 01 02 FF 00", "84 83 00", id="unknown bitmap"),
        pytest.param("06 01 03 04 00 00", "84 9A 00", id="bitmap cut short"),
        pytest.param("06 01 07 04 00 00 00 00 12 5F", "84 9A 00", id="amount not decimal"),
        pytest.param("06 01 0A 04 00 00 00 00 12 50 49 08 40", OK + "06 1E 01 6F", id="wrong currency"),
        pytest.param("06 01 0A 04 00 00 00 00 00 00 49 09 78", OK + "06 1E 01 C8", id="no amount"),
        pytest.param("06 B0 00", OK, id="abort of nothing"),
    ],
)
def test_commands_beside_payments(command: str, answer: str) -> None:
    async def scenario(_terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(command)
        await client.expect(answer)

    on_terminal(scenario)


def test_no_payment_without_registration_and_none_beside_another() -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(PAY_1250)
        await client.expect(OK + "06 1E 01 6B")
        await client.say(OK)
        await registered(client)
        await client.say(PAY_1250)
        await client.expect(OK)
        await client.say(PAY_1250)
        await client.expect("84 9C 00")

    on_terminal(scenario, register="")


def test_unplugged_in_mid_payment_and_plugged_again_on_the_same_port(tmp_path: Path) -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        port = terminal.port
        await client.say(PAY_1250)
        await client.expect(OK)
        await terminal.unplug()
        assert await client.gone() == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await RawClient.open(port)
        await terminal.plug()
        assert terminal.port == port
        again = await reconnected(terminal)
        await pay(terminal, again)
        await again.close()

    on_terminal(scenario, ledger=tmp_path / "ledger")
    assert charged(tmp_path / "ledger") == [(1250, "captured")]


def test_numbers_go_on_after_a_restart_and_wrap(tmp_path: Path) -> None:
    async def first(terminal: VirtualTerminal, client: RawClient) -> None:
        terminal.set_profile({"trace": 999_998, "receipt": 9_998})
        await pay(terminal, client)

    async def second(terminal: VirtualTerminal, client: RawClient) -> None:
        status = await pay(terminal, client)
        assert bytes.fromhex("0B 00 00 01") in status
        assert bytes.fromhex("87 00 01") in status

    on_terminal(first, ledger=tmp_path / "ledger")
    on_terminal(second, ledger=tmp_path / "ledger")


def test_numbers_may_start_again_after_an_end_of_day() -> None:
    async def scenario(terminal: VirtualTerminal, client: RawClient) -> None:
        first = await pay(terminal, client)
        await client.say("06 50 03 00 00 00")
        await client.expect(OK)
        await client.apdu()
        await client.say(OK)
        await client.expect(COMPLETE)
        await client.say(OK + REPEAT)
        await client.expect(OK + "06 1E 01 83", "nothing to repeat in the new day")
        await client.say(OK)
        assert await pay(terminal, client) == first

    on_terminal(scenario, restart_numbers=True)


def test_an_automatic_customer_pays_without_anybody_tapping() -> None:
    async def scenario(_terminal: VirtualTerminal, client: RawClient) -> None:
        await client.say(PAY_1250)
        await client.expect(OK + PAID_1250_FIRST)

    on_terminal(scenario, auto="approve", auto_delay_s=0.02)


@pytest.mark.parametrize(
    ("faults", "names"),
    [
        ({"drop_at": {"direction": "up", "message": 1}}, "in, out"),
        ({"drop_at": {"direction": "in"}}, "message or bytes"),
        ({"drop_at": {"direction": "in", "message": 0}}, "from 1"),
        ({"drop_at": {"direction": "in", "message": 1, "manner": "gently"}}, "silent"),
        ({"drop": 1}, "drop_at"),
    ],
)
def test_faults_that_do_not_exist_are_named(faults: dict[str, object], names: str) -> None:
    with pytest.raises(Refused, match=names):
        VirtualTerminal().set_faults(faults)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"unacknowledged": "maybe"}, "stands, reverses"),
        ({"print_final": 1}, "true or false"),
        ({"t3_s": -1}, "number"),
        ({"status_byte": 1.5}, "whole number"),
        ({"auto": "steal"}, "approve"),
        ({"trace": 1_000_000}, "999999"),
        ({"colour": "red"}, "card_timeout_s"),
    ],
)
def test_profiles_that_do_not_exist_are_named(changes: dict[str, object], names: str) -> None:
    terminal = VirtualTerminal(profile=Profile(t3_s=2.0))
    with pytest.raises(Refused, match=names):
        terminal.set_profile(changes)
    assert terminal.profile == Profile(t3_s=2.0)


ANY_COMMAND = st.builds(
    lambda control, data: bytes((*control, len(data))) + data,
    st.tuples(st.integers(0, 6), st.integers(0, 255)),
    st.binary(max_size=40),
)
TRUE_WORDS = [bytes.fromhex(text) for text in (REGISTER_QUIET, PAY_1250, REPEAT, OK, "06 FF FF FF FF")]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(TRUE_WORDS), ANY_COMMAND), max_size=12))
def test_hostile_bytes_end_nothing(chunks: list[bytes]) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        raised: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _loop, context: raised.append(context))
        terminal = VirtualTerminal(profile=Profile(auto="approve", t3_s=0.01))
        await terminal.start()
        with socket.create_connection(("127.0.0.1", terminal.port)) as hostile:
            for chunk in chunks:
                hostile.sendall(chunk)
            await asyncio.sleep(0.005)
        client = await RawClient.open(terminal.port)
        await registered(client)
        await client.close()
        await terminal.stop()
        assert raised == []

    asyncio.run(scenario())


def test_a_drop_is_one_shot() -> None:
    terminal = VirtualTerminal()
    terminal.faults.drop_at = DropAt("out", message=1)
    terminal.faults.begin()
    assert not terminal.faults.passes_message("out")
    terminal.faults.end()
    assert terminal.faults.passes_message("out")
