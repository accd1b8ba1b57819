"""What the templates need to know, made from a state: pure, and nothing but texts, numbers and flags."""

from typing import NamedTuple

from kiosk.core.screen import Screen, can_scan, card_offered, print_offered, screen
from kiosk.core.state import (
    AttendantMenu,
    CancelAsked,
    DayShown,
    HelpCalled,
    ItemNotFound,
    NotForSale,
    NotPossible,
    PaymentFailed,
    PinAsked,
    Prompt,
    Recalled,
    Refused,
    ResolveAsked,
    State,
    StillThere,
    VoidAsked,
)
from kiosk.core.suspend import can_suspend
from kiosk.core.tenders import due_minor, paid_minor
from kiosk.i18n import LANGUAGES, N_, Translator, html_lang, pick, resolve, translator
from kiosk.lane.port import Published
from kiosk.web import days, slips, staff
from kiosk.web import words as say
from kiosk.web.basket import item_count, rows
from kiosk.web.evidence import evidence_view, question
from kiosk.web.qr import qr_svg, receipt_address

PAID_FOR = ("receipt", "printing", "thanks")
"""Stages with nothing left to lose but the receipt."""
CANCELLABLE = ("scan", "basket", "pay")
WITH_TOTAL = (
    *("scan", "basket", "pay", "card", "checking", "evidence", "reversing", "suspended"),
    *("closing", "receipt", "printing", "print_trouble"),
)
STOPPABLE = frozenset(
    [
        "connecting",
        "please_wait",
        "present_card",
        "insert_card",
        "enter_pin",
        "wrong_pin",
        "confirm_amount",
        "card_unreadable",
        "try_other_interface",
        "other",
    ]
)
"""The terminal's steps at which a cancellation may still be asked for."""


class Language(NamedTuple):
    """`code` as the shop's configuration has it, `tag` for a lang attribute, `name` in the language itself."""

    code: str
    tag: str
    name: str


class Notice(NamedTuple):
    """Something out of order: what it is, and what to do now."""

    kind: str
    title: str
    advice: str


class PromptView(NamedTuple):
    """A prompt's words. `subject` is the thing it is about, in language `lang`; `tone` picks drawing and colour."""

    name: str
    art: str
    title: str
    body: str
    subject: str = ""
    lang: str = ""
    seconds: int = 0


def context(published: Published) -> dict[str, object]:
    """Everything for `frame.html` and the screens that extend it."""
    state = published.state
    name = screen(state)
    words = translator(state.language)
    sale = state.sale
    total = _due(state)
    return {
        "t": words.t,
        "n": words.n,
        "lang": html_lang(words.language),
        "screen": name,
        "title": words.t(say.TITLES[name]),
        "revision": published.revision,
        "cause": published.cause_mono_ns,
        "pulse": state.pulse,
        "contrast": state.contrast,
        "sale_id": sale.sale_id if sale is not None else "",
        "shop": state.shop,
        "languages": languages(state),
        "language": resolve(state.language),
        "total": words.money(total, state.shop.currency),
        "show_total": name in WITH_TOTAL,
        "rows": rows(sale, words) if name == "basket" else [],
        "items": item_count(sale),
        "notices": _notices(state, name, words),
        "prompt": _prompt(state, words),
        "part_paid": _part_paid(state, words),
        "staff": staff.staff_view(state, words),
        "pin_taken": not (isinstance(state.prompt, PinAsked) and state.prompt.trouble == "locked"),
        "void_line": state.prompt.line_id if isinstance(state.prompt, VoidAsked) else "",
        "void_reasons": staff.void_reasons(words) if isinstance(state.prompt, VoidAsked) else [],
        "changes": slips.changes(state, words),
        "suspendable": can_suspend(state) and not card_offered(state),
        "day": days.day_view(state, words),
        "can_scan": can_scan(state),
        "card_offered": card_offered(state),
        "print_offered": print_offered(state),
        "qr_offered": bool(state.shop.receipt_url) and sale is not None,
        "cancellable": name in CANCELLABLE,
        "paid": sale is not None and any(tender.state == "approved" for tender in sale.tenders),
        **_special(state, name, words),
    }


def _prompt(state: State, words: Translator) -> PromptView | None:
    match state.prompt:
        case None:
            return None
        case ResolveAsked(charged):
            return PromptView("resolve_asked", "staff", *question(state, words, charged=charged))
        case CancelAsked() if _part_paid(state, words):
            body = N_("Everything is taken out of your basket. What you have paid goes back to your card.")
            return prompt_view(state.prompt, words)._replace(body=words.t(body))
        case prompt:
            return prompt_view(prompt, words, paid=state.stage in PAID_FOR)


