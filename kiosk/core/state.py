"""Everything a lane knows at one moment. Immutable; `kiosk.core.checkout.step` makes the next one.

What belongs to the sale (`sale`, `payment.phase`, `receipt`, the numbers) comes back by replaying the journal.
The rest (`health`, `prompt`, the terminal's display) is known anew after a restart and never journaled.
"""

from typing import Literal

import msgspec

from kiosk.core.report import Report
from kiosk.records.sale import Currency, Product, Sale

DeviceName = Literal["scanner", "printer", "terminal"]
TimerName = Literal["idle", "answer", "thanks", "query", "ending", "unclear", "attendant"]


class Base(msgspec.Struct, frozen=True):
    """Immutable part of the state."""


class Shop(Base, frozen=True):
    """The lane's rules, from its configuration and enrolment; fixed while the process runs."""

    name: str
    address: tuple[str, ...]
    tax_number: str
    currency: Currency
    prices_include_tax: bool
    rounding_rule: str
    languages: tuple[str, ...]
    default_language: str
    register: str
    mode: str = "live"
    fiscal_scheme: str = "none"
    receipt_series: str = "A"
    receipt_url: str = ""
    """Where a digital receipt opens; `{sale_id}` stands for the sale. Empty: no digital receipt is offered."""
    accent: str = "#0f6b4f"
    idle_s: int = 60
    answer_s: int = 25
    thanks_s: int = 8


class Catalogue(Base, frozen=True):
    """The pinned catalogue version; `version` empty: none is there, and nothing can be sold."""

    version: str = ""
    products: int = 0


class Adopted(Base, frozen=True):
    """The version of the shop's signed settings that the lane goes by; `sequence` 0: none came yet."""

    version: str = ""
    sequence: int = 0


class DeviceHealth(Base, frozen=True):
    """A device in the kiosk's eyes: `condition` and `reason` are the words of the hardware daemon."""

    condition: str = "absent"
    reason: str = "starting"
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return self.condition in ("ready", "busy")


class Health(Base, frozen=True):
    hal: bool = False
    scanner: DeviceHealth = DeviceHealth()
    printer: DeviceHealth = DeviceHealth()
    terminal: DeviceHealth = DeviceHealth()
    journal: str = ""
    """Empty while the journal takes records; else why it does not: the lane is out of service."""


Stage = Literal["idle", "scanning", "choosing", "paying", "closing", "receipt", "printing", "thanks", "suspended"]
"""idle: nobody there. choosing: how to pay. closing: fiscal port and seal. receipt: how to hand it over.
suspended: put aside, the slip's code is shown."""

Phase = Literal["preparing", "charging", "aborting", "confirming", "unknown", "reversing", "manual"]
"""Of the one payment under way. preparing: nothing sent. charging: the terminal works. confirming: approved, recorded,
being acknowledged to the terminal. unknown: the terminal is being asked. reversing: what was paid goes back. manual:
only a member of staff can say how it ended."""

Ending = Literal["", "cancelled", "abandoned"]
"""How the sale ends once all its parts are reversed; empty: it goes on."""


class Payment(Base, frozen=True):
    """The tender under way. `progress` and `text` are what the terminal shows now (not journaled)."""

    tender_id: str
    phase: Phase
    seq: int = 0
    progress: str = "connecting"
    text: str = ""
    staff: bool = False
    """True once staff were called: the terminal's record could not settle the question, or took too long."""
    ending: Ending = ""


class Receipt(Base, frozen=True):
    """How the receipt is handed over. `document` is the issued document as JSON text (`kiosk.receipt`)."""

    how: Literal["print", "qr", "none"]
    document: str
    job_id: str = ""
    copies: int = 0
    outcome: Literal["", "printed", "failed", "uncertain"] = ""
    reason: str = ""


class Attendant(Base, frozen=True):
    """A member of staff who has shown who they are (badge and PIN). `attendant_id` is an opaque reference; `roles`
    are words of the signed settings: `approve`, `void`, `payments`, `day`, `suspend`."""

    attendant_id: str
    roles: tuple[str, ...] = ()

    def may(self, role: str) -> bool:
        return role in self.roles


class Waiting(Base, frozen=True):
    """A restricted item that waits for a member of staff; `wait_id` will be its line's id."""

    wait_id: str
    product: Product
    deposit: Product | None
    aim: str
    catalogue_version: str


class ItemNotFound(Base, frozen=True, tag="item_not_found"):
    """`text` is what was read, cleaned and cut for showing; `why` a word: `unknown`, `not_a_product`, `in_store`."""

    text: str
    why: str


