"""The attendant's part of the page: who is there, what waits for them, what they may do. Pure, as `kiosk.web.view`."""

from typing import NamedTuple

from kiosk.core.basket import standing
from kiosk.core.day import can_close
from kiosk.core.state import AttendantMenu, PinAsked, State, VoidAsked
from kiosk.core.suspend import can_suspend
from kiosk.i18n import N_, Translator, html_lang, pick
from kiosk.receipt.basket import VOID_REASONS
from kiosk.web import words as say


class Action(NamedTuple):
    """A button of the menu."""

    id: str
    wish: str
    label: str
    glyph: str
    arg: str = ""
    kind: str = "secondary"


class Item(NamedTuple):
    """A restricted item that waits: what it is, and what is to be looked at."""

    wait_id: str
    name: str
    lang: str
    rule: str


class StaffView(NamedTuple):
    """`name`: the reference that stands in the records; no name of a person is known here."""

    name: str
    waiting: list[Item]
    actions: list[Action]


def staff_view(state: State, words: Translator) -> StaffView | None:
    """None while the customer is alone."""
    if state.attendant is None:
        return None
    waiting = _waiting(state, words) if state.attendant.may("approve") else []
    return StaffView(state.attendant.attendant_id, waiting, _actions(state, words))


def void_reasons(words: Translator) -> list[tuple[str, str]]:
    return [(reason, words.t(text)) for reason, text in VOID_REASONS.items()]


def words_of(prompt: PinAsked | AttendantMenu | VoidAsked, words: Translator) -> tuple[str, str, str]:
    """Drawing, title and body of a prompt that is for staff."""
    t = words.t
    match prompt:
        case PinAsked(trouble="wrong"):
            return "staff", t(N_("Enter your PIN")), t(N_("That PIN was wrong. Please try again."))
        case PinAsked(trouble="locked", wait_s=wait_s):
            minutes = max(1, -(-wait_s // 60))
            body = words.n(
                "Too many wrong PINs. Try again in {n} minute.",
                "Too many wrong PINs. Try again in {n} minutes.",
                minutes,
            )
            return "stop", t(N_("No PIN is taken now")), body
        case PinAsked():
            return "staff", t(N_("Enter your PIN")), t(N_("For staff only."))
        case AttendantMenu():
            return "staff", t(N_("Staff")), t(N_("What you do here is recorded under your reference."))
        case VoidAsked():
            return "basket", t(N_("Why is it taken off?")), t(N_("It stays in the record as taken off."))


def _waiting(state: State, words: Translator) -> list[Item]:
    found = []
    for one in state.waiting:
        name, code = pick(one.product.name, words.language)
        years = say.age(one.product.restriction)
        rule = words.t(N_("{age} or over"), age=years) if years is not None else words.t(N_("Staff must approve this"))
        found.append(Item(one.wait_id, name, html_lang(code), rule))
    return found


def _actions(state: State, words: Translator) -> list[Action]:
    assert state.attendant is not None
    may, t = state.attendant.may, words.t
    in_hand = state.sale is not None and state.payment is None and state.stage in ("scanning", "choosing")
    found = []
    if in_hand and may("void") and state.sale is not None and standing(state.sale.lines):
        found.append(Action("staff-void", "close_prompt", t(N_("Take an item off")), "bin"))
        found.append(Action("staff-cancel", "cancel", t(N_("Cancel the purchase")), "cancel"))
    if may("suspend") and can_suspend(state):
        found.append(Action("staff-suspend", "suspend", t(N_("Move to another till")), "print"))
    if may("day"):
        found.append(Action("staff-day", "day", t(N_("The day so far")), "check", "how=show"))
    if may("day") and can_close(state):
        found.append(Action("staff-close-day", "close_day", t(N_("Close the day")), "cancel"))
    return found
