"""How a sale's lines stand in the basket: identical ones in one row, deposits below their item, voided ones gone."""

from collections.abc import Iterable
from typing import NamedTuple

from kiosk.core.basket import standing
from kiosk.i18n import Translator, html_lang, pick
from kiosk.records.sale import Currency, Line, Sale
from kiosk.web.pictures import Picture, picture


class Sub(NamedTuple):
    """A deposit or fee that came with an item. `detail` is such as `2 × 1,00 kr.`, empty for a single one."""

    name: str
    lang: str
    detail: str
    amount: str


class Row(NamedTuple):
    """One row. `key` is stable while the row grows; `line_id` is its newest line; `pieces` is such as `2 ×`; `detail`
    as in `Sub`; `remove` says what its button does."""

    key: str
    line_id: str
    name: str
    lang: str
    pieces: str
    detail: str
    amount: str
    picture: Picture
    subs: tuple[Sub, ...]
    remove: str


class _Group:
    """Lines of the same product at the same price, in the order they were scanned."""

    def __init__(self, first: Line) -> None:
        self.lines = [first]
        self.subs: list[Line] = []


def rows(sale: Sale | None, words: Translator) -> list[Row]:
    """The basket, the most recently scanned first."""
    if sale is None:
        return []
    return [_row(group, words, sale.currency) for group in _grouped(sale.lines)]


def item_count(sale: Sale | None) -> int:
    """How many things are in the basket; a weighed piece counts as one, a deposit as none."""
    if sale is None:
        return 0
    there = [line for line in standing(sale.lines) if not line.parent and line.kind == "item"]
    return sum(line.quantity.value if line.quantity.unit == "each" and not line.quantity.scale else 1 for line in there)


def _grouped(lines: Iterable[Line]) -> list[_Group]:
    groups: dict[tuple[object, ...], _Group] = {}
    by_line: dict[str, _Group] = {}
    for line in standing(lines):
        if line.parent and line.parent in by_line:
            by_line[line.parent].subs.append(line)
            continue
        key = _sameness(line)
        group = groups.pop(key, None)
        if group is None:
            group = _Group(line)
        else:
            group.lines.append(line)
        groups[key] = group  # last in the dictionary: most recently scanned
        by_line[line.line_id] = group
    return list(reversed(groups.values()))


def _sameness(line: Line) -> tuple[object, ...]:
    """Weighed pieces are never the same thing twice."""
    counted = line.quantity.unit == "each" and not line.quantity.scale
    return (line.code, line.kind, line.price.charged_amount, line.price.exponent, "" if counted else line.line_id)


def _row(group: _Group, words: Translator, currency: Currency) -> Row:
    newest = group.lines[-1]
    name, code = pick(newest.name, words.language)
    count, detail = _quantity(group.lines, words, currency)
    return Row(
        key=group.lines[0].line_id,
        line_id=newest.line_id,
        name=name,
        lang=html_lang(code),
        pieces=count,
        detail=detail,
        amount=words.money(sum(line.gross_minor for line in group.lines), currency),
        picture=picture(newest.image, newest.category, name),
        subs=tuple(_subs(group.subs, words, currency)),
        remove=words.t("Remove {item}", item=name),
    )


def _subs(lines: list[Line], words: Translator, currency: Currency) -> list[Sub]:
    kinds: dict[tuple[str, int, int], list[Line]] = {}
    for line in lines:
        kinds.setdefault((line.code, line.price.charged_amount, line.price.exponent), []).append(line)
    found = []
    for same in kinds.values():
        name, code = pick(same[0].name, words.language)
        amount = words.money(sum(line.gross_minor for line in same), currency)
        found.append(Sub(name, html_lang(code), _quantity(same, words, currency)[1], amount))
    return found


def _quantity(lines: list[Line], words: Translator, currency: Currency) -> tuple[str, str]:
    """(`2 ×`, `2 × 12,00 kr.`); both empty for a single piece, the first empty for a weighed one."""
    first = lines[0]
    unit_price = words.money(first.price.charged_amount, Currency(currency.code, first.price.exponent))
    if first.quantity.unit != "each" or first.quantity.scale:
        weight = words.number(first.quantity.value, first.quantity.scale)
        return "", words.t("{weight} {unit} at {price}", weight=weight, unit=first.quantity.unit, price=unit_price)
    pieces = sum(line.quantity.value for line in lines)
    if pieces == 1:
        return "", ""
    count = words.number(pieces)
    return words.t("{count} ×", count=count), words.t("{count} × {price}", count=count, price=unit_price)
