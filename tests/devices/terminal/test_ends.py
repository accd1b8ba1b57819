"""How a payment can end when something goes wrong: the line cut at every step, time-outs, contradictions."""

import asyncio

import pytest

from hal.api.records import (
    Outcome,
    PaymentEnded,
    PaymentLost,
    PaymentResult,
    PaymentState,
    Standing,
)
from hal.drivers.contract import Busy, NotAwaited
from hal.transports import DeviceGone
from tests.devices.replay import Step, load
from tests.devices.terminal.bench import Bench, bench, quick

SALE = (12345, "DKK", "")
APPROVED = load("zvt-approved.txt")
REGISTERED = len(load("zvt-registration.txt"))
APPROVAL = next(i for i, s in enumerate(APPROVED) if s.data[:2] == b"\x04\x0f")
COMPLETION = len(APPROVED) - 2

STATUS = "27 00 04 00 00 00 01 23 45 49 02 08 0B 00 07 33 0C 12 30 05 0D 06 29 87 00 42"
UP_TO_STATUS = f"""include zvt-registration.txt
> 06 01 LL 04 00 00 00 01 23 45 49 02 08 19 40
< 80 00 00
< 04 0F LL {STATUS}
"""
ACKNOWLEDGED = UP_TO_STATUS + "> 80 00 00\n"


def the_end(b: Bench) -> str:
    """The one end a payment has, in a word."""
    ends = [p for p in b.reports.parts if isinstance(p, PaymentLost | PaymentEnded)]
    refused = [p for p in b.reports.parts if isinstance(p, PaymentResult) and p.outcome is not Outcome.approved]
    assert len(ends) + len(refused) == 1, b.reports.parts
    if refused:
        return refused[0].reason
    end = ends[0]
    if isinstance(end, PaymentLost):
        assert end.sent
        return f"lost: {end.reason}"
    return end.standing.value


async def over(b: Bench) -> None:
    with pytest.raises(DeviceGone):
        await b.task


def allowed_ends(profile: str, cut: int) -> set[str]:
    """Which ends are right when the terminal goes after so many steps of the approved sale."""
    if cut <= APPROVAL:
        return {"lost: line_lost"}
    if cut == APPROVAL + 1:  # the status was sent, our acknowledgement not read
        return {"lost: line_lost", "unclear"}
    if cut == APPROVAL + 2:  # the terminal has it, but has not shown so
        return {"unclear"}
    if cut <= COMPLETION:
        return {"stands"} if profile == "status" else {"unclear"}
    return {"stands"}


