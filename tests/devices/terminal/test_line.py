"""Registration, idle life, hostile terminals and what is refused before anything is sent."""

import asyncio

import pytest

from hal.api.records import Condition
from hal.drivers.contract import Busy
from hal.transports import DeviceGone
from tests.devices.replay import Reports, Step, load, serving
from tests.devices.terminal.bench import bench, quick

REGISTER = "include zvt-registration.txt\n"


def test_nobody_listens() -> None:
    async def run() -> None:
        async with bench("silence", ready=False) as b:
            pass  # the listener is closed now
        async with serving(b.terminal.serve) as task:
            with pytest.raises(DeviceGone, match="unreachable"):
                await task

    asyncio.run(run())


def test_a_refused_registration_is_a_fault_and_tried_again() -> None:
    async def run() -> None:
        words = "> " + load("zvt-registration.txt")[0].data.hex(" ")
        script = (
            f"{words}\n< 84 1E 03 6F 09 78\n{words}\n< 80 00 00\n< 06 1E 01 83\n> 80 00 00\n" + REGISTER + "silence"
        )
        async with bench(script) as b:
            assert [c for c, _ in b.reports.conditions].count(Condition.fault) == 2
            assert (Condition.fault, "not_registered") in b.reports.conditions
            assert b.device.error == ""

    asyncio.run(run())


def test_no_answer_to_the_registration() -> None:
    async def run() -> None:
        async with bench("silence", ready=False) as b:
            with pytest.raises(DeviceGone, match="no_answer"):
                await b.task

    asyncio.run(run())


def test_what_the_terminal_starts_by_itself_is_answered() -> None:
    async def run() -> None:
        script = REGISTER + (
            "< 04 FF 01 0E\n> 80 00 00\n< 06 D1 03 00 48 69\n> 80 00 00\n"
            "< 04 01 08 AA 26 06 29 0C 12 00 00\n> 80 00 00\n"
            "< 06 D8 00\n> 84 83 00\n< 06 0F 00\n> 80 00 00\n"
            "< 04 0F LL 27 00 60 F0 F0 F1 00\n> 80 00 00\nsilence"  # an end of day of its own
        )
        async with bench(script) as b:
            await b.device.over.wait()
            assert b.device.error == ""

    asyncio.run(run())


ENQUIRY = "> 05 01 03 00 00 00\n< 80 00 00\n"
STATUSES = {
    "00": (Condition.ready, ""),
    "DC": (Condition.ready, ""),
    "F0": (Condition.ready, ""),
    "9C": (Condition.busy, ""),
    "51": (Condition.fault, "offline"),
    "DF": (Condition.fault, "offline"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_an_idle_terminal_is_asked_for_its_status(status: str) -> None:
    async def run() -> None:
        script = (
            REGISTER + ENQUIRY + f"< 06 0F 01 {status}\n> 80 00 00\n" + ENQUIRY + "< 06 0F 01 00\n> 80 00 00\nsilence"
        )
        async with bench(script, timing=quick(enquiry_interval_s=0.02)) as b:
            await b.device.over.wait()
            assert b.device.error == ""
            assert STATUSES[status] in b.reports.conditions[2:]
            await b.reports.ready()

    asyncio.run(run())


def test_a_terminal_that_hangs_while_idle_is_noticed() -> None:
    async def run() -> None:
        async with bench(REGISTER + "silence", timing=quick(enquiry_interval_s=0.02)) as b:
            with pytest.raises(DeviceGone, match="no_answer"):
                await b.task
            with pytest.raises(Busy):
                b.terminal.authorise("p1", 100, "DKK", "")

    asyncio.run(run())


HOSTILE = {
    "zeros": [Step("<", bytes(1_000_000))] * 10,
    "text": [Step("<", b"HTTP/1.1 400 Bad Request\r\n\r\n")],
    "a huge length": [Step("<", b"\x06\xd3\xff\xff\xff")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_terminal_is_left(name: str) -> None:
    async def run() -> None:
        async with bench([*load("zvt-registration.txt"), *HOSTILE[name], Step("silence")], ready=False) as b:
            with pytest.raises(DeviceGone, match="protocol"):
                await b.task

    asyncio.run(run())


@pytest.mark.parametrize(
    ("amount", "currency"), [(0, "DKK"), (-5, "DKK"), (10**12, "DKK"), (100, "XXX"), (100, "dkk"), (100, "")]
)
def test_payments_zvt_cannot_carry(amount: int, currency: str) -> None:
    async def run() -> None:
        async with bench(REGISTER + "silence") as b:
            with pytest.raises(ValueError, match=r"amount|currency"):
                b.terminal.authorise("p1", amount, currency, "")
            assert b.reports.parts == []

    asyncio.run(run())


@pytest.mark.parametrize("answer", ["80 00 00", "84 83 00"])
def test_identify(answer: str) -> None:
    async def run() -> None:
        script = REGISTER + f"> 06 E0 LL F0 05 F1 F0 F5 4B 61 73 73 61 F9 01\n< {answer}\nsilence"
        async with bench(script) as b:
            if answer.startswith("80"):
                await b.terminal.identify()
            else:
                with pytest.raises(Busy, match="unsupported"):
                    await b.terminal.identify()

    asyncio.run(run())


def test_a_wrong_password_in_the_configuration() -> None:
    from hal.drivers.terminal.zvt.driver import ZvtTerminal

    with pytest.raises(ValueError, match="six digits"):
        ZvtTerminal(Reports(), host="127.0.0.1", password="12")
