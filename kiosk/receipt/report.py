"""X and Z reports as documents: the same blocks, paper and words as a receipt. Pure."""

from typing import Literal

from kiosk.core.report import Report
from kiosk.core.state import Shop
from kiosk.i18n import N_, Translator, translator
from kiosk.receipt.blocks import (
    RENDERER,
    AnyBlock,
    Document,
    Heading,
    Pair,
    Rule,
    Space,
    TaxRow,
    TaxTable,
    Text,
    Total,
)
from kiosk.receipt.clean import clean
from kiosk.receipt.document import TENDERS, mode_banner
from kiosk.receipt.figures import moment_text, number_text, percent_text

Kind = Literal["X", "Z"]


def compose_report(report: Report, shop: Shop, language: str, kind: Kind, issued_ms: int, tzo_min: int) -> Document:
    """In `language`, or the nearest there is. `tzo_min`: minutes east of UTC."""
    words = translator(language)
    title = N_("Day report (X)") if kind == "X" else N_("Day closed (Z)")
    blocks: list[AnyBlock] = [
        *mode_banner(shop, words),
        Heading(clean(shop.name)),
        *(Text(clean(line), "center") for line in shop.address if clean(line)),
        Space(2),
        Text(words.t(title), "center", "strong"),
        Space(1),
        Pair(words.t(N_("Business day")), report.date),
        Pair(words.t(N_("Number")), str(report.no)),
        Pair(words.t("Register {register}", register=clean(shop.register)), ""),
        Pair(words.t(N_("Opened")), clean(moment_text(report.opened_ms, tzo_min, words.language)), "quiet"),
        Pair(words.t(N_("Printed")), clean(moment_text(issued_ms, tzo_min, words.language)), "quiet"),
        Space(1),
        Rule("bold"),
        Space(1),
        Total(words.t(N_("Turnover")), f"{clean(report.currency)}\u00a0{_money(report.gross_minor, shop, words)}"),
        Space(1),
        *_taxes(report, shop, words),
        *_tenders(report, shop, words),
        *_counts(report, shop, words),
        Rule("bold"),
        Space(1),
        Pair(words.t(N_("Grand total")), _money(report.grand_total_minor, shop, words), "strong"),
        Space(1),
        *mode_banner(shop, words),
    ]
    return Document(
        renderer=RENDERER,
        language=words.language,
        sale_id="",
        register=shop.register,
        receipt_series="",
        receipt_no=0,
        mode=shop.mode,
        currency=report.currency,
        currency_exponent=shop.currency.exponent,
        total_minor=report.gross_minor,
        issued_wall_ms=issued_ms,
        tzo_min=tzo_min,
        copy_mark=words.t("Copy"),
        blocks=blocks,
    )


def figures(report: Report, shop: Shop, words: Translator) -> list[tuple[str, str]]:
    """The counts, as label and value: on paper and on the attendant's screen alike."""
    t = words.t
    pairs = [
        (t(N_("Sales")), str(report.sales)),
        (t(N_("Taken off")), f"{report.voids}  ({_money(report.voids_minor, shop, words)})"),
        (t(N_("Discounts")), f"{report.discounts}  ({_money(report.discounts_minor, shop, words)})"),
        (t(N_("Put aside")), str(report.suspended)),
        (t(N_("Taken up")), str(report.recalled)),
        (t(N_("Purchases cancelled")), str(report.cancelled)),
        (t(N_("Left standing")), str(report.abandoned)),
    ]
    if report.last_sale_no:
        pairs.append((t(N_("Sale numbers")), f"{report.first_sale_no} - {report.last_sale_no}"))
    if report.last_receipt_no:
        series = clean(shop.receipt_series)
        first, last = f"{series}-{report.first_receipt_no}", f"{series}-{report.last_receipt_no}"
        pairs.append((t(N_("Receipt numbers")), f"{first} - {last}"))
    return pairs


def tender_label(kind: str, words: Translator) -> str:
    return words.t(TENDERS[kind]) if kind in TENDERS else kind


def _money(amount_minor: int, shop: Shop, words: Translator) -> str:
    return number_text(amount_minor, shop.currency.exponent, words.language)


def _taxes(report: Report, shop: Shop, words: Translator) -> list[AnyBlock]:
    if not report.taxes:
        return []
    head = TaxRow(words.t("Tax rate"), words.t("Net"), words.t("Tax"), words.t("Gross"))
    rows = [
        TaxRow(
            f"{clean(tax.category)} {percent_text(tax.rate_bp, words.language)}",
            _money(tax.base_minor, shop, words),
            _money(tax.tax_minor, shop, words),
            _money(tax.gross_minor, shop, words),
        )
        for tax in report.taxes
    ]
    return [TaxTable(head, rows), Space(1)]


def _tenders(report: Report, shop: Shop, words: Translator) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [Rule(), Space(1)]
    for tender in report.tenders:
        label = f"{tender.count} × {tender_label(tender.kind, words)}"
        blocks.append(Pair(label, _money(tender.amount_minor, shop, words)))
    return [*blocks, Space(1)] if report.tenders else []


def _counts(report: Report, shop: Shop, words: Translator) -> list[AnyBlock]:
    return [Rule(), Space(1), *(Pair(label, value) for label, value in figures(report, shop, words)), Space(1)]
