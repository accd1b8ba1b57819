"""What kind of terminal it is, and what the customer does; checked for the bench's HTTP API."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from hal.virtual.terminal.ledger import RECEIPT_LIMIT, TRACE_LIMIT
from hal.virtual.terminal.line import DropAt

Outcome = Literal["approve", "part", "decline", "timeout", "cancelled", "slow"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)


class Refused(ValueError):
    """A setting the terminal does not have; the message names it and what is allowed."""


@dataclass(frozen=True)
class Profile:
    """Behaviour that differs between terminal models, and times.

    unacknowledged: what happens to an authorised payment whose 04 0F the register never acknowledged: it
        "stands", or the terminal "reverses" it by itself. The specification allows both readings.
    late_s: how long after a lost line that is decided. The terminal hears nothing of a pulled cable, and goes on
        waiting for its acknowledgement, while the register may already be there again on a new connection.
    print_final: the payment is final only when the print lines or blocks after 04 0F are acknowledged too.
    auto: what every customer does, without anybody tapping a card; None waits for `tap`.
    restart_numbers: trace and receipt numbers start again after an end of day.
    leaks: a card number that a misconfigured terminal shows wherever it can: on its display, in 22, 23 and the texts
        of 04 0F, and on the receipt. Empty: none, as it should be.
    part_minor: the most that a card pays which can pay only a part (outcome "part").
    reverses: whether it gives a payment back when the register asks; most terminals cannot after an end of day.
    """

    unacknowledged: Literal["stands", "reverses"] = "reverses"
    late_s: float = 0.0
    print_final: bool = False
    auto: Outcome | None = None
    auto_delay_s: float = 0.0
    card_timeout_s: float = 60.0
    slow_s: float = 8.0
    host_s: float = 0.0
    t3_s: float = 5.0
    status_every_s: float = 15.0
    restart_numbers: bool = False
    part_minor: int = 1000
    reverses: bool = True
    status_byte: int = 0
    decline_code: int = 0x05
    terminal_id: int = 52500041
    leaks: str = ""


_LIMITS: dict[str, tuple[float, float]] = {
    "auto_delay_s": (0, 600),
    "card_timeout_s": (0.01, 600),
    "slow_s": (0, 600),
    "late_s": (0, 60),
    "host_s": (0, 600),
    "t3_s": (0.01, 60),
    "status_every_s": (0.01, 600),
    "status_byte": (0, 255),
    "decline_code": (1, 255),
    "part_minor": (1, 999_999_999_999),
    "terminal_id": (0, 99_999_999),
}
NUMBERS = {"trace": TRACE_LIMIT, "receipt": RECEIPT_LIMIT}


def checked_outcome(value: object) -> Outcome:
    for outcome in get_args(Outcome):
        if value == outcome:
            return outcome  # type: ignore[no-any-return]
    raise Refused(f"outcome {value!r} is not one of {', '.join(OUTCOMES)}")


def changed_profile(profile: Profile, changes: Mapping[str, object]) -> Profile:
    """`profile` with `changes` applied. Raises `Refused`."""
    known = {f.name for f in fields(Profile)}
    checked: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in known:
            raise Refused(f"{name!r} is not a setting; allowed are {', '.join(sorted(known | set(NUMBERS)))}")
        checked[name] = _checked_setting(name, value)
    return replace(profile, **checked)


def _checked_setting(name: str, value: object) -> object:
    if name == "unacknowledged":
        if value not in ("stands", "reverses"):
            raise Refused(f"unacknowledged {value!r} is not one of stands, reverses")
        return value
    if name == "auto":
        return None if value is None else checked_outcome(value)
    if name == "leaks":
        if not isinstance(value, str) or not (value == "" or (value.isascii() and value.isdigit() and len(value) < 20)):
            raise Refused(f"leaks {value!r} is not up to 19 digits")
        return value
    if name in ("print_final", "restart_numbers", "reverses"):
        if not isinstance(value, bool):
            raise Refused(f"{name} {value!r} is not true or false")
        return value
    whole = not name.endswith("_s")
    low, high = _LIMITS[name]
    return checked_number(name, value, low, high, whole=whole)


def checked_number(name: str, value: object, low: float, high: float, *, whole: bool) -> float | int:
    good = isinstance(value, int) or (not whole and isinstance(value, float))
    if isinstance(value, bool) or not good or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(f"{name} {value!r} is not a {'whole ' if whole else ''}number from {low:g} to {high:g}")
    return value


def checked_drop(value: object) -> DropAt | None:
    """`drop_at` of the bench: {"direction": "in"|"out", "message": n | "bytes": n, "manner"?} or null."""
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= {"direction", "message", "bytes", "manner"}:
        raise Refused("drop_at is not null or an object of direction, message or bytes, and manner")
    direction, manner = value.get("direction"), value.get("manner", "reset")
    if direction not in ("in", "out"):
        raise Refused(f"drop_at.direction {direction!r} is not one of in, out")
    if manner not in ("reset", "close", "silent"):
        raise Refused(f"drop_at.manner {manner!r} is not one of reset, close, silent")
    if ("message" in value) == ("bytes" in value):
        raise Refused("drop_at needs either message or bytes, counted from 1")
    where = "message" if "message" in value else "bytes"
    count = int(checked_number(f"drop_at.{where}", value[where], 1, 100_000, whole=True))
    return DropAt(direction, manner=manner, **{where: count})
