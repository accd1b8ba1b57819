"""Effects for devices always get an answer, also when nothing of it works."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hal.api.records import PrinterProfile
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.lane.hardware import Hardware


def answers(socket: Path, effect: do.Any, *, printer: bool = False) -> list[Any]:
    """What is posted for one effect, with nobody on the daemon's socket."""

    def broken(document: str, profile: PrinterProfile, *, copy: bool) -> bytes:
        raise ZeroDivisionError(document)

    async def perform() -> list[Any]:
        posted: asyncio.Queue[Any] = asyncio.Queue()
        hardware = Hardware(
            str(socket), lambda event, cause=0: posted.put_nowait(event), broken, lambda: 1, "s", "p", "t"
        )
        if printer:
            # The one call that has to succeed before the receipt is encoded.
            async def profile(device: str) -> PrinterProfile:
                return PrinterProfile(576, 48, [], cutter=True, qr=True)

            hardware.client.profile = profile  # type: ignore[method-assign]
        assert hardware.perform(effect)
        return [await asyncio.wait_for(posted.get(), 10)]

    return asyncio.run(perform())


CHARGE = do.Charge("t1", 100, "DKK", "w")
CASES: list[tuple[do.Any, Any]] = [
    (CHARGE, on.PaymentLost("t1", sent=True, reason="hal_gone")),
    (do.ConfirmPayment("t1", 3), on.ConfirmFailed("t1")),
    (do.PrintReceipt("j1", "{}", copy=False), on.ReceiptPrintEnded("j1", "failed", "hal_gone")),
    (do.AskPrint("j1"), on.ReceiptPrintEnded("j1", "uncertain", "hal_gone")),
]


@pytest.mark.parametrize(("effect", "answer"), CASES)
def test_without_a_daemon_each_effect_is_answered(tmp_path: Path, effect: do.Any, answer: Any) -> None:
    assert answers(tmp_path / "none.sock", effect) == [answer]


def test_a_receipt_that_cannot_be_encoded_is_a_failed_print(tmp_path: Path) -> None:
    effect = do.PrintReceipt("j1", "{}", copy=False)
    assert answers(tmp_path / "none.sock", effect, printer=True) == [
        on.ReceiptPrintEnded("j1", "failed", "unprintable")
    ]
