"""The sold lines as a receipt shows them: deposits below what they belong to, equal neighbours as `2 × 12,50`.

Amounts are only ever added up from the sale's own lines; nothing is multiplied out anew, so the sums stay exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kiosk.i18n import N_, pick, translator
from kiosk.receipt.blocks import Item
from kiosk.receipt.clean import NBSP, clean
from kiosk.receipt.figures import number_text, trimmed_text
from kiosk.records.sale import Currency, Line

VOID_REASONS = {
    "changed_mind": N_("Changed their mind"),
    "scanned_twice": N_("Scanned by mistake"),
    "wrong_price": N_("The price is wrong"),
    "damaged": N_("Damaged"),
    "other": N_("Another reason"),
}
"""Why a line was taken off, as the records say it and as people read it."""


@dataclass(frozen=True)
class Entry:
    """One shown line, standing for `count` equal ones, with what hangs below it."""

    line: Line
    quantity: int
    amount_minor: int
    children: tuple["Entry", ...] = ()
    count: int = 1


def entries(lines: Sequence[Line]) -> list[Entry]:
    """The lines in order of sale, each once. A line whose parent is not in the sale stands for itself."""
    known = {line.line_id for line in lines}
    below: dict[str, list[Line]] = {}
    tops: list[Line] = []
    for line in lines:
        if line.parent in known and line.parent != line.line_id:
            below.setdefault(line.parent, []).append(line)
        else:
            tops.append(line)
    shown: list[Entry] = []
    seen: set[str] = set()
    for line in tops:
        _append(shown, _entry(line, below, seen))
    # Parents in a ring reach no top line; what is charged must be shown all the same.
    for line in lines:
        if line.line_id not in seen:
            _append(shown, _entry(line, {}, seen))
    return shown


def items(shown: Sequence[Entry], marks: dict[tuple[str, int], str], currency: Currency, language: str) -> list[Item]:
    return [block for entry in shown for block in _items(entry, marks, currency, language, 0)]


def _items(
    entry: Entry, marks: dict[tuple[str, int], str], currency: Currency, language: str, level: int
) -> list[Item]:
    line = entry.line
    first = Item(
        name=clean(pick(line.name, language)[0]) or clean(line.code) or line.kind,
        amount=number_text(entry.amount_minor, currency.exponent, language),
        mark=marks.get((line.tax_category, line.tax_rate_bp), ""),
        detail=_detail(entry, currency, language),
        level=min(level, 1),
    )
    return [first] + [
        block for child in entry.children for block in _items(child, marks, currency, language, level + 1)
    ]


def _entry(line: Line, below: dict[str, list[Line]], seen: set[str]) -> Entry:
    seen.add(line.line_id)
    children: list[Entry] = []
    for child in below.get(line.line_id, ()):
        if child.line_id not in seen:
            _append(children, _entry(child, below, seen))
    return Entry(line, line.quantity.value, line.gross_minor, tuple(children))


def _append(shown: list[Entry], entry: Entry) -> None:
    if shown and _same(shown[-1], entry):
        shown[-1] = _merged(shown[-1], entry)
    else:
        shown.append(entry)


def _same(one: Entry, other: Entry) -> bool:
    """Equal pieces of an equal product at an equal price. Weighed goods and voids are never merged."""
    a, b = one.line, other.line
    return (
        (a.kind, a.code, a.name, a.tax_category, a.tax_rate_bp)
        == (b.kind, b.code, b.name, b.tax_category, b.tax_rate_bp)
        and (a.price.charged_amount, a.price.exponent) == (b.price.charged_amount, b.price.exponent)
        and a.gross_minor * b.quantity.value == b.gross_minor * a.quantity.value
        and a.quantity.unit == b.quantity.unit == "each"
        and a.quantity.scale == b.quantity.scale == 0
        and a.quantity.value > 0
        and b.quantity.value > 0
        and not (a.voids or b.voids or a.discounts or b.discounts)
        and a.reason == b.reason
        and len(one.children) == len(other.children)
        and all(_same(x, y) for x, y in zip(one.children, other.children, strict=True))
    )


def _merged(one: Entry, other: Entry) -> Entry:
    children = tuple(_merged(x, y) for x, y in zip(one.children, other.children, strict=True))
    return replace(
        one,
        quantity=one.quantity + other.quantity,
        amount_minor=one.amount_minor + other.amount_minor,
        children=children,
        count=one.count + other.count,
    )


def _detail(entry: Entry, currency: Currency, language: str) -> str:
    """`2 × 12,50` or `1,250 kg × 39,90`; empty for one piece at its price. In front: that it is a void, and why."""
    line = entry.line
    parts = [translator(language).t("Voided")] if line.voids else []
    if clean(line.reason):
        known = VOID_REASONS.get(line.reason)
        parts.append(translator(language).t(known) if known else clean(line.reason))
    quantity = line.quantity
    if quantity.unit != "each" or quantity.scale or abs(entry.quantity) != 1:
        amount = number_text(entry.quantity, quantity.scale, language)
        unit = "" if quantity.unit == "each" else NBSP + clean(quantity.unit)
        price = trimmed_text(line.price.charged_amount, line.price.exponent, currency.exponent, language)
        parts.append(f"{amount}{unit}{NBSP}×{NBSP}{price}")
    return ", ".join(parts)
