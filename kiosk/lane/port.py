"""What the customer's page may ask of the lane, and how it sees it. Safe to call from any thread."""

from collections.abc import Callable
from typing import Annotated, Literal, Protocol

import msgspec

from kiosk.core.state import State

How = Literal["print", "qr", "none"]
VoidReason = Literal["changed_mind", "scanned_twice", "wrong_price", "damaged", "other"]


class Wish(msgspec.Struct, frozen=True, tag_field="wish", forbid_unknown_fields=True):
    """Base of all wishes. A wish that the state does not allow is dropped by the core; it never fails."""


class Start(Wish, frozen=True, tag="start"):
    """From the attract screen to scanning."""


class Touch(Wish, frozen=True, tag="touch"):
    """A sign of life; answers "are you still there"."""


class ChooseLanguage(Wish, frozen=True, tag="language"):
    language: str


class ChooseContrast(Wish, frozen=True, tag="contrast"):
    contrast: Literal["normal", "high"]


class GoToPay(Wish, frozen=True, tag="pay"):
    """From the basket to the choice of how to pay."""


class PayByCard(Wish, frozen=True, tag="card"):
    """Start the card payment of what is still due."""


class Back(Wish, frozen=True, tag="back"):
    """Back to scanning; while the terminal works: ask it to stop."""


class Help(Wish, frozen=True, tag="help"):
    pass


class Cancel(Wish, frozen=True, tag="cancel"):
    """Asks whether the basket is really to be given up."""


class CancelConfirmed(Wish, frozen=True, tag="cancel_confirmed"):
    pass


class Remove(Wish, frozen=True, tag="remove"):
    line_id: str


class Resolve(Wish, frozen=True, tag="resolve"):
    """A member of staff says how a payment ended that the terminal cannot tell; asked once more."""

    charged: Literal["yes", "no"]


class ResolveConfirmed(Wish, frozen=True, tag="resolve_confirmed"):
    """What `Resolve` said, with the evidence as it is shown."""


class ClosePrompt(Wish, frozen=True, tag="close_prompt"):
    pass


class EnterPin(Wish, frozen=True, tag="pin"):
    """The PIN to the badge that was just shown. Goes nowhere but into its hash."""

    pin: Annotated[str, msgspec.Meta(max_length=8)]


class Menu(Wish, frozen=True, tag="menu"):
    """The attendant's menu; nothing without an attendant."""


class Leave(Wish, frozen=True, tag="leave"):
    """The attendant is done."""


class Decide(Wish, frozen=True, tag="decide"):
    """A restricted item that waits is approved or refused."""

    wait_id: str
    outcome: Literal["approved", "refused"]


class Void(Wish, frozen=True, tag="void"):
    """Take the line off that the attendant was asked about."""

    line_id: str
    reason: VoidReason


class Suspend(Wish, frozen=True, tag="suspend"):
    """Put the sale aside to a printed code: for an attendant, and for a customer who cannot pay here."""


class ReadDay(Wish, frozen=True, tag="day"):
    """The day's totals so far, on the screen or on paper as well; for an attendant."""

    how: Literal["show", "print"]


class CloseDay(Wish, frozen=True, tag="close_day"):
    """Close the business day; for an attendant."""


class ChooseReceipt(Wish, frozen=True, tag="receipt"):
    how: How


class PrintAgain(Wish, frozen=True, tag="print_again"):
    """One more print, marked as a copy."""


class Finish(Wish, frozen=True, tag="finish"):
    """Done: to the thank-you screen, or from it to the next customer."""


AnyWish = (
    Start
    | Touch
    | ChooseLanguage
    | ChooseContrast
    | GoToPay
    | PayByCard
    | Back
    | Help
    | Cancel
    | CancelConfirmed
    | Remove
    | Resolve
    | ResolveConfirmed
    | ClosePrompt
    | EnterPin
    | Menu
    | Leave
    | Decide
    | Void
    | Suspend
    | ReadDay
    | CloseDay
    | ChooseReceipt
    | PrintAgain
    | Finish
)


class Published(msgspec.Struct, frozen=True):
    """A state and its number; numbers rise by at least one with each change. `cause_mono_ns`: when the bytes that
    caused it were read from the device (CLOCK_MONOTONIC), 0 for other causes: for measuring only."""

    revision: int
    state: State
    cause_mono_ns: int = 0


class LanePort(Protocol):
    def snapshot(self) -> Published:
        """The present state. Never blocks."""

    def wait(self, after: int, timeout_s: float) -> Published | None:
        """The first state seen with a revision above `after`, or None when the time is over."""

    def on_coming(self, listener: Callable[[Published], None]) -> None:
        """Call `listener` with the very object that is published once its record is durable, and never if the record
        fails: for work that may be done meanwhile and must not be seen before. On the lane's thread; must not block."""

    def post(self, wish: AnyWish) -> None:
        """Hand a wish in. Returns at once."""