def _part_paid(state: State, words: Translator) -> str:
    """What is paid of a basket that is not wholly paid."""
    if state.sale is None or state.stage not in ("scanning", "choosing"):
        return ""
    paid = paid_minor(state.sale)
    return words.money(paid, state.shop.currency) if paid > 0 else ""


def languages(state: State) -> list[Language]:
    """The shop's languages that there is a catalogue for, in the shop's order."""
    offered = {resolve(code): code for code in reversed(state.shop.languages)}
    return [Language(code, html_lang(key), LANGUAGES[key]) for key, code in reversed(offered.items())]


def prompt_view(prompt: Prompt, words: Translator, *, paid: bool = False) -> PromptView:
    t = words.t
    match prompt:
        case ItemNotFound(text=text, why=why):
            title, body = say.NOT_FOUND.get(why, say.NOT_FOUND["unknown"])
            return PromptView("item_not_found", "barcode", t(title), t(body), text)
        case Refused(what="void", name=names):
            name, code = pick(names, words.language)
            title, body = (
                N_("Staff can take this off"),
                N_("It stays in your basket until they come. Staff have been called; you can go on scanning."),
            )
            return PromptView("refused", "staff", t(title), t(body), name, html_lang(code))
        case Refused(rule=rule, name=names):
            name, code = pick(names, words.language)
            return PromptView("refused", "age", *_restriction(rule, words), name, html_lang(code))
        case HelpCalled():
            body = N_("Somebody will come to you. You can go on scanning meanwhile.")
            return PromptView("help_called", "staff", t(N_("Staff have been called")), t(body))
        case StillThere(answer_s=seconds):
            body = N_("Without an answer your basket is cleared.")
            if paid:
                body = N_("Your purchase is paid. Without an answer it ends without a receipt.")
            return PromptView("still_there", "hand", t(N_("Are you still there?")), t(body), seconds=seconds)
        case PaymentFailed(reason=reason):
            body = t(say.FAILURES.get(say.SAME_FAILURE.get(reason, reason), say.FAILURE))
            return PromptView("payment_failed", "stop", t(N_("Nothing was charged")), body)
        case PinAsked() | AttendantMenu():
            return PromptView(prompt.__struct_config__.tag, *staff.words_of(prompt, words))  # type: ignore[arg-type]
        case VoidAsked(name=names):
            name, code = pick(names, words.language)
            return PromptView("void_asked", *staff.words_of(prompt, words), name, html_lang(code))
        case NotPossible() | Recalled():
            return PromptView(prompt.__struct_config__.tag, *slips.words_of(prompt, words))  # type: ignore[arg-type]
        case DayShown():
            return PromptView("day_shown", *days.words_of(prompt, words))
        case NotForSale(name=names):
            name, code = pick(names, words.language)
            body = N_("It was not added. Please take it to the staffed till.")
            return PromptView(
                "not_for_sale", "barcode", t(N_("This till cannot sell this")), t(body), name, html_lang(code)
            )
        case _:
            return _plain_prompt(prompt, words)


def _plain_prompt(prompt: Prompt, words: Translator) -> PromptView:
    if prompt.__struct_config__.tag == "scan_not_now":
        title, body = N_("That was not added"), N_("Items can be added only before payment starts.")
        return PromptView("scan_not_now", "barcode", words.t(title), words.t(body))
    title, body = N_("Cancel the whole purchase?"), N_("Everything is taken out of your basket. Nothing is charged.")
    return PromptView("cancel_asked", "basket", words.t(title), words.t(body))


def _restriction(rule: str, words: Translator) -> tuple[str, str]:
    years = say.age(rule)
    if years is None:
        title = words.t(N_("Staff must approve this"))
    else:
        title = words.t(N_("Only for customers of {age} or over"), age=years)
    return title, words.t(N_("Staff have been called to look at it. You can go on scanning meanwhile."))


