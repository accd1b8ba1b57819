"""A payment from its first byte to its end, on transcripts written from PA00P015."""

import asyncio

import pytest

from hal.api.records import (
    CardDetails,
    Condition,
    Outcome,
    PaymentEnded,
    PaymentLost,
    PaymentProgress,
    PaymentResult,
    PaymentState,
    Progress,
    Standing,
)
from hal.drivers.contract import Busy, NotAwaited
from hal.transports import DeviceGone
from tests.devices.replay import Step, load
from tests.devices.terminal.bench import bench

APPROVED = load("zvt-approved.txt")
SALE = (12345, "DKK", "")
CARD = CardDetails(
    authorised_minor=12345,
    currency="DKK",
    masked_pan="************7743",
    scheme="VISA",
    terminal_id="52500001",
    trace_no="000733",
    receipt_no="0042",
    authorisation_code="889150",
    terminal_time="06-29 12:30:05",
)


@pytest.mark.parametrize("profile", ["status", "print"])
@pytest.mark.parametrize("fragment", [0, 1, 3])
def test_approval(profile: str, fragment: int) -> None:
    async def run() -> None:
        async with bench(APPROVED, profile=profile, fragment=fragment) as b:
            assert b.reports.info["terminal_id"] == "52500001"
            assert b.terminal.authorise("p1", *SALE).state is PaymentState.in_progress
            await b.reports.until(lambda: bool(b.reports.only(PaymentEnded)))
            await b.device.over.wait()
            assert b.device.error == ""
            assert b.reports.parts == [
                PaymentProgress("p1", Progress.present_card, "Inds{t kort"),
                PaymentProgress("p1", Progress.enter_pin, ""),
                PaymentProgress("p1", Progress.authorising, ""),
                PaymentResult("p1", Outcome.approved, "", "00", CARD),
                PaymentProgress("p1", Progress.remove_card, ""),
                PaymentEnded("p1", Standing.stands, ["BUTIKK", " TAK!"]),
            ]
            answer = b.terminal.authorise("p1", *SALE)
            assert (answer.state, answer.card, answer.result_seq) == (PaymentState.approved, CARD, 0)
            assert Condition.busy in [c for c, _ in b.reports.conditions]

    asyncio.run(run())


def test_the_acknowledgement_waits_for_the_confirmation() -> None:
    async def run() -> None:
        async with bench(APPROVED, confirm=False, confirm_window_s=5) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: bool(b.reports.only(PaymentResult)))
            heard = b.device.heard[-1]
            held = b.terminal.authorise("p1", *SALE)
            assert (held.state, held.result_seq, held.card) == (PaymentState.approved, 4, CARD)
            await asyncio.sleep(0.05)
            assert b.device.heard[-1] == heard
            with pytest.raises(NotAwaited):
                b.terminal.confirm("p1", 3)
            b.terminal.confirm("p1", 4)
            with pytest.raises(NotAwaited):
                b.terminal.confirm("p1", 4)
            await b.reports.until(lambda: bool(b.reports.only(PaymentEnded)))

    asyncio.run(run())


def test_no_confirmation_in_time_means_no_acknowledgement() -> None:
    async def run() -> None:
        upto = next(i for i, s in enumerate(APPROVED) if s.data[:2] == b"\x04\x0f") + 1
        async with bench([*APPROVED[:upto], Step("silence")], confirm=False, confirm_window_s=0.05) as b:
            b.terminal.authorise("p1", *SALE)
            with pytest.raises(DeviceGone, match="not_confirmed"):
                await b.task
            assert b.reports.parts[-1] == PaymentLost("p1", sent=True, reason="not_confirmed")
            await asyncio.sleep(0.02)
            assert b.device.heard[-1].count(b"\x80\0\0") == 4  # registration and three steps, not the approval
            with pytest.raises(NotAwaited):
                b.terminal.confirm("p1", 4)
            assert b.terminal.authorise("p1", *SALE).state is PaymentState.unknown

    asyncio.run(run())


REFUSALS = {
    "zvt-declined.txt": (Outcome.declined, "card_declined", "05"),
    "zvt-aborted.txt": (Outcome.cancelled, "aborted", "6C"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    async def run() -> None:
        async with bench(load(name)) as b:
            b.terminal.authorise("p1", *SALE)
            if "aborted" in name:
                await b.reports.until(lambda: bool(b.reports.only(PaymentProgress)))
                b.terminal.abort("p1")
            await b.reports.until(lambda: bool(b.reports.only(PaymentResult)))
            await b.device.over.wait()
            assert b.device.error == ""
            outcome, reason, code = REFUSALS[name]
            assert b.reports.parts[-1] == PaymentResult("p1", outcome, reason, code, None)
            seq = len(b.reports.parts)
            answer = b.terminal.authorise("p1", *SALE)
            assert (answer.state.value, answer.result_seq) == (outcome.value, seq)
            b.terminal.confirm("p1", seq)  # even though the line is gone by now
            with pytest.raises(NotAwaited):
                b.terminal.confirm("p1", seq)

    asyncio.run(run())


def test_wrong_pin_is_not_the_end() -> None:
    async def run() -> None:
        async with bench(load("zvt-wrong-pin.txt")) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: bool(b.reports.only(PaymentEnded)))
            (result,) = b.reports.only(PaymentResult)
            assert isinstance(result, PaymentResult)
            assert result.outcome is Outcome.approved

    asyncio.run(run())


def test_a_terminal_that_says_no_at_once() -> None:
    async def run() -> None:
        script = "include zvt-registration.txt\n> 06 01 LL 04 00 00 00 01 23 45 49 02 08 19 40\n< 84 9C 00\nsilence"
        async with bench(script) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: bool(b.reports.parts))
            assert b.reports.parts == [PaymentResult("p1", Outcome.cancelled, "terminal_busy", "9C", None)]
            await b.reports.ready()

    asyncio.run(run())


def test_one_payment_at_a_time() -> None:
    async def run() -> None:
        async with bench(APPROVED, confirm=False, confirm_window_s=5) as b:
            b.terminal.authorise("p1", *SALE)
            with pytest.raises(Busy, match="busy"):
                b.terminal.authorise("p2", *SALE)

    asyncio.run(run())


def test_before_the_terminal_is_there() -> None:
    async def run() -> None:
        async with bench("silence", ready=False) as b:
            with pytest.raises(Busy):
                b.terminal.authorise("p1", *SALE)
            with pytest.raises(Busy):
                await b.terminal.prepare()

    asyncio.run(run())
