"""The tax table on a grid: four columns, money right-aligned, or None where the paper is too narrow."""

from kiosk.receipt.blocks import TaxRow, TaxTable
from kiosk.receipt.clean import clean
from kiosk.receipt.columns import width

_GAP = 2


def tax_table(table: TaxTable, columns: int) -> list[list[tuple[str, int]]] | None:
    """Rows (the head first) of four (text, column) cells. The last column ends at the right edge."""
    rows = [_cells(row) for row in (table.head, *table.rows)]
    widths = [max(width(row[index]) for row in rows) for index in range(4)]
    spare = columns - sum(widths) - 3 * _GAP
    if spare < 0:
        return None
    # The room to spare is shared by the three gaps, so that the figures stand in even columns.
    ends, end = [0, 0, 0, columns], columns
    for index in (3, 2):
        end -= widths[index] + _GAP + spare // 3
        ends[index - 1] = end
    return [[(row[0], 0), *((row[index], ends[index] - width(row[index])) for index in (1, 2, 3))] for row in rows]


def _cells(row: TaxRow) -> tuple[str, str, str, str]:
    return clean(row.label), clean(row.base), clean(row.tax), clean(row.gross)
