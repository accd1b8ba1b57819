"""Lay a document out in columns: the one layout that paper and screen share.

The result is a list of parts from top to bottom. A `Line` holds runs placed on a grid of `columns` cells; a renderer
with a fixed pitch puts every character into its cell, one with proportional type uses a run's edge (`anchor`) only.
Heights of other parts are in eighths of a line, which every renderer scales to its own line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from kiosk.receipt.blocks import (
    AnyBlock,
    Banner,
    Barcode,
    Card,
    Document,
    Emphasis,
    Heading,
    Item,
    Pair,
    Qr,
    Rule,
    Space,
    TaxTable,
    Text,
    Total,
)
from kiosk.receipt.clean import clean, clean_code, clean_columns
from kiosk.receipt.columns import width, wrap
from kiosk.receipt.table import tax_table

Anchor = Literal["left", "center", "right"]
MIN_COLUMNS = 24
_GAP = 2
_LEAST_NAME = 8


@dataclass(frozen=True)
class Run:
    """`text` at `column`, counted in cells of its line's size."""

    text: str
    column: int
    anchor: Anchor = "left"
    emphasis: Emphasis = "normal"
    fixed: bool = False
    """Set in columns by somebody else: only a fixed pitch keeps it aligned."""


@dataclass(frozen=True)
class Line:
    """Runs from left to right that do not touch. `size` 2: every cell is twice as wide and high."""

    runs: tuple[Run, ...]
    size: Literal[1, 2] = 1
    inverse: bool = False


@dataclass(frozen=True)
class Gap:
    eighths: int


@dataclass(frozen=True)
class Hairline:
    bold: bool = False


@dataclass(frozen=True)
class Bar:
    """Ink over the whole width: the edge of a banner."""

    eighths: int


@dataclass(frozen=True)
class QrCode:
    data: str


@dataclass(frozen=True)
class Bars:
    """Code 128 of `data`."""

    data: str


Part = Line | Gap | Hairline | Bar | QrCode | Bars


