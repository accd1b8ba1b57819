"""A sale is put aside to a printed code on one lane, and taken up again on another, at that lane's prices."""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import has_room, make_line, standing, with_lines
from kiosk.core.closing import next_customer
from kiosk.core.scanning import open_sale
from kiosk.core.state import Change, NotPossible, Recalled, Receipt, State, Waiting
from kiosk.core.steps import Step, stay
from kiosk.core.tenders import paid_minor
from kiosk.records.sale import Line, Sale

VALID_MINUTES = 24 * 60
MAX_REMEMBERED = 100
SHORT = 12
"""Characters of a sale's id by which the lane remembers what it took up: 48 bits."""
SLIP_S = 45


def can_suspend(state: State) -> bool:
    sale = state.sale
    in_hand = sale is not None and state.payment is None and state.stage in ("scanning", "choosing")
    return in_hand and sale is not None and bool(standing(sale.lines)) and not paid_minor(sale)


def suspended(state: State, event: on.SaleSuspended) -> Step:
    """Put aside: the code stands on the screen, and on paper where there is a printer."""
    if not can_suspend(state) or state.sale is None:
        return stay(state)
    sale = replace(state.sale, state="suspended", closed_wall_ms=event.wall_ms)
    receipt = Receipt("print" if event.job_id else "qr", event.document, event.job_id)
    after = replace(
        state, sale=sale, stage="suspended", receipt=receipt, slip=event.code, prompt=None, waiting=(), payment=None
    )
    return Step(after, (do.PrintReceipt(event.job_id, event.document, copy=False),) if event.job_id else ())


def recalled(state: State, event: on.SaleRecalled) -> Step:
    """Take it up, once. What this lane's catalogue does not know is left out, and said."""
    if state.stage == "thanks":
        state = next_customer(state)
    if state.stage not in ("idle", "scanning") or state.sale is not None or was_recalled(state, event.original):
        return stay(state)
    sale = replace(open_sale(state, event), original=event.original)
    lines, waiting = _taken(event, sale)
    if not has_room(sale, lines):
        return Step(replace(state, prompt=NotPossible("recall_too_large")))
    sale = with_lines(sale, lines)
    changes = _changes(event, sale)
    told = Recalled(changes, len(event.missing)) if changes or event.missing else None
    after = replace(
        state,
        sale=sale,
        language=sale.language,
        stage="scanning",
        prompt=told,
        waiting=waiting,
        recalled=(*state.recalled, event.original[:SHORT])[-MAX_REMEMBERED:],
        pulse=state.pulse + 1,
        next_sale_no=state.next_sale_no + 1,
    )
    return Step(after, (do.CallStaff("restricted"),) if waiting else ())


def was_recalled(state: State, sale_id: str) -> bool:
    return sale_id[:SHORT] in state.recalled


def _taken(event: on.SaleRecalled, sale: Sale) -> tuple[list[Line], tuple[Waiting, ...]]:
    """One line for each piece, as if it was scanned here; restricted ones wait for staff as any other."""
    lines: list[Line] = []
    waiting: list[Waiting] = []
    version = event.catalogue_version
    for n, item in enumerate(event.items):
        for piece in range(item.pieces):
            line_id = f"{event.line_prefix}-{n}-{piece}"
            if item.product.restriction:
                waiting.append(Waiting(line_id, item.product, item.deposit, "", version))
                continue
            lines.append(make_line(item.product, line_id=line_id, currency=sale.currency, catalogue_version=version))
            if item.deposit is not None:
                lines.append(
                    make_line(
                        item.deposit,
                        line_id=f"{line_id}-d",
                        currency=sale.currency,
                        catalogue_version=version,
                        parent=line_id,
                    )
                )
    return lines, tuple(waiting)


def _changes(event: on.SaleRecalled, sale: Sale) -> tuple[Change, ...]:
    """What costs something else here than on the slip."""
    found = []
    for item in event.items:
        line = make_line(item.product, line_id="", currency=sale.currency, catalogue_version="")
        if line.gross_minor != item.was_minor:
            found.append(Change(item.product.name, item.was_minor, line.gross_minor))
    return tuple(found)
