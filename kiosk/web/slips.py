"""What a page says of suspended sales: the screen with the code, what differs at this till, why it cannot be done."""

from typing import NamedTuple

from kiosk.core.state import Change, NotPossible, Recalled, State
from kiosk.core.suspend import SLIP_S
from kiosk.i18n import N_, Translator, html_lang, pick
from kiosk.web.qr import qr_svg

NOT_POSSIBLE = {
    "suspend_now": (N_("This purchase cannot be saved"), N_("A part of it is paid already, or nothing is in it.")),
    "no_day": (N_("No business day is open"), N_("The first sale opens one.")),
    "day_busy": (N_("The day cannot be closed now"), N_("A purchase is in hand. Finish or cancel it first.")),
    "no_printer": (N_("The printer is not available at the moment."), N_("The figures stand on the screen.")),
    "suspend_too_large": (
        N_("This purchase is too large to save"),
        N_("Its code would not fit on a slip. Your basket is kept here."),
    ),
    "recall_busy": (
        N_("Finish this purchase first"),
        N_("A saved purchase is taken up where nothing is in the basket yet."),
    ),
    "recall_taken": (N_("This slip was used already"), N_("A saved purchase can be taken up once.")),
    "recall_expired": (N_("This slip is too old"), N_("Slips are valid for 24 hours. Please scan your items again.")),
    "recall_currency": (N_("This slip is in another currency"), N_("Please scan your items again.")),
    "recall_empty": (N_("Nothing on this slip is sold here"), N_("Please ask a member of staff.")),
    "recall_too_large": (N_("This slip cannot be taken up here"), N_("Please ask a member of staff.")),
}


class ChangeView(NamedTuple):
    name: str
    lang: str
    was: str
    now: str


def words_of(prompt: NotPossible | Recalled, words: Translator) -> tuple[str, str, str]:
    """Drawing, title and body."""
    match prompt:
        case NotPossible(why):
            title, body = NOT_POSSIBLE.get(why, NOT_POSSIBLE["recall_empty"])
            return "stop", words.t(title), words.t(body)
        case Recalled(changes, missing):
            said = []
            if changes:
                said.append(words.t(N_("Some prices are different here.")))
            if missing:
                said.append(
                    words.n(
                        "{n} product is not sold here and was left out.",
                        "{n} products are not sold here and were left out.",
                        missing,
                    )
                )
            return "basket", words.t(N_("Your purchase is here")), " ".join(said)


def changes(state: State, words: Translator) -> list[ChangeView]:
    if not isinstance(state.prompt, Recalled):
        return []
    return [_change(change, state, words) for change in state.prompt.changes]


def _change(change: Change, state: State, words: Translator) -> ChangeView:
    name, code = pick(change.name, words.language)
    currency = state.shop.currency
    return ChangeView(
        name, html_lang(code), words.money(change.was_minor, currency), words.money(change.now_minor, currency)
    )


def slip_view(state: State) -> dict[str, object]:
    """For the screen after suspending."""
    receipt = state.receipt
    prints = receipt is not None and receipt.how == "print" and receipt.outcome in ("", "printed")
    return {"slip_qr": qr_svg(state.slip), "slip_prints": prints, "seconds": SLIP_S}
