"""Who may do what on the socket, and what is refused before any device hears of it."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from hal.api.interfaces import BadRequest, NotClaimed, NotReady, NotWaiting
from hal.api.records import JobState
from tests.devices.daemon.rig import CANNOT, Wire, client, rig

PAYMENT: dict[str, Any] = {"payment_id": "p1", "amount_minor": 100, "currency": "DKK", "witness": ""}
NEEDS_CLAIM: dict[str, dict[str, Any]] = {
    "Devices.Identify": {"device": "printer"},
    "Devices.Release": {"device": "printer"},
    "Scanner.Enable": {"device": "scanner", "enabled": True},
    "Printer.Print": {"device": "printer", "job_id": "j1", "data_base64": "QQ=="},
    "CardTerminal.Prepare": {"device": "terminal"},
    "CardTerminal.Authorise": {"device": "terminal", **PAYMENT},
    "CardTerminal.Confirm": {"payment_id": "p1", "seq": 7},
    "CardTerminal.Abort": {"payment_id": "p1"},
    "CardTerminal.Query": {"device": "terminal", **PAYMENT},
    "CardTerminal.Reverse": {
        "device": "terminal",
        "payment_id": "p1",
        "reversal_id": "r1",
        "receipt_no": "12",
        "amount_minor": 100,
        "currency": "DKK",
    },
}
NEEDS_NONE: dict[str, dict[str, Any]] = {
    "Devices.List": {},
    "Printer.Profile": {"device": "printer"},
    "Printer.Job": {"device": "printer", "job_id": "j1"},
}
BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "id of nothing": ("Printer.Print", {"device": "printer", "job_id": "", "data_base64": "QQ=="}, "1 to 64"),
    "id too long": ("Printer.Job", {"device": "printer", "job_id": "x" * 65}, "1 to 64"),
    "id with a path": ("Printer.Job", {"device": "printer", "job_id": "../x"}, "1 to 64"),
    "id with a newline": ("Printer.Job", {"device": "printer", "job_id": "x\n"}, "1 to 64"),
    "not base64": ("Printer.Print", {"device": "printer", "job_id": "j", "data_base64": "%%"}, "base64 of 1"),
    "nothing to print": ("Printer.Print", {"device": "printer", "job_id": "j", "data_base64": ""}, "base64 of 1"),
    "print too long": (
        "Printer.Print",
        {"device": "printer", "job_id": "j", "data_base64": base64.b64encode(bytes(1024 * 1024 + 1)).decode()},
        "base64 of 1",
    ),
    "amount 0": ("CardTerminal.Authorise", {"device": "terminal", **PAYMENT, "amount_minor": 0}, "1 to 10"),
    "amount huge": ("CardTerminal.Query", {"device": "terminal", **PAYMENT, "amount_minor": 10**12 + 1}, "1 to 10"),
    "amount true": ("CardTerminal.Query", {"device": "terminal", **PAYMENT, "amount_minor": True}, "1 to 10"),
    "currency": ("CardTerminal.Authorise", {"device": "terminal", **PAYMENT, "currency": "dkk"}, "three letters"),
    "witness": ("CardTerminal.Authorise", {"device": "terminal", **PAYMENT, "witness": "å" * 513}, "1024 bytes"),
    "another kind": ("Printer.Job", {"device": "scanner", "job_id": "j"}, "allowed: a printer"),
}


@pytest.mark.parametrize("method", NEEDS_CLAIM)
def test_calls_that_move_a_device_need_its_claim(tmp_path: Path, method: str) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            wire = await Wire.open(house.path)
            assert await wire.error(method, **NEEDS_CLAIM[method]) == "kassa.hal.NotClaimed"
            assert house.printer.calls + house.terminal.calls == []
            assert not house.scanner.enabled
            await wire.close()

    asyncio.run(scene())


def test_claimed_calls_reach_their_driver(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            house.terminal.gate.set()
            wire = await Wire.open(house.path)
            for device in ("scanner", "printer", "terminal"):
                await wire.call("Devices.Claim", device=device)
            errors = {method: await wire.error(method, **given) for method, given in NEEDS_CLAIM.items()}
            assert {m: e for m, e in errors.items() if e != "no error"} == {
                "CardTerminal.Prepare": "kassa.hal.NotReady",
                "Printer.Print": "kassa.hal.NotClaimed",  # Release came before it in the table
            }
            assert [call[0] for call in house.terminal.calls if call != "query ended"] == [
                "authorise",
                "confirm",
                "abort",
                "query",
                "reverse",
            ]
            assert house.scanner.enabled
            await wire.close()

    asyncio.run(scene())


def test_questions_need_no_claim(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            wire = await Wire.open(house.path)
            for method, given in NEEDS_NONE.items():
                assert await wire.error(method, **given) == "no error"
            await wire.close()

    asyncio.run(scene())


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters_are_named_with_what_is_allowed(tmp_path: Path, case: str) -> None:
    method, given, allowed = BAD[case]

    async def scene() -> None:
        async with rig(tmp_path) as house:
            wire = await Wire.open(house.path)
            for device in ("scanner", "printer", "terminal"):
                await wire.call("Devices.Claim", device=device)
            reply = await wire.call(method, **given)
            assert reply["error"] == "kassa.hal.BadRequest"
            assert allowed in reply["parameters"]["message"]
            assert house.printer.calls + house.terminal.calls == []
            await wire.close()

    asyncio.run(scene())


MONEY = {"amount_minor": 100, "currency": "XXX"}
CANNOT_BE_CARRIED = {
    "print": ("Printer.Print", {"device": "printer", "data_base64": "eA=="}, "job_id"),
    "authorise": ("CardTerminal.Authorise", {"device": "terminal", "witness": "", **MONEY}, "payment_id"),
    "query": ("CardTerminal.Query", {"device": "terminal", "witness": "", **MONEY}, "payment_id"),
    "reverse": (
        "CardTerminal.Reverse",
        {"device": "terminal", "reversal_id": "r", "receipt_no": "1", **MONEY},
        "payment_id",
    ),
}


@pytest.mark.parametrize("case", CANNOT_BE_CARRIED)
def test_what_the_protocol_cannot_carry_is_a_bad_request_and_a_fault_is_not(tmp_path: Path, case: str) -> None:
    method, given, identity = CANNOT_BE_CARRIED[case]

    async def scene() -> None:
        async with rig(tmp_path) as house:
            wire = await Wire.open(house.path)
            for device in ("printer", "terminal"):
                await wire.call("Devices.Claim", device=device)
            reply = await wire.call(method, **given, **{identity: "cannot"})
            assert reply["error"] == "kassa.hal.BadRequest"
            assert reply["parameters"]["message"] == CANNOT
            assert await wire.error(method, **given, **{identity: "fault"}) == "kassa.api.Internal"
            assert house.printer.calls + house.terminal.calls == []
            await wire.close()

    asyncio.run(scene())


def test_one_connection_at_a_time_and_until_it_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            first, second = await Wire.open(house.path), await Wire.open(house.path)
            await first.call("Devices.Claim", device="scanner")
            await first.call("Scanner.Enable", device="scanner", enabled=True)
            assert await first.error("Devices.Claim", device="scanner") == "no error"
            assert await second.error("Devices.Claim", device="scanner") == "kassa.hal.ClaimedByAnother"
            assert await second.error("Scanner.Enable", device="scanner", enabled=False) == "kassa.hal.NotClaimed"
            assert await second.error("Devices.Claim", device="scale") == "kassa.hal.NoSuchDevice"
            listed = (await second.call("Devices.List"))["parameters"]["devices"]
            assert {device["id"]: device["claimed"] for device in listed}["scanner"] is True
            await first.close()
            async with asyncio.timeout(5):
                while await second.error("Devices.Claim", device="scanner") != "no error":
                    pass
            assert not house.scanner.enabled, "the next claimant begins with a silent scanner"
            await second.close()

    asyncio.run(scene())


def test_a_query_goes_on_without_its_caller_and_frees_the_claim_at_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            first, second = await Wire.open(house.path), await Wire.open(house.path)
            await first.call("Devices.Claim", device="terminal")
            first.send("CardTerminal.Query", device="terminal", **PAYMENT)
            async with asyncio.timeout(5):
                while not house.terminal.calls:
                    await asyncio.sleep(0)
            await first.close()
            async with asyncio.timeout(5):
                while await second.error("Devices.Claim", device="terminal") != "no error":
                    pass
            house.terminal.gate.set()
            assert await second.error("CardTerminal.Query", device="terminal", **PAYMENT) == "no error"
            assert house.terminal.calls.count("query ended") == 2
            await second.close()

    asyncio.run(scene())


def test_a_payment_survives_its_claimant_and_the_next_one_confirms(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            first, second = await Wire.open(house.path), await Wire.open(house.path)
            await first.call("Devices.Claim", device="terminal")
            await first.call("CardTerminal.Authorise", device="terminal", **PAYMENT)
            await first.close()
            async with asyncio.timeout(5):
                while await second.error("Devices.Claim", device="terminal") != "no error":
                    pass
            assert await second.error("CardTerminal.Confirm", payment_id="p1", seq=7) == "no error"
            assert [call[0] for call in house.terminal.calls] == ["authorise", "confirm"], "nothing was aborted"
            await second.close()

    asyncio.run(scene())


def test_the_client_raises_the_typed_errors(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path, "printer", "terminal") as (hal, _):
            assert await hal.print("printer", "j1", b"hello") is JobState.printing
            assert house.printer.calls == [("j1", b"hello")]
            with pytest.raises(NotReady) as busy:
                await hal.print("printer", "busy", b"x")
            assert busy.value.parameters == {"device": "printer", "reason": "paper_out"}
            with pytest.raises(NotClaimed):
                await hal.enable("scanner", enabled=True)
            with pytest.raises(BadRequest):
                await hal.print("printer", "a b", b"x")
            with pytest.raises(NotWaiting):
                await hal.confirm("terminal", "p1", 8)
            await hal.confirm("terminal", "p1", 7)
            assert house.terminal.calls == [("confirm", "p1", 7)]

    asyncio.run(scene())


def test_a_slow_terminal_delays_neither_printer_nor_watch(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path, "printer", "terminal") as (hal, log):
            slow = asyncio.create_task(hal.query("terminal", "p1", 100, "DKK", ""))
            async with asyncio.timeout(5):
                while not house.terminal.calls:
                    await asyncio.sleep(0)
                await hal.print("printer", "j1", b"x")
                await hal.list()
            house.scan("5701")
            await log.until(lambda log: log.reads == ["5701"])
            assert not slow.done()
            house.terminal.gate.set()
            await slow

    asyncio.run(scene())


def test_a_cancelled_call_does_not_shift_the_replies_of_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house, client(house.path, "terminal") as (hal, _):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await hal.query("terminal", "p1", 100, "DKK", "")
            house.terminal.gate.set()
            with pytest.raises(NotReady):
                await hal.prepare("terminal")

    asyncio.run(scene())
