"""Keeps every configured device served: opens it, opens it again when it went away, and outlives any driver."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hal.api.records import Condition, Device, Kind
from hal.daemon.hub import Hub
from hal.daemon.log import log
from hal.daemon.reporter import DeviceReporter
from hal.drivers.contract import Driver
from hal.transports import DeviceGone

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 5.0
STEADY_S = 2.0
"""A device that was served this long is healthy again: its next reopening begins with the short wait."""
PATH_POLL_S = 0.1
"""One stat call each time: cheap enough to notice a plug within 0.3 s without an inotify of our own."""
STOP_TIMEOUT_S = 1.0

ADVICE: Mapping[str, str] = {
    "unplugged": "Plug the cable in at both ends.",
    "unreachable": "Check the device's power and network cable, and the address in hal.toml.",
    "no_answer": "Switch the device off and on again.",
    "protocol": "The device answers in an unexpected way: check its model and settings against hal.toml.",
    "internal": "The daemon met an error of its own, which is in its log; it keeps trying.",
}


@dataclass
class Slot:
    """One configured device: its driver, its record, and who holds it."""

    reporter: DeviceReporter
    driver: Driver
    watched_path: str | None = None
    holder: object | None = None
    failure: str = field(default="", repr=False)
    """Last internal failure that was logged with its traceback."""

    @property
    def id(self) -> str:
        return self.reporter.device.id

    @property
    def kind(self) -> Kind:
        return self.reporter.device.kind


class Supervisor:
    """Owns the slots. Created inside the event loop's thread; `start` needs the loop."""

    def __init__(self, hub: Hub, on_change: Callable[[], None] = lambda: None) -> None:
        self.hub = hub
        self.slots: dict[str, Slot] = {}
        self._on_change = on_change
        self._tasks: list[asyncio.Task[None]] = []
        self._calls: set[asyncio.Task[object]] = set()

    def reporter(self, device: str, kind: Kind, model: str) -> DeviceReporter:
        return DeviceReporter(self.hub, device, kind, model, self._on_change)

    def add(self, reporter: DeviceReporter, driver: Driver, watched_path: str | None = None) -> None:
        self.slots[reporter.device.id] = Slot(reporter, driver, watched_path)

    def devices(self) -> list[Device]:
        return [slot.reporter.device for slot in self.slots.values()]

    def start(self) -> None:
        for slot in self.slots.values():
            self._tasks.append(asyncio.create_task(_keep_served(slot), name=f"device {slot.id}"))

    def keep(self, task: "asyncio.Task[object]") -> None:
        """A driver call that goes on although its caller has left, until it ends or the daemon stops."""
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def stop(self) -> None:
        """Ends every device's task; one that does not end in time is named in the log."""
        tasks: Sequence[asyncio.Task[object]] = [*self._tasks, *self._calls]
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, stuck = await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
        for task in stuck:
            log.error("task does not end", task=task.get_name())


async def _keep_served(slot: Slot) -> None:
    loop = asyncio.get_running_loop()
    wait_s = BACKOFF_FIRST_S
    while True:
        began_s = loop.time()
        await _serve_once(slot)
        if loop.time() - began_s > STEADY_S:
            wait_s = BACKOFF_FIRST_S
        if await _appeared(slot.watched_path):
            wait_s = BACKOFF_FIRST_S
        else:
            # Jitter: after a power cut a shop's lanes would otherwise all call their terminals at once.
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.25))
            wait_s = min(wait_s * 2, BACKOFF_LAST_S)


async def _appeared(path: str | None) -> bool:
    """Wait while the device's file is missing. True if it was, so that the device has just been plugged in."""
    missing = False
    while path is not None and not Path(path).exists():
        missing = True
        await asyncio.sleep(PATH_POLL_S)
    return missing


async def _serve_once(slot: Slot) -> None:
    """Until the device is gone or the driver failed; the reason is reported, never raised."""
    try:
        await slot.driver.serve()
    except DeviceGone as gone:
        condition = Condition.fault if gone.reason == "protocol" else Condition.absent
        if slot.reporter.device.reason != gone.reason:
            log.warning("device gone", device=slot.id, reason=gone.reason, detail=gone.detail)
        slot.reporter.condition(condition, reason=gone.reason, advice=ADVICE.get(gone.reason, gone.detail))
    except Exception as error:  # noqa: BLE001 - one broken driver must not take the other devices with it
        _report_failure(slot, error)
    else:
        _report_failure(slot, RuntimeError("serve() returned"))


def _report_failure(slot: Slot, error: Exception) -> None:
    failure = f"{type(error).__name__}: {error}"
    if failure != slot.failure:
        slot.failure = failure
        log.error("driver failed", device=slot.id, error=failure, exc_info=error)
    slot.reporter.condition(Condition.fault, reason="internal", advice=ADVICE["internal"])
