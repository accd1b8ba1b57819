"""A member of staff at the lane: badge, PIN, what their roles let them do, and how they leave.

Roles are looked at here, in the core, and an attendant is part of what a restart knows: so the journal alone tells
that whoever did something was allowed to.
"""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import has_room, make_line, standing, with_lines
from kiosk.core.scanning import open_sale
from kiosk.core.state import Attendant, AttendantMenu, DayShown, PinAsked, ResolveAsked, State, VoidAsked, Waiting
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import paid_minor
from kiosk.records.sale import Line

WRONG_PINS = 5
WRONG_PINS_WITHIN_MS = 10 * 60_000
NO_PIN_FOR_MS = 5 * 60_000
AWAY_S = 60
"""An attendant who does nothing for so long has left."""
PIN_S = 30
"""A PIN that nobody enters is not asked for any longer."""
THEIRS = (AttendantMenu, ResolveAsked, VoidAsked, DayShown)
"""Prompts that go when the attendant goes."""


def wait_s(refusals: tuple[int, ...], now_ms: int) -> int:
    """Seconds until a PIN is taken again; 0: now. A refusal that lies far in the future is of a clock that was set
    back since, and does not count: else it would lock the staff out for years."""
    recent = [ms for ms in refusals if ms - now_ms <= NO_PIN_FOR_MS]
    if len(recent) < WRONG_PINS or recent[-1] - recent[-WRONG_PINS] > WRONG_PINS_WITHIN_MS:
        return 0
    return max(0, -(-(recent[-1] + NO_PIN_FOR_MS - now_ms) // 1000))


def badge_shown(state: State, event: on.BadgeShown) -> Step:
    if event.wait_s:
        return Step(replace(state, prompt=PinAsked(event.attendant_id, "locked", event.wait_s)))
    here = state.attendant is not None and state.attendant.attendant_id == event.attendant_id
    return Step(replace(state, prompt=AttendantMenu() if here else PinAsked(event.attendant_id)))


def refused(state: State, event: on.AttendantRefused) -> Step:
    refusals = (*state.refusals, event.wall_ms)[-WRONG_PINS:]
    locked = wait_s(refusals, event.wall_ms)
    prompt = PinAsked(event.attendant_id, "locked" if locked else "wrong", locked)
    after = replace(state, refusals=refusals, prompt=prompt)
    return Step(after, (do.CallStaff("wrong_pins"),) if locked else ())


def identified(state: State, event: on.AttendantIdentified) -> Step:
    attendant = Attendant(event.attendant_id, event.roles)
    # A payment that waits for them is what they came for: its evidence is shown, not the menu.
    doubt = state.payment is not None and state.payment.phase == "manual" and attendant.may("payments")
    return Step(replace(state, attendant=attendant, prompt=None if doubt else AttendantMenu()))


def left(state: State, event: on.AttendantLeft) -> Step:
    if state.attendant is None or state.attendant.attendant_id != event.attendant_id:
        return stay(state)
    prompt = None if isinstance(state.prompt, THEIRS) else state.prompt
    return Step(replace(state, attendant=None, prompt=prompt))


def away(state: State) -> Step:
    """Nothing was done for a while: by the attendant, or by whoever was asked for a PIN."""
    if isinstance(state.prompt, PinAsked):
        return Step(replace(state, prompt=None))
    return Step(state, leave(state))


def menu(state: State) -> Step:
    return Step(replace(state, prompt=AttendantMenu())) if state.attendant is not None else stay(state)


def may(state: State, role: str) -> bool:
    return state.attendant is not None and state.attendant.may(role)


def leave(state: State) -> tuple[do.Any, ...]:
    """The task is done."""
    return (do.Leave(state.attendant.attendant_id),) if state.attendant is not None else ()


def checked(state: State, event: on.RestrictionChecked) -> Step:
    """A restricted item was approved or refused. Its line carries the check; never a birth date."""
    if not may(state, "approve") or state.stage not in ("idle", "scanning", "choosing"):
        return stay(state)
    waiting = tuple(one for one in state.waiting if one.wait_id != event.line_id)
    done = leave(state) if not waiting else ()
    after = replace(state, waiting=waiting, prompt=AttendantMenu() if waiting else None)
    if event.check.outcome != "approved":
        return Step(after, done)
    sale = state.sale if state.sale is not None else open_sale(state, event)
    lines = [
        make_line(
            event.product,
            line_id=event.line_id,
            currency=sale.currency,
            catalogue_version=event.catalogue_version,
            aim=event.aim,
            check=event.check,
        )
    ]
    if event.deposit is not None:
        lines.append(
            make_line(
                event.deposit,
                line_id=event.deposit_line_id,
                currency=sale.currency,
                catalogue_version=event.catalogue_version,
                parent=event.line_id,
            )
        )
    if not has_room(sale, lines) or any(line.line_id == event.line_id for line in sale.lines):
        return Step(after, (do.CallStaff("basket_full"),))
    after = replace(
        after,
        sale=with_lines(sale, lines),
        language=sale.language if state.sale is None else state.language,
        stage="scanning",
        pulse=state.pulse + 1,
        next_sale_no=state.next_sale_no + (state.sale is None),
    )
    return Step(after, done)


def ask_void(state: State, line: Line) -> Step:
    return Step(replace(state, prompt=VoidAsked(line.line_id, line.name)))


def void(state: State, event: on.LineVoided) -> Step:
    """Take a line off, with what hangs below it: new lines of negative quantity, the old ones stay as they are."""
    sale = state.sale
    if sale is None or not may(state, "void") or state.payment is not None:
        return stay(state)
    if state.stage not in ("scanning", "choosing"):
        return stay(state)
    lines = with_children(sale.lines, event.line_id)
    if not lines or len(event.void_ids) != len(lines):
        return stay(state)
    own = event.void_ids[0]
    voids = [
        replace(
            line,
            line_id=void_id,
            quantity=replace(line.quantity, value=-line.quantity.value),
            gross_minor=-line.gross_minor,
            voids=line.line_id,
            parent=own if line.parent else "",
            reason=event.reason,
            check=None,
        )
        for line, void_id in zip(lines, event.void_ids, strict=True)
    ]
    after = with_lines(sale, voids)
    if after.total_minor < paid_minor(after):
        return Step(state, (do.CallStaff("partly_paid"),))
    return Step(replace(state, sale=after, stage="scanning", prompt=None))


def with_children(lines: list[Line], line_id: str) -> list[Line]:
    """The standing line with this id, and the standing ones below it; empty when there is none."""
    there = standing(lines)
    return [line for line in there if line.line_id == line_id and not line.parent] and [
        line for line in there if line_id in (line.line_id, line.parent)
    ]


def is_waiting(state: State, wait_id: str) -> Waiting | None:
    return next((one for one in state.waiting if one.wait_id == wait_id), None)
