"""`kassa-journal day`: what the business days come to, for people and as JSON lines."""

import sys
from collections.abc import Iterable

import msgspec

from kiosk.journal.days import Day, days
from kiosk.journal.verify import Entry


def run(entries: Iterable[Entry], date: str, *, as_json: bool) -> tuple[int, bool]:
    """Prints the days, or that of one date. How many there were, and whether no Z report says otherwise."""
    found = [day for day in days(entries) if date in ("", day.report.date)]
    for day in found:
        (_tell_json if as_json else _tell)(day)
    return len(found), all(day.same is not False for day in found)


def _tell(day: Day) -> None:
    report, out = day.report, sys.stdout.write
    state = {None: "open", True: "closed, the same as sealed", False: "closed, DIFFERS from what was sealed"}[day.same]
    mode = "" if report.mode == "live" else f" ({report.mode})"
    out(f"{report.date} no. {report.no} of {day.shop} {day.reg}{mode}: {state}\n")
    sealed = msgspec.to_builtins(day.sealed) if day.sealed is not None else {}
    for name, value in msgspec.to_builtins(report).items():
        differs = f"   sealed: {sealed[name]}" if name in sealed and sealed[name] != value else ""
        if isinstance(value, list | tuple):
            for row in value:
                out(f"  {name}: {', '.join(f'{key} {figure}' for key, figure in row.items())}\n")
            out(f"  {name}:{differs}\n" if differs else "")
        elif name not in ("date", "no", "mode"):
            out(f"  {name}: {value}{differs}\n")
    if day.unread:
        out(f"  not understood: {day.unread} records\n")


def _tell_json(day: Day) -> None:
    line = {
        "date": day.report.date, "shop": day.shop, "reg": day.reg, "same": day.same, "unread": day.unread,
        "report": msgspec.to_builtins(day.report),
        "sealed": msgspec.to_builtins(day.sealed) if day.sealed is not None else None,
    }  # fmt: skip
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