class Refused(Base, frozen=True, tag="refused"):
    """Needs a member of staff: `what` is `restricted` or `void`; `rule` such as `age_18`; `name` by language."""

    what: Literal["restricted", "void"]
    rule: str
    name: dict[str, str]


class HelpCalled(Base, frozen=True, tag="help_called"):
    pass


class StillThere(Base, frozen=True, tag="still_there"):
    """`answer_s` seconds to answer, then the basket is given up; once paid, the sale ends without a receipt."""

    answer_s: int


class CancelAsked(Base, frozen=True, tag="cancel_asked"):
    """Really give up the whole basket?"""


class PaymentFailed(Base, frozen=True, tag="payment_failed"):
    """Nothing was charged. `reason`: `card_declined`, `customer_cancelled`, `timeout`, `not_charged`, `void`,
    `terminal_unavailable` and the daemon's other words."""

    reason: str


class ResolveAsked(Base, frozen=True, tag="resolve_asked"):
    """To the member of staff: really charged, or really not?"""

    charged: bool


class ScanNotNow(Base, frozen=True, tag="scan_not_now"):
    """Something was scanned where nothing can be added (while paying, before the receipt was chosen)."""


class NotForSale(Base, frozen=True, tag="not_for_sale"):
    """Weighed goods and the like, which this lane cannot sell yet."""

    name: dict[str, str]


class PinAsked(Base, frozen=True, tag="pin_asked"):
    """A badge was shown: whose, and why the last PIN was not taken. `wait_s`: until one is taken again."""

    attendant_id: str
    trouble: Literal["", "wrong", "locked"] = ""
    wait_s: int = 0


class AttendantMenu(Base, frozen=True, tag="attendant_menu"):
    """What the attendant may do here."""


class VoidAsked(Base, frozen=True, tag="void_asked"):
    """Why is the line taken off? Asked of an attendant."""

    line_id: str
    name: dict[str, str]


class NotPossible(Base, frozen=True, tag="not_possible"):
    """Suspending or recalling cannot be done; `why` is one of its words."""

    why: str


class Change(Base, frozen=True):
    """A price that differs from the slip's, for one piece."""

    name: dict[str, str]
    was_minor: int
    now_minor: int


class Recalled(Base, frozen=True, tag="recalled"):
    """A suspended sale was taken up, and not all is as it was: `missing` products are not sold here."""

    changes: tuple[Change, ...]
    missing: int


class DayShown(Base, frozen=True, tag="day_shown"):
    """The day's totals for the attendant: X while it goes on, Z when it was closed."""

    report: Report
    kind: Literal["X", "Z"]
    printed: bool = False


Prompt = (
    ItemNotFound
    | Refused
    | HelpCalled
    | StillThere
    | CancelAsked
    | PaymentFailed
    | ResolveAsked
    | ScanNotNow
    | NotForSale
    | PinAsked
    | AttendantMenu
    | VoidAsked
    | NotPossible
    | Recalled
    | DayShown
)


class State(Base, frozen=True):
    """The whole lane. `pulse` rises with every accepted scan (the page plays its sound and movement on it)."""

    shop: Shop
    language: str
    stage: Stage = "idle"
    contrast: Literal["normal", "high"] = "normal"
    catalogue: Catalogue = Catalogue()
    health: Health = Health()
    sale: Sale | None = None
    payment: Payment | None = None
    receipt: Receipt | None = None
    prompt: Prompt | None = None
    attendant: Attendant | None = None
    """Who of the staff stands at the lane now; None: the customer is alone."""
    settings: Adopted = Adopted()
    refusals: tuple[int, ...] = ()
    """When wrong PINs were given, UTC milliseconds, the last few."""
    waiting: tuple[Waiting, ...] = ()
    """Restricted items that staff must look at; known anew after a restart, when the customer scans them again."""
    day: Report | None = None
    """The open business day with its totals so far; None: the next sale opens one."""
    z_no: int = 0
    """Number of the last day that was closed."""
    grand_total_minor: int = 0
    """Turnover of all closed days."""
    reconcile_due: int = 0
    """The closed day whose comparison with the acquirer is not recorded yet; 0: none."""
    recalled: tuple[str, ...] = ()
    """Of which suspended sales this lane has taken up, the beginnings of their ids, the last few."""
    slip: str = ""
    """The code of the sale that was just suspended."""
    next_sale_no: int = 1
    next_receipt_no: int = 1
    pulse: int = 0


def fresh(shop: Shop) -> State:
    """A lane that was just switched on."""
    return State(shop=shop, language=shop.default_language)
