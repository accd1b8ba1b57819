"""The shop's records: what a sale, its lines, tenders and taxes are able to say. Sealed once written.

This lane offers one card, one currency and no discount; the types say all of it, since a sealed record cannot be
added to. Money is an integer of minor units in the sale's currency; rates are basis points (2500 = 25 %).
"""

from typing import Literal

import msgspec


class Shape(msgspec.Struct, frozen=True, omit_defaults=False):
    """Base of every record: immutable, all fields always written."""


class Currency(Shape, frozen=True):
    """ISO 4217 code and how many decimals its minor unit has (DKK 2, TWD 0 at the till)."""

    code: str
    exponent: int


class Quantity(Shape, frozen=True):
    """`value` x 10^-`scale` of `unit`: (2, 0, "each") is two pieces, (1250, 3, "kg") is 1.250 kg.

    For weighed goods: gross and tare in the same scale, and the scale's id and source of the figure.
    """

    value: int
    scale: int = 0
    unit: str = "each"
    gross: int | None = None
    tare: int | None = None
    scale_id: str = ""
    source: str = ""


class Price(Shape, frozen=True):
    """`list_amount` and `charged_amount` x 10^-`exponent` of a major unit, per one unit of quantity.

    The exponent may be finer than the currency's. `override_reason` and `override_actor` say why they differ.
    """

    catalogue_version: str
    list_amount: int
    charged_amount: int
    exponent: int
    override_reason: str = ""
    override_actor: str = ""


class Discount(Shape, frozen=True):
    rule: str
    rule_version: str
    reason: str
    amount_minor: int
    line_shares_minor: dict[str, int] = {}


class RestrictionCheck(Shape, frozen=True):
    """Outcome of an age or other check. Never a birth date."""

    rule: str
    method: str
    outcome: str
    actor_kind: str
    actor_id: str = ""


LineKind = Literal["item", "deposit", "gift_card", "fee", "tip", "rounding"]


class Line(Shape, frozen=True):
    """One line; never changed. A void or return is a new line with negative quantity, `voids` and a reason.

    `gross_minor` includes tax where the sale's prices do. `name` is by language code, as the catalogue had it.
    """

    line_id: str
    kind: LineKind
    code: str
    name: dict[str, str]
    quantity: Quantity
    price: Price
    gross_minor: int
    tax_category: str
    tax_rate_bp: int
    parent: str = ""
    voids: str = ""
    reason: str = ""
    read_aim: str = ""
    image: str = ""
    category: str = ""
    restriction: str = ""
    check: RestrictionCheck | None = None
    discounts: list[Discount] = []


class TaxTotal(Shape, frozen=True):
    """Per category. `base_minor` is without tax, `gross_minor` with it: base + tax = gross."""

    category: str
    rate_bp: int
    base_minor: int
    tax_minor: int
    gross_minor: int


class Foreign(Shape, frozen=True):
    """A tender in another currency. `rate` is a decimal text: home units per one foreign unit."""

    amount_minor: int
    currency: Currency
    rate: str


TenderKind = Literal["card", "cash", "gift_card", "voucher", "account"]
TenderState = Literal[
    "open",
    "intent",
    "sent",
    "approved",
    "declined",
    "cancelled",
    "unknown",
    "reversal_intent",
    "reversed",
    "manual",
]


class CardReferences(Shape, frozen=True):
    """What is kept of a card payment. `masked_pan` shows at most the last four digits and the issuer's first six."""

    masked_pan: str
    scheme: str
    terminal_id: str
    trace_no: str
    receipt_no: str
    authorisation_code: str
    terminal_time: str


class Evidence(Shape, frozen=True):
    """What is known of a tender that only a person can settle: what was asked of the terminal, and what it said.

    `why` is a stable word: `unclear`, `unreachable`, `wrong_amount`, `wrong_currency`, `late_approval`, `overpaid`,
    `reversal_refused`, `reversal_unclear`. `said` is the terminal's last answer in the words of the hardware daemon,
    `detail` how its record compares with the one from before the payment. Amounts and `card` as the terminal told
    them, 0 and None where it told none. Times are UTC milliseconds, 0 where unknown.
    """

    why: str
    requested_minor: int
    currency: str
    said: str = ""
    detail: str = ""
    told_minor: int = 0
    told_currency: str = ""
    card: CardReferences | None = None
    asked_wall_ms: int = 0
    told_wall_ms: int = 0


class Tender(Shape, frozen=True):
    """One attempt to pay. `requested_minor` never changes; `authorised_minor` may be less.

    `authorised_minor` is all that is charged, tip and surcharge included; of cash, all that was handed over.
    `witness` is the terminal's own record from before the attempt, opaque to everyone but its driver.
    `evidence` stands when a person had or has to settle it; `resolved_by` is who did, an opaque reference.
    """

    tender_id: str
    kind: TenderKind
    state: TenderState
    requested_minor: int
    authorised_minor: int = 0
    tip_minor: int = 0
    surcharge_minor: int = 0
    change_minor: int = 0
    foreign: Foreign | None = None
    card: CardReferences | None = None
    reverses: str = ""
    reason: str = ""
    witness: str = ""
    receipt_lines: list[str] = []
    intent_wall_ms: int = 0
    reversal_id: str = ""
    evidence: Evidence | None = None
    resolved_by: str = ""


SaleKind = Literal["sale", "return", "void", "no_sale"]
SaleState = Literal["open", "suspended", "transferred", "paying", "fiscalising", "closed", "abandoned", "cancelled"]


class Fiscal(Shape, frozen=True):
    """What the fiscal scheme returned, opaque to everyone but that scheme. Scheme `none`: nothing is asked for."""

    scheme: str
    data: dict[str, str] = {}


class Sale(Shape, frozen=True):
    """A whole sale, as it stands in `sale.closed` and its kin.

    `sale_no` is given at open, per register; `receipt_no` (with its `receipt_series`) at close. `rounding_rule` names
    the versioned rule by which the totals per tax category were made.
    """

    sale_id: str
    sale_no: int
    kind: SaleKind
    state: SaleState
    currency: Currency
    prices_include_tax: bool
    rounding_rule: str
    catalogue_version: str
    language: str
    opened_wall_ms: int
    lines: list[Line] = []
    tenders: list[Tender] = []
    taxes: list[TaxTotal] = []
    total_minor: int = 0
    order_type: str = "walk_in"
    channel: str = "self_checkout"
    original: str = ""
    receipt_series: str = ""
    receipt_no: int = 0
    fiscal: Fiscal | None = None
    closed_wall_ms: int = 0


class Product(Shape, frozen=True):
    """One product of a catalogue version.

    `code`: GTIN as 14 digits (zero-padded), or an in-store code as it stands in the shop's list (see `code_kind`).
    `name`: by language code, English always there. `price_amount` x 10^-`price_exponent` per `unit`.
    `deposit`: code of the deposit product sold along with it. `restriction`: empty, or a rule such as `age_18`.
    `image`: the name of a drawn placeholder or picture; `category` groups it on screens.
    """

    code: str
    code_kind: Literal["gtin", "plu", "price_embedded", "weight_embedded"]
    name: dict[str, str]
    price_amount: int
    price_exponent: int
    unit: str
    tax_category: str
    tax_rate_bp: int
    category: str
    deposit: str = ""
    restriction: str = ""
    image: str = ""
    kind: LineKind = "item"
