"""Which screen the customer sees: a function of the state alone."""

from typing import Literal

from kiosk.core.basket import standing
from kiosk.core.state import State

Screen = Literal[
    "out_of_service",
    "attract",
    "scan",
    "basket",
    "pay",
    "card",
    "checking",
    "evidence",
    "reversing",
    "closing",
    "receipt",
    "printing",
    "print_trouble",
    "thanks",
    "suspended",
]


def screen(state: State) -> Screen:
    """The one screen for this state; `state.prompt` lies over it."""
    if state.stage == "idle":
        if state.health.journal or not state.catalogue.version or not can_scan(state):
            return "out_of_service"
        return "attract"
    if state.health.journal and state.stage != "thanks":
        return "out_of_service"
    match state.stage:
        case "scanning":
            return "basket" if state.sale is not None and standing(state.sale.lines) else "scan"
        case "choosing":
            return "pay"
        case "paying":
            return _paying(state)
        case "closing":
            return "closing"
        case "receipt":
            return "receipt"
        case "printing":
            outcome = state.receipt.outcome if state.receipt is not None else ""
            stuck = not state.health.printer.usable
            return "print_trouble" if stuck or outcome in ("failed", "uncertain") else "printing"
        case "thanks":
            return "thanks"
        case "suspended":
            return "suspended"


def _paying(state: State) -> Screen:
    phase = state.payment.phase if state.payment is not None else "preparing"
    if phase == "reversing":
        return "reversing"
    if phase == "manual" and state.attendant is not None and state.attendant.may("payments"):
        return "evidence"
    return "checking" if phase in ("unknown", "manual") or not state.health.hal else "card"


def can_scan(state: State) -> bool:
    return state.health.hal and state.health.scanner.usable


def card_offered(state: State) -> bool:
    """Whether a card payment can be started now; shown before the first scan."""
    return state.health.hal and state.health.terminal.usable


def print_offered(state: State) -> bool:
    return state.health.hal and state.health.printer.usable