@pytest.mark.parametrize("profile", ["status", "print"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("cut", range(REGISTERED + 1, len(APPROVED) + 1))
def test_the_line_is_cut_at_every_step(cut: int, reset: bool, profile: str) -> None:
    async def run() -> None:
        async with bench(APPROVED[:cut], reset=reset, profile=profile) as b:
            b.terminal.authorise("p1", *SALE)
            await over(b)
            end = the_end(b)
            if reset:  # a reset throws away what was on its way
                assert end in allowed_ends(profile, cut) | {"lost: line_lost", "unclear"}
                if cut > APPROVAL + 2:
                    assert end in {"stands", "unclear"}
            else:
                assert end in allowed_ends(profile, cut)
            state = b.terminal.authorise("p1", *SALE).state
            assert state is (PaymentState.approved if end == "stands" else PaymentState.unknown)
            with pytest.raises(NotAwaited):
                b.terminal.confirm("p1", 4)
            with pytest.raises(Busy):
                b.terminal.authorise("p2", *SALE)

    asyncio.run(run())


def test_the_line_is_lost_before_a_byte_was_sent() -> None:
    async def run() -> None:
        script = "include zvt-registration.txt\n> 05 01 03 00 00 00\n"
        async with bench(script, timing=quick(enquiry_interval_s=0.01)) as b:
            await b.device.over.wait()
            try:
                b.terminal.authorise("p1", *SALE)
            except Busy:
                return
            await over(b)
            assert b.reports.parts == [PaymentLost("p1", sent=False, reason="unplugged")]
            assert b.terminal.authorise("p1", *SALE).state is PaymentState.not_charged

    asyncio.run(run())


ENDINGS = {
    "no answer to the authorisation": ("\n".join(UP_TO_STATUS.splitlines()[:2]), "lost: no_answer", "lost: no_answer"),
    "no result": ("\n".join(UP_TO_STATUS.splitlines()[:3]), "lost: timeout", "lost: timeout"),
    "nothing after the acknowledgement": (ACKNOWLEDGED, "unclear", "unclear"),
    "a step after the acknowledgement": (ACKNOWLEDGED + "< 04 FF 01 0B\n> 80 00 00", "stands", "unclear"),
    "completion": (ACKNOWLEDGED + "< 06 0F 00\n> 80 00 00", "stands", "stands"),
    "completion with an error": (ACKNOWLEDGED + "< 06 0F 02 27 6C\n> 80 00 00", "unclear", "unclear"),
    "abort": (ACKNOWLEDGED + "< 06 1E 01 6C\n> 80 00 00", "unclear", "unclear"),
    "taken back": (ACKNOWLEDGED + "< 04 0F 02 27 6C\n> 80 00 00\n< 06 1E 01 6C\n> 80 00 00", "void", "void"),
    "taken back, then silence": (ACKNOWLEDGED + "< 04 0F 02 27 6C\n> 80 00 00", "unclear", "unclear"),
    "taken back, then completion": (
        ACKNOWLEDGED + "< 04 0F 02 27 6C\n> 80 00 00\n< 06 0F 00\n> 80 00 00",
        "unclear",
        "unclear",
    ),
    "the approval again": (
        ACKNOWLEDGED + f"< 04 0F LL {STATUS}\n> 80 00 00\n< 06 0F 00\n> 80 00 00",
        "stands",
        "stands",
    ),
    "another approval": (ACKNOWLEDGED + f"< 04 0F LL {STATUS[:-2]}43\n", "unclear", "unclear"),
    "junk after the acknowledgement": (ACKNOWLEDGED + "< 00 00 00", "unclear", "unclear"),
    "junk before": ("\n".join(UP_TO_STATUS.splitlines()[:3]) + "\n< 00 00 00", "lost: protocol", "lost: protocol"),
    "another currency": (
        UP_TO_STATUS.replace("49 02 08 0B", "49 09 78 0B"),
        "lost: wrong_currency",
        "lost: wrong_currency",
    ),
    "no result code": (UP_TO_STATUS.replace("27 00 04", "04"), "lost: unclear_status", "lost: unclear_status"),
    "two amounts": (
        UP_TO_STATUS.replace("27 00 04", "04 00 00 00 00 00 01 27 00 04"),
        "lost: unclear_status",
        "lost: unclear_status",
    ),
    "amount beyond an unknown bitmap": (
        UP_TO_STATUS.replace("27 00 04", "27 00 F7 04"),
        "lost: unclear_status",
        "lost: unclear_status",
    ),
    "completion without a status": (
        "\n".join(UP_TO_STATUS.splitlines()[:3]) + "\n< 06 0F 00\n> 80 00 00",
        "lost: no_result",
        "lost: no_result",
    ),
    "a time-out on the terminal": (
        "\n".join(UP_TO_STATUS.splitlines()[:3]) + "\n< 04 0F 02 27 6C\n> 80 00 00\n< 06 1E 01 6C\n> 80 00 00",
        "customer_cancelled",
        "customer_cancelled",
    ),
    "a completion after a refusal": (
        "\n".join(UP_TO_STATUS.splitlines()[:3]) + "\n< 04 0F 02 27 05\n> 80 00 00\n< 06 0F 00\n> 80 00 00",
        "card_declined",
        "card_declined",
    ),
}


@pytest.mark.parametrize("profile", ["status", "print"])
@pytest.mark.parametrize("name", ENDINGS)
def test_endings(name: str, profile: str) -> None:
    async def run() -> None:
        script, status, printing = ENDINGS[name]
        async with bench(script + "\nsilence", profile=profile) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(
                lambda: any(
                    isinstance(p, PaymentLost | PaymentEnded)
                    or (isinstance(p, PaymentResult) and p.outcome is not Outcome.approved)
                    for p in b.reports.parts
                )
            )
            assert the_end(b) == (status if profile == "status" else printing)
            await b.device.over.wait()
            assert b.device.error == ""

    asyncio.run(run())


def test_the_terminal_gives_up_waiting_for_the_acknowledgement() -> None:
    async def run() -> None:
        script = UP_TO_STATUS + "< 04 0F 02 27 6C\nsilence"
        async with bench(script, confirm=False, confirm_window_s=5) as b:
            b.terminal.authorise("p1", *SALE)
            await over(b)
            assert the_end(b) == "lost: not_confirmed"

    asyncio.run(run())


def test_nothing_is_sent_while_an_approval_waits() -> None:
    async def run() -> None:
        script = UP_TO_STATUS + "< 04 FF 01 0E\n< 04 0F LL " + STATUS + "\n> 80 00 00\n< 06 0F 00\n> 80 00 00"
        async with bench(script, confirm=False, confirm_window_s=5) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: bool(b.reports.parts))
            await asyncio.sleep(0.02)
            b.terminal.abort("p1")
            b.terminal.confirm("p1", 1)
            await b.reports.until(lambda: len(b.reports.parts) >= 2)
            await b.device.over.wait()
            assert b.device.error == ""
            assert the_end(b) == "stands"

    asyncio.run(run())


def test_a_stop_of_the_daemon_in_the_midst_of_a_payment() -> None:
    async def run() -> None:
        async with bench([*APPROVED[: APPROVAL - 1], Step("silence")]) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: len(b.reports.parts) >= 2)
            b.task.cancel()
            await asyncio.gather(b.task, return_exceptions=True)
            assert the_end(b) == "lost: stopped"

    asyncio.run(run())


def test_a_status_nobody_asked_for_is_not_acknowledged() -> None:
    async def run() -> None:
        # the next thing the lane says answers the dial-up request
        script = f"include zvt-registration.txt\n< 04 0F LL {STATUS}\n< 06 D8 00\n> 84 83 00\nsilence"
        async with bench(script) as b:
            await b.device.over.wait()
            assert b.device.error == ""

    asyncio.run(run())


def test_secrets_of_a_misconfigured_terminal_stay_out_of_everything() -> None:
    async def run() -> None:
        async with bench(load("zvt-track-data.txt")) as b:
            b.terminal.authorise("p1", *SALE)
            await b.reports.until(lambda: bool(b.reports.only(PaymentEnded)))
            shown = repr(b.reports.parts) + repr(vars(b.terminal)) + repr(b.terminal.authorise("p1", *SALE))
            assert "1111111" not in shown.replace(" ", "")
            assert b.reports.parts[-1] == PaymentEnded("p1", Standing.stands, ["**** **** **** 1111"])

    asyncio.run(run())