def lay_out(document: Document, columns: int, *, copy: bool = False) -> list[Part]:
    """Parts for paper of `columns` columns (24 at least, else ValueError). `copy`: the copy mark stands on top."""
    if columns < MIN_COLUMNS:
        raise ValueError(f"{columns} columns; allowed: {MIN_COLUMNS} or more")
    amounts = max((width(clean(block.amount)) for block in document.blocks if isinstance(block, Item)), default=0)
    parts: list[Part] = []
    if copy:
        parts += [*_banner(document.copy_mark, columns), Gap(4)]
    for block in document.blocks:
        parts += _block(block, columns, min(amounts, columns // 2))
    return parts


def plain_text(parts: Sequence[Part]) -> list[str]:
    """The lines as they stand on the paper, without styles: for logs of tests and for screen readers."""
    return [grid_text(part) for part in parts if isinstance(part, Line)]


def grid_text(line: Line) -> str:
    """A line's runs in their columns, blanks between them."""
    text = ""
    for run in line.runs:
        text += " " * (run.column - width(text)) + run.text
    return text


def _block(block: AnyBlock, columns: int, amounts: int) -> list[Part]:
    match block:
        case Heading():
            return _heading(clean(block.text), columns)
        case Text():
            return _text(block, columns)
        case Pair():
            return _pair(clean(block.left), clean(block.right), columns, block.emphasis, block.level)
        case Item():
            return _item(block, columns, amounts)
        case Total():
            return _total(clean(block.label), clean(block.amount), columns)
        case TaxTable():
            return _table(block, columns)
        case Card():
            return _card(block, columns)
        case Qr():
            return _qr(block, columns)
        case Barcode():
            data = clean(block.data)
            return [Bars(data), Gap(2), *(_centered(line, columns, "quiet") for line in wrap(data, columns))]
        case Rule():
            return [Hairline(bold=block.weight == "bold")]
        case Space():
            return [Gap(4 * max(0, min(block.halves, 8)))]
        case Banner():
            return _banner(block.text, columns)
        case _:
            assert_never(block)


def _heading(text: str, columns: int) -> list[Part]:
    half = columns // 2
    if max(width(line) for line in wrap(text, half)) > half or len(wrap(text, half)) > 2:
        return [_centered(line, columns, "strong") for line in wrap(text, columns)]
    large = [Line((Run(line, (half - width(line)) // 2, "center", "strong"),), 2) for line in wrap(text, half)]
    return [*large, Gap(3)]


def _text(block: Text, columns: int) -> list[Part]:
    lines = wrap(clean(block.text), columns)
    if block.align == "center":
        return [_centered(line, columns, block.emphasis) for line in lines]
    return [Line((Run(line, 0, "left", block.emphasis),)) for line in lines]


def _centered(text: str, columns: int, emphasis: Emphasis) -> Line:
    return Line((Run(text, max(0, (columns - width(text)) // 2), "center", emphasis),))


def _right(text: str, columns: int, emphasis: Emphasis = "normal") -> Run:
    return Run(text, max(0, columns - width(text)), "right", emphasis)


def _pair(left: str, right: str, columns: int, emphasis: Emphasis, level: int) -> list[Part]:
    indent = 2 * max(0, min(level, 2))
    if not right:
        return [Line((Run(line, indent, "left", emphasis),)) for line in wrap(left, columns - indent)]
    room = columns - indent - width(right) - _GAP
    if room < min(width(left), columns // 4):
        below: list[Part] = [Line((_right(line, columns, emphasis),)) for line in wrap(right, columns - indent)]
        return [*(Line((Run(line, indent, "left", emphasis),)) for line in wrap(left, columns - indent)), *below]
    first, *rest = wrap(left, room)
    parts: list[Part] = [Line((Run(first, indent, "left", emphasis), _right(right, columns, emphasis)))]
    return parts + [Line((Run(line, indent, "left", emphasis),)) for line in rest]


def _item(item: Item, columns: int, amounts: int) -> list[Part]:
    """Name, tax mark in a column of its own, amount; the detail below, a step in, or beside the name of a sub-line."""
    indent = 2 * max(0, min(item.level, 2))
    name, mark, amount, detail = clean(item.name), clean(item.mark), clean(item.amount), clean(item.detail)
    money = max(amounts, width(amount))
    room = columns - indent - money - _GAP - (width(mark) + 1 if mark else 0)
    space: list[Part] = [] if indent else [Gap(1)]
    if room < _LEAST_NAME:
        return space + _pair(name, amount, columns, "normal", item.level)
    if indent and detail and width(name) + 2 + width(detail) <= room:
        name, detail = f"{name}  {detail}", ""
    emphasis: Emphasis = "quiet" if indent else "normal"
    first, *rest = wrap(name, room)
    runs = [Run(first, indent, "left", emphasis)]
    if mark:
        runs.append(Run(mark, columns - money - 1 - width(mark), "left", "quiet"))
    parts: list[Part] = [Line((*runs, _right(amount, columns)))]
    parts += [Line((Run(line, indent, "left", emphasis),)) for line in rest]
    below = wrap(detail, columns - indent - 2) if detail else []
    return space + parts + [Line((Run(line, indent + 2, "left", "quiet"),)) for line in below]


def _total(label: str, amount: str, columns: int) -> list[Part]:
    """Large where it fits on one large line, or on two; else in bold."""
    half = columns // 2
    if width(label) + 1 + width(amount) <= half:
        return [Line((Run(label, 0, "left", "strong"), _right(amount, half, "strong")), 2)]
    if width(amount) <= half:
        return [
            *(Line((Run(line, 0, "left", "strong"),)) for line in wrap(label, columns)),
            Line((_right(amount, half, "strong"),), 2),
        ]
    return _pair(label, amount, columns, "strong", 0)


def _table(table: TaxTable, columns: int) -> list[Part]:
    rows = tax_table(table, columns)
    if rows is None:
        parts: list[Part] = []
        for row in table.rows:
            parts.append(Line((Run(clean(row.label), 0),)))
            for name, value in ((table.head.base, row.base), (table.head.tax, row.tax), (table.head.gross, row.gross)):
                parts += _pair(clean(name), clean(value), columns, "quiet", 1)
        return parts
    out: list[Part] = []
    for index, cells in enumerate(rows):
        emphasis: Emphasis = "normal" if index else "quiet"
        first = Run(cells[0][0], cells[0][1], "left", emphasis)
        out.append(Line((first, *(Run(text, column, "right", emphasis) for text, column in cells[1:] if text))))
    return out


def _card(card: Card, columns: int) -> list[Part]:
    lines = [clean_columns(line) for line in card.terminal_lines]
    while lines and not lines[-1].strip():
        lines.pop()
    # What the terminal's own lines say is not said twice; a number counts as said by its last four characters.
    said = "\n".join(lines)
    parts: list[Part] = []
    for pair in card.references:
        if clean(pair.right)[-4:] not in said:
            parts += _pair(clean(pair.left), clean(pair.right), columns, pair.emphasis, pair.level)
    if not any(line.strip() for line in lines):
        return parts
    # The terminal set these lines in columns of its own (40 or fewer): kept as they are and centred as a block.
    block = max(width(line) for line in lines)
    left = max(0, (columns - block) // 2)
    parts.append(Gap(4))
    for line in lines:
        if not line.strip():
            parts.append(Gap(4))
            continue
        fitting = [line] if width(line) <= columns else wrap(clean(line), columns)
        parts += [Line((Run(text, left, "left", "quiet", fixed=True),)) for text in fitting]
    return parts


def _qr(block: Qr, columns: int) -> list[Part]:
    caption = (
        [_centered(line, columns, "quiet") for line in wrap(clean(block.caption), columns)] if block.caption else []
    )
    if not clean_code(block.data):
        return []
    return [Gap(4), QrCode(clean_code(block.data)), Gap(5), *caption]


def _banner(text: str, columns: int) -> list[Part]:
    """White on black, large where it fits on one line."""
    text = clean(text)
    half = columns // 2
    size: Literal[1, 2] = 2 if width(text) <= half - 2 else 1
    room = columns // size
    lines = [
        Line((Run(line, (room - width(line)) // 2, "center", "strong"),), size, inverse=True)
        for line in wrap(text, room - 2)
    ]
    return [Bar(2), *lines, Bar(2)]
