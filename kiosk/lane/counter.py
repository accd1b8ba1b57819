"""The attendant's side of the lane: badges and PINs against the shop's signed settings, and their wishes as events.

Neither a badge's text nor a PIN leaves this place: what goes on from here is an opaque reference.
"""

from kiosk.core import attendance
from kiosk.core import events as on
from kiosk.core.state import PinAsked, State, VoidAsked
from kiosk.lane import days, port
from kiosk.lane.stamp import LaneStamp, new_id
from kiosk.records.sale import RestrictionCheck
from kiosk.records.settings import BADGE_PREFIX, Settings, Staff, find_badge, pin_right


class Counter:
    """`settings`: those that hold now; None: nobody can identify. For the lane's thread."""

    def __init__(self, stamp: LaneStamp) -> None:
        self._stamp = stamp
        self.settings: Settings | None = None

    def badge(self, state: State, text: str) -> on.Any | None:
        """What a read means that is somebody's badge; None for any other. A badge that is nobody's (any more) is no
        product code, and is not shown."""
        if self.settings is not None and not state.health.journal:
            now_ms = self._stamp.wall_ms()
            staff = find_badge(self.settings, self.settings.shop, text, now_ms)
            if staff is not None:
                return on.BadgeShown(staff.attendant_id, attendance.wait_s(state.refusals, now_ms))
        return on.UnknownScanned("", "not_a_product") if text.startswith(BADGE_PREFIX) else None

    def event(self, state: State, wish: port.Wish) -> on.Any | None:
        match wish:
            case port.EnterPin(pin):
                return self._pin(state, pin)
            case port.Menu():
                return on.MenuTouched()
            case port.Leave():
                return on.AttendantLeft(state.attendant.attendant_id) if state.attendant is not None else None
            case port.Decide(wait_id, outcome):
                return self._decide(state, wait_id, outcome)
            case port.Void(line_id, reason):
                return _void(state, line_id, reason)
            case port.ReadDay(how):
                return days.read(state, self._stamp, on_paper=how == "print")
            case port.CloseDay():
                return days.close(state, self._stamp, by_clock=False)
            case _:
                return None

    def _pin(self, state: State, pin: str) -> on.Any | None:
        """Blocks some 50 ms for the hash."""
        if not isinstance(state.prompt, PinAsked):
            return None
        attendant_id, now_ms = state.prompt.attendant_id, self._stamp.wall_ms()
        locked_s = attendance.wait_s(state.refusals, now_ms)
        if locked_s:
            return on.BadgeShown(attendant_id, locked_s)
        staff = self._known(attendant_id, now_ms)
        if staff is None or not pin_right(staff, pin):
            return on.AttendantRefused(attendant_id, now_ms)
        return on.AttendantIdentified(attendant_id, staff.roles)

    def _known(self, attendant_id: str, now_ms: int) -> Staff | None:
        staff = self.settings.staff if self.settings is not None else ()
        return next((one for one in staff if one.attendant_id == attendant_id and one.valid(now_ms)), None)

    def _decide(self, state: State, wait_id: str, outcome: str) -> on.Any | None:
        waiting = attendance.is_waiting(state, wait_id)
        if waiting is None or state.attendant is None:
            return None
        check = RestrictionCheck(
            waiting.product.restriction, "seen_by_staff", outcome, "attendant", state.attendant.attendant_id
        )
        return on.RestrictionChecked(
            product=waiting.product,
            deposit=waiting.deposit,
            aim=waiting.aim,
            line_id=waiting.wait_id,
            deposit_line_id=new_id(),
            sale_id=new_id(),
            catalogue_version=waiting.catalogue_version,
            language=state.language,
            wall_ms=self._stamp.wall_ms(),
            check=check,
        )


def _void(state: State, line_id: str, reason: str) -> on.Any | None:
    if state.sale is None or not isinstance(state.prompt, VoidAsked) or state.prompt.line_id != line_id:
        return None
    lines = attendance.with_children(state.sale.lines, line_id)
    return on.LineVoided(line_id, tuple(new_id() for _ in lines), reason)
