"""What an operator should know of a lane now, in plain words, the worst first. Pure: the page only shows it."""

from dataclasses import dataclass
from typing import Literal

from cloud.devices import DeviceStatus, Status
from cloud.queries import Kiosk

Level = Literal["bad", "warn"]
_LATE_S = 5 * 60
_VERY_LATE_S = 24 * 3600
_LONG_SILENCE_S = 15 * 60
_LOW_DISK, _FULL_DISK = 1 << 30, 128 << 20
_HALTS = {
    "fork": "the records held here are other ones",
    "stale_epoch": "another device stands at its register",
    "denied": "the device is not let in",
    "too_large": "a record is too large",
    "refused_by_lane": "the lane does not agree with what was counter-signed",
}
_CONDITIONS = {"absent": "not connected", "opening": "connecting", "fault": "does not work"}
_REASONS = {
    "paper_out": "out of paper",
    "cover_open": "cover open",
    "cutter": "cutter jammed",
    "no_answer": "does not answer",
    "unreachable": "cannot be reached",
}


@dataclass(frozen=True)
class Trouble:
    level: Level
    text: str


def troubles(kiosk: Kiosk, now_ms: int) -> list[Trouble]:
    """Nothing is said of a lane that is out of service for good, or was never seen."""
    if not kiosk.in_service or kiosk.contact_ms is None:
        return []
    found: list[Trouble] = []
    silent_s = max(0, now_ms - kiosk.contact_ms) // 1000
    if not kiosk.online(now_ms):
        found.append(Trouble("bad" if silent_s >= _LONG_SILENCE_S else "warn", f"No contact for {lasting(silent_s)}"))
    if kiosk.status.received_ms:
        found += _of_lane(kiosk.status)
        for device in kiosk.status.devices if kiosk.status.hal else []:
            found += _of_device(device)
    found += _of_upload(kiosk.status)
    return sorted(found, key=lambda trouble: trouble.level != "bad")


def _of_upload(status: Status) -> list[Trouble]:
    found = []
    if status.halt:
        found.append(Trouble("bad", f"Upload halted: {_HALTS.get(status.halt, plain(status.halt))}"))
    if status.backlog_s >= _LATE_S:
        level: Level = "bad" if status.backlog_s >= _VERY_LATE_S else "warn"
        found.append(Trouble(level, f"{status.backlog:,} records wait, the oldest for {lasting(status.backlog_s)}"))
    return found


def _of_lane(status: Status) -> list[Trouble]:
    found = []
    if status.journal:
        found.append(Trouble("bad", f"Sells nothing: {plain(status.journal)}"))
    if not status.hal:
        found.append(Trouble("bad", "The devices' program does not run"))
    if status.disk_free_bytes is not None and status.disk_free_bytes < _LOW_DISK:
        level: Level = "bad" if status.disk_free_bytes < _FULL_DISK else "warn"
        found.append(Trouble(level, f"Disk almost full: {status.disk_free_bytes >> 20:,} MiB left"))
    if status.clock == "floor":
        found.append(Trouble("bad", "The clock is wrong"))
    elif status.clock == "unsynced":
        found.append(Trouble("warn", "The clock is not synchronised"))
    return found


def _of_device(device: DeviceStatus) -> list[Trouble]:
    name = plain(device.name).capitalize()
    found = []
    if device.condition not in ("ready", "busy"):
        level: Level = "warn" if device.condition == "opening" else "bad"
        found.append(Trouble(level, f"{name}: {_fault(device)}"))
    found += [Trouble("warn", f"{name}: {plain(warning)}") for warning in device.warnings]
    return found


def _fault(device: DeviceStatus) -> str:
    if device.reason:
        return _REASONS.get(device.reason, plain(device.reason))
    return _CONDITIONS.get(device.condition, plain(device.condition))


def worst(kiosk: Kiosk, now_ms: int) -> str:
    """`bad`, `warn`, or empty when all is well."""
    return next((trouble.level for trouble in troubles(kiosk, now_ms)), "")


def standing(device: DeviceStatus) -> str:
    """A device's condition in a word or two."""
    if device.condition in ("ready", "busy"):
        return ", ".join([device.condition.capitalize(), *(plain(warning) for warning in device.warnings)])
    said = _fault(device)
    return said[:1].upper() + said[1:]


def plain(word: str) -> str:
    """A machine's word as text."""
    return word.replace("_", " ")[:120]


def lasting(seconds: int) -> str:
    """A time in its two largest units."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes = rest // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
