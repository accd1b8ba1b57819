"""A terminal driver on a scripted device, with times short enough for tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from hal.api.records import Outcome, PaymentResult
from hal.drivers.contract import NotAwaited, Part
from hal.drivers.terminal.zvt.driver import ZvtTerminal
from hal.drivers.terminal.zvt.session import Timing
from tests.devices.replay import Device, Reports, Step, device, serving

QUICK = Timing(
    connect_s=1,
    write_s=0.5,
    t3_s=0.3,
    t4_s=0.4,
    t4_max_s=0.4,
    short_t4_s=0.3,
    enquiry_interval_s=30,
    retry_s=0.02,
    prepare_s=1,
    query_s=0.5,
    reverse_s=1,
    settle_s=0,
)


@dataclass
class Bench:
    terminal: ZvtTerminal
    reports: Reports
    device: Device
    task: asyncio.Task[None]


def confirming(terminal: ZvtTerminal, reports: Reports) -> None:
    """Confirm each approval at once, as a kiosk does after its commit."""

    def confirm(seq: int, payment_id: str) -> None:
        try:
            terminal.confirm(payment_id, seq)
        except NotAwaited:
            return

    def seen(part: Part, seq: int) -> None:
        if isinstance(part, PaymentResult) and part.outcome is Outcome.approved:
            asyncio.get_running_loop().call_soon(confirm, seq, part.payment_id)

    reports.on = seen


@asynccontextmanager
async def bench(
    steps: Sequence[Step] | str,
    *,
    confirm: bool = True,
    reset: bool = False,
    fragment: int = 0,
    timing: Timing = QUICK,
    ready: bool = True,
    **options: Any,
) -> AsyncIterator[Bench]:
    reports = Reports()
    async with device(steps, reset=reset, fragment=fragment) as peer:
        terminal = ZvtTerminal(
            reports, host="127.0.0.1", port=peer.port, timing=timing, **{"confirm_window_s": 1.0, **options}
        )
        if confirm:
            confirming(terminal, reports)
        async with serving(terminal.serve) as task:
            if ready:
                await reports.ready()
            yield Bench(terminal, reports, peer, task)


def quick(**changes: float) -> Timing:
    return replace(QUICK, **changes)
