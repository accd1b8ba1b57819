"""What the service manager is told (sd_notify(3)): ready, status, watchdog, stopping."""

import asyncio
import os
from collections.abc import Sequence

from systemd import daemon

from hal.api.records import Condition, Device


def notify(state: str) -> None:
    """One message to the service manager, if there is one. Never fails: the daemon also runs without."""
    daemon.notify(state)


def watchdog_interval_s() -> float | None:
    """Half of the time the service manager allows (sd_watchdog_enabled(3)); None when it does not watch us."""
    try:
        usec = int(os.environ["WATCHDOG_USEC"])
        pid = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return usec / 2e6 if usec > 0 and pid == os.getpid() else None


def keep_watchdog_fed(loop: asyncio.AbstractEventLoop) -> None:
    """From the loop itself, so that a stalled loop is noticed."""
    interval_s = watchdog_interval_s()
    if interval_s is None:
        return

    def feed() -> None:
        notify("WATCHDOG=1")
        loop.call_later(interval_s, feed)

    feed()


def status(devices: Sequence[Device]) -> str:
    """`2 of 3 devices ready; terminal: unreachable`."""
    well = [d for d in devices if d.condition in (Condition.ready, Condition.busy)]
    ill = [f"{d.id}: {d.reason or d.condition.value}" for d in devices if d not in well]
    return "; ".join([f"{len(well)} of {len(devices)} devices ready", *ill])
