"""What the terminal's own record says of a payment, by comparison and over the line."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.api.records import PaymentLost, PaymentState
from hal.drivers.contract import Busy
from hal.drivers.terminal.zvt.codec import Fields
from hal.drivers.terminal.zvt.judge import Record, compare, read_witness, record_of, write_witness
from hal.transports import DeviceGone
from tests.devices.replay import Step, load, parse, serving
from tests.devices.terminal.bench import bench, quick

BEFORE = Record(
    tid="52500001",
    trace="000732",
    receipt="0041",
    date="0629",
    time="120000",
    amount=1000,
    currency="0208",
    result=0,
)
OURS = replace(BEFORE, trace="000733", receipt="0042", time="123005", amount=12345)
EMPTY = Record(tid="52500001", empty=True)

APPROVED, NOT_CHARGED, UNKNOWN = PaymentState.approved, PaymentState.not_charged, PaymentState.unknown
COMPARISONS: dict[str, tuple[Record, Record, PaymentState]] = {
    "advanced and ours": (BEFORE, OURS, APPROVED),
    "unchanged": (BEFORE, BEFORE, NOT_CHARGED),
    "unchanged, and of our amount": (OURS, OURS, NOT_CHARGED),
    "first payment ever": (EMPTY, OURS, APPROVED),
    "none, and none before": (EMPTY, EMPTY, NOT_CHARGED),
    "another amount": (BEFORE, replace(OURS, amount=12344), UNKNOWN),
    "no amount": (BEFORE, replace(OURS, amount=None), UNKNOWN),
    "another currency": (BEFORE, replace(OURS, currency="0978"), UNKNOWN),
    "no currency told": (BEFORE, replace(OURS, currency=""), APPROVED),
    "another terminal": (BEFORE, replace(OURS, tid="52500002"), UNKNOWN),
    "a failed transaction": (BEFORE, replace(OURS, result=5), UNKNOWN),
    "a reversal of our amount": (BEFORE, replace(OURS, reversal=True), UNKNOWN),
    "the record is gone": (BEFORE, EMPTY, UNKNOWN),
    "trace wrapped": (replace(BEFORE, trace="999999"), replace(OURS, trace="000001"), APPROVED),
    "numbers restarted": (BEFORE, replace(OURS, trace="000001", receipt="0001"), APPROVED),
    "the same trace": (BEFORE, replace(OURS, trace="000732"), UNKNOWN),
    "the same second, the next number": (BEFORE, replace(OURS, time="120000"), APPROVED),
    "the same second, wrapped": (
        replace(BEFORE, trace="999999"),
        replace(OURS, time="120000", trace="000001"),
        APPROVED,
    ),
    "the same second, not the next": (BEFORE, replace(OURS, time="120000", trace="000734"), UNKNOWN),
    "the same second, a number before": (BEFORE, replace(OURS, time="120000", trace="000731"), UNKNOWN),
    "earlier": (BEFORE, replace(OURS, time="115959"), UNKNOWN),
    "over new year": (replace(BEFORE, date="1231"), replace(OURS, date="0101"), APPROVED),
    "on 29 February": (replace(BEFORE, date="0228"), replace(OURS, date="0229"), APPROVED),
    "half a year back": (replace(BEFORE, date="0629"), replace(OURS, date="0601"), UNKNOWN),
    "no trace, but a receipt number": (replace(BEFORE, trace=""), replace(OURS, trace=""), APPROVED),
    "no number at all": (replace(BEFORE, trace="", receipt=""), replace(OURS, trace="", receipt=""), UNKNOWN),
    "no time": (BEFORE, replace(OURS, time=""), UNKNOWN),
    "an impossible date": (BEFORE, replace(OURS, date="1332"), UNKNOWN),
    "the terminal cannot say": (BEFORE, Record(tid="52500001", error="FB"), UNKNOWN),
    "it could not say before": (Record(tid="52500001", error="FB"), OURS, UNKNOWN),
    "nothing to repeat before, ours now": (Record(tid="52500001", error="83"), OURS, APPROVED),
    "nothing to repeat before, another amount now": (Record(error="83"), replace(OURS, amount=1), UNKNOWN),
    "nothing to repeat, before and now": (Record(error="83"), Record(error="83"), UNKNOWN),
    "nothing to repeat, then none": (Record(error="83"), EMPTY, UNKNOWN),
    "it never could say": (Record(error="FB"), Record(error="FB"), UNKNOWN),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    before, now, state = COMPARISONS[name]
    assert compare(before, now, 12345, "0208")[0] is state
    assert compare(read_witness(write_witness(before)), now, 12345, "0208")[0] is state


WITNESSES = [
    "",
    "null",
    "[]",
    "{}x",
    '{"foo":1}',
    '{"trace":1}',
    '{"amount":"1"}',
    '{"amount":true}',
    '{"empty":1}',
    '{"trace":"x","date":"0629","time":"123005"}',
    "[" * 5000,
    "x" * 1025,
]


@pytest.mark.parametrize("text", WITNESSES, ids=range(len(WITNESSES)))
def test_a_witness_that_is_none_settles_nothing(text: str) -> None:
    assert compare(read_witness(text), OURS, 12345, "0208")[0] is UNKNOWN
    assert compare(read_witness(text), EMPTY, 12345, "0208")[0] is UNKNOWN


@given(st.text(max_size=80))
def test_no_witness_can_make_the_comparison_fail(text: str) -> None:
    compare(read_witness(text), OURS, 12345, "0208")


def test_an_empty_witness_is_not_a_witness_of_emptiness() -> None:
    assert compare(read_witness("{}"), OURS, 12345, "0208")[0] is UNKNOWN


@pytest.mark.parametrize(
    "fields",
    [
        Fields(),
        Fields(result_code=0, undecoded=True),
        Fields(result_code=0, conflicting=True),
        Fields(result_code=0, totals=True),
    ],
)
def test_status_information_that_makes_no_record(fields: Fields) -> None:
    assert record_of(fields, "").error


# Over the line

SALE = (12345, "DKK")
ASK = "> 05 01 03 00 00 00\n< 80 00 00\n< 06 0F 01 00\n> 80 00 00\n> 06 20 05 00 00 00 03 03\n"
LAST = "04 0F LL 27 00 04 00 00 00 00 10 00 49 02 08 0B 00 07 32 0C 12 00 00 0D 06 29 87 00 41 29 52 50 00 01"
NEW = "04 0F LL 27 00 04 00 00 00 01 23 45 49 02 08 0B 00 07 33 0C 12 30 05 0D 06 29 87 00 42 29 52 50 00 01"
WITNESS = write_witness(BEFORE)


def enquiry(status: str) -> str:
    return f"> 05 01 03 00 00 00\n< 80 00 00\n< 06 0F 01 {status}\n> 80 00 00\n"


def told(status: str) -> str:
    return f"{ASK}< 80 00 00\n< {status}\n> 80 00 00\n< 06 0F 00\n> 80 00 00\n"


REGISTER = "include zvt-registration.txt\n"
OVER_THE_LINE: dict[str, tuple[str, PaymentState, str]] = {
    "charged": (told(NEW), APPROVED, "advanced"),
    "not charged": (told(LAST), NOT_CHARGED, "unchanged"),
    "another amount": (told(NEW.replace("01 23 45", "00 05 00")), UNKNOWN, "other_amount"),
    "busy, then charged": (ASK + "< 84 9C 00\n" + told(NEW), APPROVED, "advanced"),
    "waiting, then charged": (
        enquiry("9C") + enquiry("9C") + enquiry("00") + told(NEW),
        APPROVED,
        "advanced",
    ),
    "refused": (ASK + "< 84 83 00\n", UNKNOWN, "unreadable_record"),
    "aborted": (ASK + "< 80 00 00\n< 06 1E 01 FB\n> 80 00 00\n", UNKNOWN, "unreadable_record"),
    "nothing told": (ASK + "< 80 00 00\n< 06 0F 00\n> 80 00 00\n", UNKNOWN, "record_gone"),
    "no answer": (ASK, PaymentState.unreachable, "no_answer"),
}


@pytest.mark.parametrize("name", OVER_THE_LINE)
def test_query_over_the_line(name: str) -> None:
    async def run() -> None:
        script, state, detail = OVER_THE_LINE[name]
        async with bench(REGISTER + script + "silence") as b:
            answer = await b.terminal.query("p1", *SALE, WITNESS)
            assert (answer.state, answer.detail) == (state, detail)
            assert "expected" not in b.device.error
            told_of_one = state is APPROVED or detail == "other_amount"
            assert (answer.card is not None) == told_of_one
            if detail == "other_amount" and answer.card:
                assert (answer.card.authorised_minor, answer.card.currency) == (500, "DKK")
            elif answer.card:
                assert (answer.card.receipt_no, answer.card.authorised_minor) == ("0042", 12345)
                assert b.terminal.authorise("p1", *SALE, "").state is APPROVED  # and it is never run

    asyncio.run(run())


def test_query_after_the_line_was_lost_in_a_payment() -> None:
    async def run() -> None:
        sale = "> 06 01 LL 04 00 00 00 01 23 45 49 02 08 19 40\n< 80 00 00\n< 04 FF 01 0A\n> 80 00 00\n"
        script = REGISTER + sale + "connection\n" + REGISTER + told(NEW) + "silence"
        async with bench(script, timing=quick(query_s=3)) as b:
            b.terminal.authorise("p1", *SALE, WITNESS)
            with pytest.raises(DeviceGone):
                await b.task
            assert b.reports.parts[-1] == PaymentLost("p1", sent=True, reason="line_lost")
            asked = asyncio.create_task(b.terminal.query("p1", *SALE, WITNESS))
            async with serving(b.terminal.serve):
                assert (await asked).state is APPROVED
                assert (await b.terminal.query("p1", *SALE, WITNESS)).state is APPROVED  # from memory now
            assert b.device.heard[1].count(b"\x06\x01") == 0

    asyncio.run(run())


def test_a_new_connection_is_not_believed_before_the_terminal_has_given_the_old_one_up() -> None:
    async def run() -> None:
        async with bench(REGISTER + told(LAST) + "silence", timing=quick(settle_s=0.15, query_s=3)) as b:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            assert (await b.terminal.query("p1", *SALE, WITNESS)).state is NOT_CHARGED
            assert loop.time() - began_s > 0.1
        async with bench(REGISTER + told(LAST) + "silence", timing=quick(settle_s=3, query_s=0.1)) as b:
            assert (await b.terminal.query("p1", *SALE, WITNESS)).state is PaymentState.unreachable

    asyncio.run(run())


def test_query_while_the_payment_runs_and_while_it_waits() -> None:
    async def run() -> None:
        async with bench(load("zvt-approved.txt"), confirm=False, confirm_window_s=5) as b:
            b.terminal.authorise("p1", *SALE, "")
            assert (await b.terminal.query("p1", *SALE, "")).state is PaymentState.in_progress
            await b.reports.until(lambda: len(b.reports.parts) == 4)
            held = await b.terminal.query("p1", *SALE, "")
            assert (held.state, held.result_seq) == (APPROVED, 4)

    asyncio.run(run())


def test_query_when_the_terminal_cannot_be_reached() -> None:
    async def run() -> None:
        async with bench("silence", ready=False, timing=quick(query_s=0.05)) as b:
            assert (await b.terminal.query("p1", *SALE, WITNESS)).state is PaymentState.unreachable

    asyncio.run(run())


def test_prepare_tells_the_last_transaction() -> None:
    async def run() -> None:
        async with bench([*load("zvt-prepare.txt"), Step("silence")]) as b:
            witness = await b.terminal.prepare()
            assert read_witness(witness) == BEFORE
            assert len(witness) < 1024
            assert b.reports.info["software"] == "1.23"
            assert b.device.error == ""

    asyncio.run(run())


PREPARED = {
    "nothing told": ("< 80 00 00\n< 06 0F 00\n> 80 00 00\n", {"tid": "52500001", "empty": True}),
    "a code that means nothing yet": ("< 84 6A 00\n", {"tid": "52500001", "empty": True}),
    "another code": ("< 84 83 00\n", {"tid": "52500001", "error": "83"}),
}


@pytest.mark.parametrize("name", PREPARED)
def test_prepare_on_a_terminal_without_a_record(name: str) -> None:
    async def run() -> None:
        script, witness = PREPARED[name]
        async with bench(REGISTER + ASK + script + "silence", empty_codes=frozenset({0x6A})) as b:
            assert json.loads(await b.terminal.prepare()) == witness

    asyncio.run(run())


def test_prepare_with_no_answer() -> None:
    async def run() -> None:
        async with bench(REGISTER + "> 05 01 03 00 00 00\nsilence") as b:
            with pytest.raises(Busy, match="no_answer"):
                await b.terminal.prepare()
            with pytest.raises(DeviceGone, match="no_answer"):
                await b.task

    asyncio.run(run())


# Reversal

REVERSAL = load("zvt-reversal.txt")
SENT = REGISTER + "> 06 30 LL 00 00 00 87 00 42 04 00 00 00 01 23 45 49 02 08\n"
REVERSALS = {
    "reversed": (None, PaymentState.cancelled, "reversed"),
    "refused": (SENT + "< 84 B5 00\n", PaymentState.declined, "B5"),
    "refused later": (
        SENT + "< 80 00 00\n< 04 0F 02 27 B5\n> 80 00 00\n< 06 1E 01 B5\n> 80 00 00\n",
        PaymentState.declined,
        "B5",
    ),
    "already reversed": (SENT + "< 80 00 00\n< 06 1E 01 B4\n> 80 00 00\n", PaymentState.cancelled, "already_reversed"),
    "contradiction": (
        SENT + "< 80 00 00\n< 04 0F 02 27 00\n> 80 00 00\n< 06 1E 01 6C\n> 80 00 00\n",
        UNKNOWN,
        "6C",
    ),
    "another amount": (
        SENT + "< 80 00 00\n< 04 0F LL 27 00 04 00 00 00 00 00 01\n> 80 00 00\n< 06 0F 00\n> 80 00 00\n",
        UNKNOWN,
        "unclear_status",
    ),
    "no word of the result": (SENT + "< 80 00 00\n< 06 0F 00\n> 80 00 00\n", UNKNOWN, "unclear_status"),
    "no answer": (SENT, UNKNOWN, "no_answer"),
}


@pytest.mark.parametrize("name", REVERSALS)
def test_reversals_run_once(name: str) -> None:
    async def run() -> None:
        script, state, detail = REVERSALS[name]
        steps = [*(REVERSAL if script is None else list(parse(script))), Step("silence")]
        async with bench(steps) as b:
            both = await asyncio.gather(
                b.terminal.reverse("p1", "r1", "42", *SALE), b.terminal.reverse("p1", "r1", "42", *SALE)
            )
            assert [(a.state, a.detail) for a in both] == [(state, detail)] * 2
            again = await b.terminal.reverse("p1", "r1", "42", *SALE)
            assert again == both[0]
            assert b.device.error == ""

    asyncio.run(run())


def test_a_reversal_needs_a_terminal() -> None:
    async def run() -> None:
        async with bench("silence", ready=False) as b:
            with pytest.raises(Busy):
                await b.terminal.reverse("p1", "r1", "42", *SALE)
            with pytest.raises(ValueError, match="receipt number"):
                await b.terminal.reverse("p1", "r1", "12345", *SALE)

    asyncio.run(run())
