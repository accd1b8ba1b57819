"""Jobs, faults and unplugging of an ESC/POS printer, on scripted sessions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hal.api.records import Condition, JobState, PrintEnded, PrintOutcome
from hal.drivers.contract import Busy
from hal.drivers.printer.escpos.driver import MAX_JOB_BYTES, EscposPrinter, Timing
from hal.transports import DeviceGone
from tests.devices.replay import Device, Reports, Step, device, load, serving

QUICK = Timing(connect_s=1, write_s=0.5, answer_s=0.1, poll_s=30, job_s=0.3)
HELLO = b"hello\n"
GREETING = load("escpos-greeting.txt")


@dataclass
class Bench:
    printer: EscposPrinter
    reports: Reports
    device: Device
    task: asyncio.Task[None]


@asynccontextmanager
async def bench(
    steps: Sequence[Step] | str, *, timing: Timing = QUICK, ready: bool = True, **options: Any
) -> AsyncIterator[Bench]:
    reports = Reports()
    async with device(steps) as peer:
        printer = EscposPrinter(reports, host="127.0.0.1", port=peer.port, timing=timing, **options)
        async with serving(printer.serve) as task:
            if ready:
                await reports.ready()
            yield Bench(printer, reports, peer, task)


def test_a_job_is_printed_when_the_printer_says_so() -> None:
    async def run() -> None:
        async with bench([*load("escpos-printed.txt"), Step("silence")]) as b:
            assert b.reports.info == {"model": "TM-T88"}
            assert b.printer.job("j1") is JobState.unknown
            assert b.printer.print("j1", HELLO) is JobState.printing
            await b.reports.until(lambda: bool(b.reports.parts))
            assert b.reports.parts == [PrintEnded("j1", PrintOutcome.printed, "")]
            assert b.printer.print("j1", HELLO) is JobState.printed
            await b.reports.ready()
            assert b.device.error == ""
            assert b.device.heard[0].count(HELLO) == 1
            states = [c for c, _ in b.reports.conditions]
            assert states[0] is Condition.opening
            assert Condition.busy in states

    asyncio.run(run())


def test_paper_that_ends_in_the_midst_of_a_job() -> None:
    async def run() -> None:
        async with bench([*load("escpos-paper-out.txt"), Step("silence")], timing=replace(QUICK, job_s=5)) as b:
            b.printer.print("j1", HELLO)
            await b.reports.fault("paper_out")
            assert b.reports.warnings == ["paper_near_end"]
            assert "paper roll" in b.reports.advice
            assert b.printer.job("j1") is JobState.printing
            with pytest.raises(Busy, match="paper_out"):
                b.printer.print("j2", HELLO)
            b.device.paper.set()
            await b.reports.until(lambda: b.printer.job("j1") is JobState.printed)
            await b.reports.ready()

    asyncio.run(run())


def test_paper_that_never_comes() -> None:
    async def run() -> None:
        # DLE ENQ 2, ESC @, GS a 255 at the end
        steps = [*load("escpos-paper-out.txt")[:-4], Step(">", bytes.fromhex("10 05 02 1B 40 1D 61 FF"))]
        for n, byte in enumerate(bytes.fromhex("1A 12 12 7E"), 1):
            steps += [Step(">", bytes([0x10, 0x04, n])), Step("<", bytes([byte]))]
        async with bench([*steps, Step("silence")]) as b:
            b.printer.print("j1", HELLO)
            await b.device.over.wait()
            assert b.device.error == ""
            assert b.reports.parts == [PrintEnded("j1", PrintOutcome.uncertain, "paper_out")]
            assert b.printer.print("j1", HELLO) is JobState.uncertain
            assert b.reports.last == (Condition.fault, "paper_out")

    asyncio.run(run())


FAULTS = {
    "30 00 00 0F": "cover_open",
    "18 00 0C 0F": "paper_out",
    "18 08 00 0F": "cutter",
    "38 28 0C 0F": "unrecoverable",
    "38 08 0C 0F": "cutter",
    "38 00 0C 0F": "cover_open",
    "18 40 00 0F": "offline",
    "18 04 00 0F": "offline",
    "18 00 00 0F": "offline",
}


@pytest.mark.parametrize("status", FAULTS)
def test_faults_and_their_end(status: str) -> None:
    async def run() -> None:
        steps = [*GREETING, Step("<", bytes.fromhex(status)), Step("paper"), Step("<", bytes.fromhex("10 00 03 0F"))]
        async with bench([*steps, Step("silence")], ready=False) as b:
            await b.reports.fault(FAULTS[status])
            assert b.reports.advice
            with pytest.raises(Busy, match=FAULTS[status]):
                b.printer.print("j1", HELLO)
            assert b.printer.job("j1") is JobState.unknown
            b.device.paper.set()
            await b.reports.until(lambda: b.reports.warnings == ["paper_near_end"])
            assert b.reports.last == (Condition.ready, "")

    asyncio.run(run())


ANSWERS = {
    "1E 12 12 12": "offline",
    "12 16 12 12": "cover_open",
    "12 12 1A 12": "cutter",
    "12 12 32 12": "unrecoverable",
    "12 12 12 7E": "paper_out",
}


@pytest.mark.parametrize("told", ANSWERS)
def test_faults_found_at_the_greeting(told: str) -> None:
    async def run() -> None:
        steps = [Step(">", bytes(256) + bytes.fromhex("1D 61 FF 1D 49 43"))]
        for n, byte in enumerate(bytes.fromhex(told), 1):
            steps += [Step(">", bytes([0x10, 0x04, n])), Step("<", bytes([byte]))]
        async with bench([*steps, Step("silence")], ready=False) as b:
            await b.reports.fault(ANSWERS[told])

    asyncio.run(run())


def test_a_silent_printer_is_asked_again() -> None:
    async def run() -> None:
        steps = [Step(">", bytes(256) + bytes.fromhex("1D 61 FF 1D 49 43 10 04 01"))]
        for n in (1, 2, 3, 4):
            steps += [Step(">", bytes(256) + bytes([0x10, 0x04, n])), Step("<", b"\x12")]
        steps.append(Step(">", bytes.fromhex("1D 61 FF 1D 49 43")))
        async with bench([*steps, Step("silence")], timing=replace(QUICK, poll_s=0.05), ready=False) as b:
            await b.reports.fault("no_answer")
            with pytest.raises(Busy, match="no_answer"):
                b.printer.print("j1", HELLO)
            await b.reports.ready()

    asyncio.run(run())


def possible_ends(steps_of_the_job: int) -> set[JobState]:
    """0: cut before the job was heard, 1: before it was answered, 2: after."""
    if steps_of_the_job < 0:
        return {JobState.unknown}
    return [{JobState.unknown, JobState.failed, JobState.uncertain}, {JobState.uncertain}, {JobState.printed}][
        steps_of_the_job
    ]


@pytest.mark.parametrize("cut", range(len(load("escpos-printed.txt")) + 1))
def test_the_cable_is_pulled_at_every_step(cut: int) -> None:
    async def run() -> None:
        steps = load("escpos-printed.txt")
        async with bench(steps[:cut], ready=False) as b:
            job_at = len(GREETING)
            if cut >= job_at:
                await b.reports.until(lambda: Condition.ready in [c for c, _ in b.reports.conditions])
                with suppress(Busy):  # when the cut was quicker
                    b.printer.print("j1", HELLO)
            with pytest.raises(DeviceGone):
                await b.task
            assert b.printer.job("j1") in possible_ends(cut - job_at)
            assert len(b.reports.parts) <= 1

    asyncio.run(run())


def test_a_lost_job_is_cleared_at_the_next_greeting() -> None:
    async def run() -> None:
        lost = [*load("escpos-printed.txt")[:-1], Step("connection")]
        again = [Step(">", bytes(256)), Step(">", bytes.fromhex("10 05 02 1B 40 1D 61 FF 1D 49 43 10 04 01"))]
        async with bench([*lost, *again, Step("silence")]) as b:
            b.printer.print("j1", HELLO)
            with pytest.raises(DeviceGone):
                await b.task
            assert b.reports.parts == [PrintEnded("j1", PrintOutcome.uncertain, "unplugged")]
            async with serving(b.printer.serve):
                await b.device.over.wait()
                assert b.device.error == ""

    asyncio.run(run())


def test_a_printer_that_takes_no_more_bytes() -> None:
    """Paper ends, the printer reads no further, and the rest of the job is stuck: it must not come out later."""

    async def run() -> None:
        async with bench([*GREETING, Step("paper"), Step("count")]) as b:
            b.printer.print("j0", b"x" * MAX_JOB_BYTES)
            with pytest.raises(DeviceGone, match="no_answer"):
                await b.task
            assert b.reports.parts == [PrintEnded("j0", PrintOutcome.uncertain, "no_answer")]
            b.device.paper.set()
            await b.device.over.wait()
            assert b.device.rest_bytes < MAX_JOB_BYTES

    asyncio.run(run())


def test_completion_by_paper_status() -> None:
    async def run() -> None:
        steps = [*GREETING, Step(">", HELLO + b"\x1d\x61\xff\x1d\x72\x01"), Step("<", b"\x00")]
        async with bench([*steps, Step("silence")], completion="gs_r") as b:
            b.printer.print("j1", HELLO)
            await b.reports.until(lambda: b.printer.job("j1") is JobState.printed)

    asyncio.run(run())


REFUSED = [b"", b"x" * (MAX_JOB_BYTES + 1), b"a\x10\x14\x01\x00\x01", b"\x10\x05\x02", b"\x10\x10\x05\x00"]


@pytest.mark.parametrize("data", REFUSED, ids=["empty", "huge", "pulse", "clear", "after another 10"])
def test_data_that_is_refused(data: bytes) -> None:
    async def run() -> None:
        async with bench([*GREETING, Step("silence")]) as b:
            with pytest.raises(ValueError, match=r"job must|real-time"):
                b.printer.print("j1", data)
            assert b.printer.job("j1") is JobState.unknown

    asyncio.run(run())


def test_identify_prints_a_line() -> None:
    async def run() -> None:
        text = b"\x1b@\x1da\xffKassa: this printer\n\n\n\n\n\x1da\xff\x1d(H\x06\x0000" + b"0001"
        async with bench([*GREETING, Step(">", text), Step("<", b"\x37\x220001\0"), Step("silence")]) as b:
            await b.printer.identify()
            assert b.reports.parts == []

    asyncio.run(run())


def test_junk_without_end_breaks_the_line() -> None:
    async def run() -> None:
        async with bench([*GREETING, *[Step("<", b"\xff" * 10_000)] * 10, Step("silence")]) as b:
            with pytest.raises(DeviceGone, match="protocol"):
                await b.task

    asyncio.run(run())
