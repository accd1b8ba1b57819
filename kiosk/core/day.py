"""The business day: opened with the first sale, read (X report), closed (Z report).

Its date is the local one at opening and stays so over midnight. The totals are added up sale by sale as they are
sealed, by the same function that `kassa-journal day` uses on the journal alone.
"""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attendance import may
from kiosk.core.report import Report, TaxSum, TenderSum
from kiosk.core.state import DayShown, State
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import settled_minor
from kiosk.records.sale import Sale

MINUTE_MS = 60_000
DAY_MINUTES = 24 * 60


def opened(state: State, event: on.DayOpened) -> Step:
    if state.day is not None:
        return stay(state)
    shop = state.shop
    return Step(
        replace(state, day=begun(event, state.z_no + 1, shop.mode, shop.currency.code, state.grand_total_minor))
    )


def begun(event: on.DayOpened, no: int, mode: str, currency: str, grand_total_minor: int) -> Report:
    return Report(event.date, no, mode, currency, event.wall_ms, grand_total_minor=grand_total_minor)


def looked(state: State) -> Step:
    """On the attendant's screen only."""
    if state.day is None or not may(state, "day"):
        return stay(state)
    return Step(replace(state, prompt=DayShown(state.day, "X")))


def read(state: State, event: on.DayRead) -> Step:
    """The X report on paper; the day goes on."""
    if state.day is None or not may(state, "day"):
        return stay(state)
    after = replace(state, prompt=DayShown(event.report, "X", printed=True))
    return Step(after, (do.PrintReceipt(event.job_id, event.document, copy=False),))


def closed(state: State, event: on.DayClosed) -> Step:
    """The Z report: by an attendant with the role, or by the clock; only while no sale is open."""
    allowed = event.by_clock or may(state, "day")
    if not can_close(state) or not allowed or state.day is None or replace(event.report, closed_ms=0) != state.day:
        return stay(state)
    shown = None if event.by_clock else DayShown(event.report, "Z", printed=bool(event.job_id))
    after = replace(
        state,
        day=None,
        z_no=state.day.no,
        grand_total_minor=state.day.grand_total_minor,
        reconcile_due=state.day.no,
        prompt=shown,
        stage="idle",
    )
    prints = (do.PrintReceipt(event.job_id, event.document, copy=False),) if event.job_id else ()
    return Step(after, (*prints, do.Reconcile(event.report.no)))


def can_close(state: State) -> bool:
    return state.day is not None and state.sale is None and state.stage in ("idle", "scanning")


def followed(before: State, event: on.Any, after: State, sale: Sale | None) -> State:
    """The day's totals after an event; `sale` is what it sealed."""
    day = after.day
    if day is None:
        return after
    if isinstance(event, on.SaleRecalled) and after.sale != before.sale:
        return replace(after, day=replace(day, recalled=day.recalled + 1))
    return after if sale is None else replace(after, day=add(day, sale))


def add(day: Report, sale: Sale) -> Report:
    """The totals with one more sale. Voids are those of every sale, also of one that was given up."""
    voids = [line for line in sale.lines if line.voids]
    day = replace(
        day,
        voids=day.voids + len(voids),
        voids_minor=day.voids_minor - sum(line.gross_minor for line in voids),
        first_sale_no=day.first_sale_no or sale.sale_no,
        last_sale_no=sale.sale_no,
    )
    match sale.state:
        case "closed":
            return _closed(day, sale)
        case "suspended":
            return replace(day, suspended=day.suspended + 1)
        case "cancelled":
            return replace(day, cancelled=day.cancelled + 1)
        case _:
            return replace(day, abandoned=day.abandoned + 1)


def _closed(day: Report, sale: Sale) -> Report:
    taxes = {(tax.category, tax.rate_bp): tax for tax in day.taxes}
    for tax in sale.taxes:
        key = (tax.category, tax.rate_bp)
        old = taxes.get(key, TaxSum(*key))
        taxes[key] = replace(
            old,
            base_minor=old.base_minor + tax.base_minor,
            tax_minor=old.tax_minor + tax.tax_minor,
            gross_minor=old.gross_minor + tax.gross_minor,
        )
    tenders = {tender.kind: tender for tender in day.tenders}
    for paid in (tender for tender in sale.tenders if tender.state == "approved"):
        was = tenders.get(paid.kind, TenderSum(paid.kind))
        tenders[paid.kind] = replace(
            was,
            count=was.count + 1,
            amount_minor=was.amount_minor + settled_minor(paid),
            tips_minor=was.tips_minor + paid.tip_minor,
            surcharges_minor=was.surcharges_minor + paid.surcharge_minor,
        )
    discounts = [discount for line in sale.lines for discount in line.discounts]
    return replace(
        day,
        sales=day.sales + 1,
        gross_minor=day.gross_minor + sale.total_minor,
        taxes=tuple(taxes[key] for key in sorted(taxes)),
        tenders=tuple(tenders[kind] for kind in sorted(tenders)),
        discounts=day.discounts + len(discounts),
        discounts_minor=day.discounts_minor + sum(discount.amount_minor for discount in discounts),
        first_receipt_no=day.first_receipt_no or sale.receipt_no,
        last_receipt_no=sale.receipt_no,
        grand_total_minor=day.grand_total_minor + sale.total_minor,
    )


def close_due(opened_ms: int, now_ms: int, tzo_min: int, close_at_min: int) -> bool:
    """Whether the configured time of day (`close_at_min`, local minutes after midnight) has come since the opening. A
    clock that was set back to before the opening closes nothing."""
    opened_min = opened_ms // MINUTE_MS + tzo_min
    wait = (close_at_min - opened_min) % DAY_MINUTES or DAY_MINUTES
    return now_ms // MINUTE_MS + tzo_min >= opened_min + wait
