"""The acquirer's end of day: on a scripted line, and with the virtual terminal that shares no code with the driver."""

import asyncio

import pytest

from hal.api.records import PaymentEnded, ReconcileAnswer, ReconcileState, SchemeTotal
from hal.drivers.contract import Busy
from hal.drivers.terminal.zvt.driver import ZvtTerminal
from hal.virtual.terminal import VirtualTerminal
from hal.virtual.terminal.profile import Profile
from tests.devices.replay import Reports, Step, load, serving
from tests.devices.terminal.bench import QUICK, bench, confirming

END_OF_DAY = [*load("zvt-end-of-day.txt"), Step("silence")]
REGISTER = load("zvt-registration.txt")


async def asked(steps: object, *, fragment: int = 0) -> ReconcileAnswer:
    async with bench(steps, fragment=fragment) as b:  # type: ignore[arg-type]
        return await b.terminal.reconcile("day-1")


@pytest.mark.parametrize("fragment", [0, 1])
def test_totals_by_scheme_and_receipt_numbers_and_what_is_printed(fragment: int) -> None:
    answer = asyncio.run(asked(END_OF_DAY, fragment=fragment))
    assert answer == ReconcileAnswer(
        ReconcileState.closed, 3250, "DKK", 2, "0010", "0011",
        [SchemeTotal("Mastercard", 1, 1250), SchemeTotal("Visa", 1, 2000)], ["End of day"], "",
    )  # fmt: skip


def test_the_same_id_is_not_sent_twice() -> None:
    async def twice() -> tuple[ReconcileAnswer, ReconcileAnswer]:
        async with bench(END_OF_DAY) as b:
            return await b.terminal.reconcile("day-1"), await b.terminal.reconcile("day-1")

    first, second = asyncio.run(twice())
    assert first == second


@pytest.mark.parametrize("cut", range(len(REGISTER) + 1, len(END_OF_DAY) - 2))
def test_a_line_lost_at_any_step_is_an_end_of_day_that_nobody_knows_of(cut: int) -> None:
    answer = asyncio.run(asked(END_OF_DAY[:cut]))
    assert answer.state is ReconcileState.unknown


def test_what_was_never_sent_raises_and_may_be_tried_again() -> None:
    async def early() -> None:
        async with bench(END_OF_DAY, ready=False) as b:
            with pytest.raises(Busy):
                await b.terminal.reconcile("day-1")
            await b.reports.ready()
            assert (await b.terminal.reconcile("day-1")).state is ReconcileState.closed

    asyncio.run(early())


def has_ended(reports: Reports, payment_id: str) -> bool:
    return any(isinstance(part, PaymentEnded) and part.payment_id == payment_id for part in reports.parts)


def test_the_virtual_terminals_totals_are_those_of_its_ledger() -> None:
    async def day() -> tuple[ReconcileAnswer, ReconcileAnswer]:
        terminal = VirtualTerminal(port=0, profile=Profile(auto="approve", slow_s=0.0))
        await terminal.start()
        reports = Reports()
        driver = ZvtTerminal(reports, host="127.0.0.1", port=terminal.port, timing=QUICK, currency="DKK")
        confirming(driver, reports)
        try:
            async with serving(driver.serve):
                await reports.ready()
                for n, amount in enumerate((1250, 2000)):
                    driver.authorise(f"t{n}", amount, "DKK", await driver.prepare())
                    await reports.until(lambda wanted=f"t{n}": has_ended(reports, wanted))
                    await reports.ready()
                return await driver.reconcile("day-1"), await driver.reconcile("day-2")
        finally:
            await terminal.stop()

    first, second = asyncio.run(day())
    assert (first.state, first.amount_minor, first.count, first.currency) == (ReconcileState.closed, 3250, 2, "DKK")
    assert int(first.last_receipt) == int(first.first_receipt) + 1
    assert (second.state, second.amount_minor, second.count) == (ReconcileState.closed, 0, 0)
