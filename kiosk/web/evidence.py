"""What staff are shown of a payment that only they can settle: what was asked, and what the terminal says."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from kiosk.core.attempt import under_way
from kiosk.core.doubt import charged_minor, is_reversal
from kiosk.core.state import State
from kiosk.i18n import N_, Translator
from kiosk.lane.stamp import LaneStamp
from kiosk.records.sale import CardReferences, Currency, Evidence

WHY: Mapping[str, str] = {
    "unclear": N_("The terminal's record does not show whether the card was charged."),
    "unreachable": N_("The terminal has not answered for a minute."),
    "wrong_amount": N_("The terminal approved another amount than was asked for."),
    "wrong_currency": N_("The terminal approved an amount in another currency."),
    "late_approval": N_("The terminal approved a payment that had already ended here."),
    "overpaid": N_("The terminal approved more than was still to be paid."),
    "reversal_refused": N_("The terminal refused to pay the money back."),
    "reversal_unclear": N_("It is not known whether the terminal paid the money back."),
}
SAID: Mapping[str, str] = {
    "approved": N_("Approved"),
    "declined": N_("Declined"),
    "cancelled": N_("Cancelled"),
    "not_charged": N_("No new payment"),
    "unknown": N_("Not clear"),
    "unreachable": N_("No answer"),
    "refused": N_("Refused"),
}
COMPARED: Mapping[str, str] = {
    "advanced": N_("A new payment of this amount"),
    "unchanged": N_("Its last payment is the same as before"),
    "empty": N_("It has no payment at all"),
    "other_amount": N_("Its last payment is of another amount"),
    "other_transaction": N_("The last thing it did was not a payment"),
    "other_terminal": N_("Another terminal answers than before"),
    "not_advanced": N_("Its last payment may be older than this one"),
    "record_gone": N_("Its record has been emptied meanwhile"),
    "unreadable_record": N_("Its record cannot be read"),
}


class Fact(NamedTuple):
    """`key` is a stable word for the row; `code`: a number to compare, set in figures of equal width."""

    key: str
    label: str
    value: str
    code: bool = False


def evidence_view(state: State, words: Translator) -> dict[str, object]:
    """What `evidence.html` and its question need; nothing while no tender waits for staff."""
    tender = under_way(state)
    if tender is None or tender.evidence is None:
        return {"facts": [], "why": "", "giving_back": False, "charged": ""}
    seen, giving_back = tender.evidence, is_reversal(tender)
    return {
        "facts": _facts(seen, state.shop.currency, words),
        "why": words.t(WHY[seen.why]) if seen.why in WHY else seen.why,
        "giving_back": giving_back,
        "charged": words.money(charged_minor(tender), state.shop.currency),
    }


def question(state: State, words: Translator, *, charged: bool) -> tuple[str, str]:
    """Title and body of the question whether that is really how it ended."""
    known = evidence_view(state, words)
    if charged:
        title = words.t(N_("The card was charged {amount}?"), amount=known["charged"])
        body = N_("It then counts as paid. Your answer is recorded under your name and cannot be changed.")
    elif known["giving_back"]:
        title = words.t(N_("The money was paid back?"))
        body = N_("It then counts as paid back. Your answer is recorded under your name and cannot be changed.")
    else:
        title = words.t(N_("The card was not charged?"))
        body = N_("The customer may then pay again. Your answer is recorded under your name and cannot be changed.")
    return title, words.t(body)


def _facts(seen: Evidence, currency: Currency, words: Translator) -> list[Fact]:
    t = words.t
    said = t(SAID[seen.said]) if seen.said in SAID else seen.said
    found = [
        Fact("asked", t(N_("Asked for")), words.money(seen.requested_minor, currency)),
        Fact("asked_at", t(N_("Asked at")), _time(seen.asked_wall_ms, words)),
        Fact("said", t(N_("The terminal says")), said),
        Fact("told", t(N_("Amount at the terminal")), _told(seen, currency, words)),
        Fact("compared", t(N_("Its record")), t(COMPARED[seen.detail]) if seen.detail in COMPARED else seen.detail),
        *(_card(seen.card, words) if seen.card is not None else ()),
        Fact("told_at", t(N_("Answered at")), _time(seen.told_wall_ms, words)),
    ]
    return [fact for fact in found if fact.value]


def _card(card: CardReferences, words: Translator) -> list[Fact]:
    t = words.t
    return [
        Fact("card", t(N_("Card")), f"{card.scheme} {card.masked_pan}".strip(), code=True),
        Fact("receipt_no", t(N_("Receipt number")), card.receipt_no, code=True),
        Fact("trace_no", t(N_("Trace number")), card.trace_no, code=True),
        Fact("authorisation", t(N_("Authorisation code")), card.authorisation_code, code=True),
        Fact("terminal_id", t(N_("Terminal")), card.terminal_id, code=True),
        Fact("terminal_time", t(N_("Time at the terminal")), card.terminal_time, code=True),
    ]


def _told(seen: Evidence, currency: Currency, words: Translator) -> str:
    """The other currency's decimals are not known here: its amount is shown as it came."""
    if not seen.told_currency and not seen.told_minor:
        return ""
    if seen.told_currency == currency.code:
        return words.money(seen.told_minor, currency)
    return f"{seen.told_minor} ({seen.told_currency})"


def _time(wall_ms: int, words: Translator) -> str:
    if not wall_ms:
        return ""
    local = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone()
    return words.date(wall_ms, LaneStamp.tzo_min(local))
