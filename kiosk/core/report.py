"""What a business day adds up to, here and at the acquirer: records, so fields only come, each with a default."""

from typing import Literal

import msgspec


class TaxSum(msgspec.Struct, frozen=True):
    category: str
    rate_bp: int
    base_minor: int = 0
    tax_minor: int = 0
    gross_minor: int = 0


class TenderSum(msgspec.Struct, frozen=True):
    """`amount_minor`: what paid for goods; tips and surcharges were charged besides, change is taken off."""

    kind: str
    count: int = 0
    amount_minor: int = 0
    tips_minor: int = 0
    surcharges_minor: int = 0


class Report(msgspec.Struct, frozen=True):
    """`date` is the business day, `no` counts the days of the register (the Z number). `grand_total_minor` runs over
    all days, this one included. Times are UTC milliseconds; `closed_ms` 0: it is still open."""

    date: str
    no: int
    mode: str
    currency: str
    opened_ms: int
    closed_ms: int = 0
    sales: int = 0
    gross_minor: int = 0
    taxes: tuple[TaxSum, ...] = ()
    tenders: tuple[TenderSum, ...] = ()
    voids: int = 0
    voids_minor: int = 0
    discounts: int = 0
    discounts_minor: int = 0
    suspended: int = 0
    recalled: int = 0
    cancelled: int = 0
    abandoned: int = 0
    first_sale_no: int = 0
    last_sale_no: int = 0
    first_receipt_no: int = 0
    last_receipt_no: int = 0
    grand_total_minor: int = 0


class Totals(msgspec.Struct, frozen=True):
    """What the terminal said. `outcome`: closed, refused, not_possible, unknown, unreachable. Receipt numbers as text,
    with their leading zeros."""

    outcome: str
    amount_minor: int = 0
    currency: str = ""
    count: int = 0
    first_receipt: str = ""
    last_receipt: str = ""
    schemes: tuple[tuple[str, int, int], ...] = ()
    lines: tuple[str, ...] = ()
    detail: str = ""


class Explained(msgspec.Struct, frozen=True):
    """One thing that may explain a difference. `where`: `ours` (approved here, outside the terminal's range),
    `terminal` (a number of its range that we have not), `doubt` (not approved here, as large as the difference)."""

    where: Literal["ours", "terminal", "doubt"]
    receipt_no: str = ""
    trace_no: str = ""
    amount_minor: int = 0
    sale_no: int = 0
    state: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """`ours_minor`: what our approved card payments charged, tips and surcharges included."""

    ours_minor: int
    ours_count: int
    difference_minor: int = 0
    explained: tuple[Explained, ...] = ()
