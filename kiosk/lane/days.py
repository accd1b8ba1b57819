"""The business day's events: the clock, the report and its document put in."""

from datetime import UTC, datetime

from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.attendance import may
from kiosk.core.day import can_close, close_due
from kiosk.core.screen import print_offered
from kiosk.core.state import State
from kiosk.lane.stamp import LaneStamp, new_id
from kiosk.receipt.blocks import to_json
from kiosk.receipt.report import compose_report


def opened(stamp: LaneStamp) -> on.DayOpened:
    """Its date is the local one of now."""
    wall_ms = stamp.wall_ms()
    local = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone()
    return on.DayOpened(local.strftime("%Y-%m-%d"), wall_ms)


def read(state: State, stamp: LaneStamp, *, on_paper: bool) -> on.Any:
    """The X report."""
    if state.day is None:
        return on.FoundNotPossible("no_day")
    if not on_paper:
        return on.DayLooked()
    if not print_offered(state):
        return on.FoundNotPossible("no_printer")
    document = compose_report(state.day, state.shop, state.language, "X", stamp.wall_ms(), stamp.tzo_min())
    return on.DayRead(state.day, to_json(document), new_id())


def close(state: State, stamp: LaneStamp, *, by_clock: bool) -> on.Any | None:
    """The Z report. None for one who may not."""
    if not by_clock and not may(state, "day"):
        return None
    if state.day is None or not can_close(state):
        return on.FoundNotPossible("no_day" if state.day is None else "day_busy")
    report = replace(state.day, closed_ms=stamp.wall_ms())
    language = state.shop.default_language if by_clock else state.language
    document = compose_report(report, state.shop, language, "Z", report.closed_ms, stamp.tzo_min())
    return on.DayClosed(report, to_json(document), new_id() if print_offered(state) else "", by_clock)


def due(state: State, stamp: LaneStamp, close_at_min: int | None) -> on.Any | None:
    """Closing by the clock, when its time has come and the lane is at rest; else None."""
    at_rest = state.stage == "idle" and state.attendant is None and not state.health.journal
    if close_at_min is None or state.day is None or not at_rest:
        return None
    if not close_due(state.day.opened_ms, stamp.wall_ms(), stamp.tzo_min(), close_at_min):
        return None
    return close(state, stamp, by_clock=True)
