"""What the machine's words mean to a customer. Texts are translated where they are shown."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from kiosk.core.screen import Screen
from kiosk.i18n import N_


class Step(NamedTuple):
    """What the card terminal does or wants, and the drawing that goes with it."""

    title: str
    art: str


STEPS: Mapping[str, Step] = {
    "connecting": Step(N_("Connecting to the card terminal"), "wait"),
    "please_wait": Step(N_("Please wait"), "wait"),
    "present_card": Step(N_("Hold your card to the terminal, or insert it"), "card"),
    "insert_card": Step(N_("Insert your card into the terminal"), "card"),
    "remove_card": Step(N_("Take your card"), "card"),
    "enter_pin": Step(N_("Enter your PIN on the terminal"), "pin"),
    "wrong_pin": Step(N_("That PIN was wrong. Please try again on the terminal"), "pin"),
    "confirm_amount": Step(N_("Confirm the amount on the terminal"), "pin"),
    "card_unreadable": Step(N_("The card could not be read. Please try again"), "card"),
    "try_other_interface": Step(N_("Please insert the card instead"), "card"),
    "authorising": Step(N_("Asking your bank"), "wait"),
    "approved": Step(N_("Approved"), "done"),
    "declined": Step(N_("The card was declined"), "stop"),
    "cancelled": Step(N_("The payment was cancelled"), "stop"),
    "reversing": Step(N_("The payment is being taken back"), "wait"),
    "other": Step(N_("Please follow the card terminal"), "pin"),
}
ABORTING = Step(N_("Stopping the payment"), "wait")
CONFIRMING = Step(N_("Approved"), "done")

FAILURES: Mapping[str, str] = {
    "card_declined": N_("Your bank declined the card. You can try again or use another card."),
    "customer_cancelled": N_("The payment was cancelled at the terminal."),
    "aborted": N_("The payment was stopped."),
    "timeout": N_("It took too long. Please try again when your card is ready."),
    "wrong_pin": N_("The PIN was wrong. You can try again or use another card."),
    "terminal_busy": N_("The card terminal is busy. Please try again in a moment."),
    "terminal_unavailable": N_("The card terminal is not answering. Please ask a member of staff."),
    "void": N_("The terminal took the payment back."),
    "not_charged": N_("The terminal has no payment for this purchase."),
}
UNREACHABLE = ("no_answer", "unreachable", "unplugged", "offline", "not_registered", "protocol")
SAME_FAILURE: Mapping[str, str] = {"busy": "terminal_busy", **dict.fromkeys(UNREACHABLE, "terminal_unavailable")}
"""The daemon's words for what the customer need not tell apart."""
FAILURE = N_("The card terminal ended the payment.")

NOT_FOUND: Mapping[str, tuple[str, str]] = {
    "unknown": (
        N_("We do not know this item"),
        N_("It is not in our list, so it was not added. Please put it aside, or ask for help."),
    ),
    "not_a_product": (
        N_("That is not a product code"),
        N_("Nothing was added. Please look for the striped barcode on the packaging."),
    ),
    "in_store": (
        N_("This label cannot be read here"),
        N_("Items with a weight or price label are sold at the staffed till. It was not added."),
    ),
}

PRINTER: Mapping[str, str] = {
    "paper_out": N_("The printer is out of paper"),
    "cover_open": N_("The printer's cover is open"),
    "cutter": N_("The printer's cutter is stuck"),
    "uncertain": N_("We cannot tell whether your receipt was printed"),
}
PRINTER_OTHER = N_("The printer is not answering")

TITLES: Mapping[Screen, str] = {
    "out_of_service": N_("Closed"),
    "attract": N_("Welcome"),
    "scan": N_("Scan your first item"),
    "basket": N_("Your basket"),
    "pay": N_("Pay by card"),
    "card": N_("Card payment"),
    "checking": N_("Checking the payment"),
    "evidence": N_("Was the card charged?"),
    "reversing": N_("Your money is being paid back"),
    "closing": N_("One moment"),
    "receipt": N_("Your receipt"),
    "printing": N_("Printing your receipt"),
    "print_trouble": N_("Your receipt is not printed"),
    "thanks": N_("Thank you"),
    "suspended": N_("Your purchase is saved"),
}


def age(rule: str) -> int | None:
    """18 of `age_18`; None for another kind of rule."""
    match = re.fullmatch(r"age_(\d{1,2})", rule)
    return int(match[1]) if match else None