def _notices(state: State, name: Screen, words: Translator) -> list[Notice]:
    """What is out of order and matters on this screen."""
    t, health = words.t, state.health
    found = []
    if name in ("scan", "basket", "pay") and not health.hal:
        title, advice = N_("One moment, the scanner is being connected"), N_("Your basket is kept.")
        return [Notice("scanner", t(title), t(advice))]
    if name in ("scan", "basket") and not health.scanner.usable:
        title, advice = N_("The scanner is not working"), N_("Your basket is kept. Please touch Help to call staff.")
        found.append(Notice("scanner", t(title), t(advice)))
    if name in ("attract", "scan", "basket", "pay") and not card_offered(state):
        advice = N_("You can pay at the staffed till.")
        found.append(Notice("terminal", t(N_("Card payment is not available at the moment")), t(advice)))
    if name in ("attract", "scan", "basket") and not print_offered(state):
        advice = t(N_("You can get it on your phone.")) if state.shop.receipt_url else ""
        found.append(Notice("printer", t(N_("No printed receipt at the moment")), advice))
    return found


def _due(state: State) -> int:
    if state.sale is None:
        return 0
    if state.payment is not None:
        mine = [tender for tender in state.sale.tenders if tender.tender_id == state.payment.tender_id]
        if not mine:
            return state.sale.total_minor
        known = state.payment.phase in ("reversing", "manual") and mine[0].authorised_minor
        return known or mine[0].requested_minor
    return due_minor(state.sale) if state.stage in ("scanning", "choosing") else state.sale.total_minor


def _special(state: State, name: Screen, words: Translator) -> dict[str, object]:
    """What only one screen needs."""
    match name:
        case "card":
            return _card(state, words)
        case "checking":
            manual = state.payment is not None and state.payment.phase == "manual"
            staff_called = manual or (state.payment is not None and state.payment.staff)
            return {"staff_called": staff_called, **evidence_view(state, words)}
        case "evidence":
            return evidence_view(state, words)
        case "reversing":
            return {"terminal_text": state.payment.text if state.payment is not None else ""}
        case "print_trouble":
            outcome = state.receipt.outcome if state.receipt is not None else ""
            return {
                "cause_text": words.t(_print_trouble(state)),
                "waits": not outcome and state.health.printer.reason in ("paper_out", "cover_open"),
                "doubt": outcome == "uncertain",
            }
        case "thanks":
            receipt = state.receipt
            how = receipt.how if receipt is not None else "none"
            printed = receipt is not None and receipt.how == "print" and receipt.outcome in ("", "printed")
            return {"seconds": state.shop.thanks_s, "qr": _qr(state) if how == "qr" else None, "printed": printed}
        case "suspended":
            return slips.slip_view(state)
        case "out_of_service":
            return {"sale_open": state.stage != "idle" and state.sale is not None, "why": _closed_why(state)}
        case _:
            return {}


def _card(state: State, words: Translator) -> dict[str, object]:
    payment = state.payment
    if payment is None:
        first = say.STEPS["connecting"].title
        return {"step": words.t(first), "art_name": "wait", "stoppable": False, "terminal_text": ""}
    step = say.STEPS.get(payment.progress, say.STEPS["other"])
    if payment.phase == "aborting":
        step = say.ABORTING
    elif payment.phase == "confirming":
        step = say.CONFIRMING
    # Not while it is being prepared: nothing has been sent yet that could be stopped, and the button would do nothing.
    stoppable = payment.phase == "charging" and payment.progress in STOPPABLE
    text = payment.text if payment.phase == "charging" else ""
    return {"step": words.t(step.title), "art_name": step.art, "stoppable": stoppable, "terminal_text": text}


def _print_trouble(state: State) -> str:
    receipt, printer = state.receipt, state.health.printer
    if printer.reason in say.PRINTER:
        return say.PRINTER[printer.reason]
    if receipt is not None and receipt.outcome == "uncertain":
        return say.PRINTER["uncertain"]
    if printer.usable:  # whatever it was, it is over; the receipt has still not come out
        return say.TITLES["print_trouble"]
    return say.PRINTER.get(receipt.reason, say.PRINTER_OTHER) if receipt is not None else say.PRINTER_OTHER


def _closed_why(state: State) -> str:
    """A stable word for the technician, small in the corner; not translated."""
    health = state.health
    if health.journal:
        return f"journal: {health.journal}"
    if not state.catalogue.version:
        return "catalogue: none"
    if not health.hal:
        return "devices: not connected"
    return f"scanner: {health.scanner.reason or health.scanner.condition}"


def _qr(state: State) -> str | None:
    if state.sale is None or not state.shop.receipt_url:
        return None
    return qr_svg(receipt_address(state.shop.receipt_url, state.sale.sale_id))
