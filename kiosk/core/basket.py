"""Lines of the open sale: making them, adding them, and showing like ones together."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from kiosk.core import tax
from kiosk.records.sale import Currency, Line, Price, Product, Quantity, RestrictionCheck, Sale

MAX_LINES = 500
MAX_LINES_BYTES = 512 * 1024
"""As JSON. The whole sale stands in one record, which has a limit: half of it is left to tenders and all the rest, so
that a sale that can be paid can also be recorded as paid."""


def gross_minor(product: Product, quantity: Quantity, currency: Currency) -> int:
    """Price x quantity in minor units, rounded half away from zero."""
    scaled = product.price_amount * quantity.value * 10**currency.exponent
    return tax.rounded_ratio(scaled, 10 ** (product.price_exponent + quantity.scale))


def make_line(
    product: Product,
    *,
    line_id: str,
    currency: Currency,
    catalogue_version: str,
    aim: str = "",
    parent: str = "",
    check: RestrictionCheck | None = None,
) -> Line:
    """One piece of a product at its list price. `check`: that of a restricted one, without which it is not sold."""
    quantity = Quantity(1, 0, product.unit)
    return Line(
        line_id=line_id,
        kind=product.kind,
        code=product.code,
        name=product.name,
        quantity=quantity,
        price=Price(catalogue_version, product.price_amount, product.price_amount, product.price_exponent),
        gross_minor=gross_minor(product, quantity, currency),
        tax_category=product.tax_category,
        tax_rate_bp=product.tax_rate_bp,
        parent=parent,
        read_aim=aim,
        image=product.image,
        category=product.category,
        restriction=product.restriction,
        check=check,
    )


def with_lines(sale: Sale, lines: Sequence[Line]) -> Sale:
    """The sale with more lines, its taxes and total made anew."""
    every = [*sale.lines, *lines]
    taxes = tax.totals(every, prices_include_tax=sale.prices_include_tax, rule=sale.rounding_rule)
    return replace(sale, lines=every, taxes=taxes, total_minor=tax.amount_due(taxes))


def standing(lines: Iterable[Line]) -> list[Line]:
    """The lines that were not taken off again, without those that took them off."""
    lines = list(lines)
    voided = {line.voids for line in lines if line.voids}
    return [line for line in lines if not line.voids and line.line_id not in voided]


def has_room(sale: Sale, lines: Sequence[Line]) -> bool:
    """Whether the sale can take these lines as well."""
    every = [*sale.lines, *lines]
    return len(every) <= MAX_LINES and len(msgspec.json.encode(every)) <= MAX_LINES_BYTES


class Group(msgspec.Struct, frozen=True):
    """Like lines shown as one: `count` x `first`, with the deposits that came along. `newest` is the last line's id."""

    first: Line
    count: int
    gross_minor: int
    deposits_minor: int
    newest: str


def grouped(sale: Sale) -> list[Group]:
    """Lines as a basket shows them: like items together at the place of their last scan, newest last."""
    deposits: dict[str, int] = {}
    lines = standing(sale.lines)
    for line in lines:
        if line.parent:
            deposits[line.parent] = deposits.get(line.parent, 0) + line.gross_minor
    groups: dict[tuple[str, int, int], Group] = {}
    for line in lines:
        if line.parent:
            continue
        key = (line.code, line.price.charged_amount, line.price.exponent)
        old = groups.pop(key, None)  # popped and set again, so that it moves to the end
        own = deposits.get(line.line_id, 0)
        if old is None:
            groups[key] = Group(line, 1, line.gross_minor, own, line.line_id)
        else:
            groups[key] = Group(
                old.first, old.count + 1, old.gross_minor + line.gross_minor, old.deposits_minor + own, line.line_id
            )
    return list(groups.values())
