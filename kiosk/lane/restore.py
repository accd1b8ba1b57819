"""The open sale out of the journal: found backward, over epochs if need be, replayed forward, effects discarded."""

from collections.abc import Iterable
from typing import Protocol

import msgspec
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.checkout import step
from kiosk.core.entry import Entry
from kiosk.core.lasting import Lasting, with_lasting
from kiosk.core.state import Shop, State, fresh
from kiosk.records.gap import GAP, read_gap
from kiosk.records.journal import Record
from kiosk.records.lifecycle import PREFIX, read_epoch


class Backward(Protocol):
    def backward(self) -> Iterable[Record]: ...


class NotUnderstood(Exception):
    """A sale may be open, and a record of it is of a kind that this version does not know. It is not guessed over."""


_OF_A_SALE = ("item.", "payment.", "sale.", "receipt.")


class SaleInDoubt(Exception):
    """A sale was open, and damaged records may be of it: nobody can say how it stands. `state`: what the others tell,
    which may be nothing."""

    def __init__(self, state: State, why: str) -> None:
        super().__init__(why)
        self.state = state


class _Rest(msgspec.Struct):
    """What counts of a record after which no sale is open, whatever the event was."""

    next_sale_no: int
    next_receipt_no: int
    lasting: Lasting | None = None


def restored(journal: Backward, shop: Shop, next_sale_no: int, next_receipt_no: int, series: object = None) -> State:
    """The state as the journal tells it. The numbers are those of the enrolment: they count where the journal knows
    no higher ones of the same series.

    `series`: (shop, register, mode) whose numbers are meant; None: those of any record. Reads back to the last record
    after which no sale was open, so it does not depend on the journal's length. Raises NotUnderstood, SaleInDoubt.
    """
    since: list[Record] = []
    rest = (0, 0)
    state = replace(fresh(shop), next_sale_no=next_sale_no, next_receipt_no=next_receipt_no)
    for record in journal.backward():
        if _is_foreign(record, series):
            continue
        if record.typ in on.AT_REST:
            state, rest = _ahead(state, record), (record.ep, record.seq)
            break
        since.append(record)
    lost = 0
    for record in reversed(since):
        if record.typ.startswith(PREFIX):
            epoch = read_epoch(record)
            skip = 0 if epoch is None else epoch.skip
            state = skipped(state, skip)
            lost += _lost(record, rest)
        else:
            state = _replayed(state, record)
    if lost and (state.sale is not None or any(record.typ.startswith(_OF_A_SALE) for record in since)):
        raise SaleInDoubt(skipped(state, lost), f"{lost} damaged records may be of this sale")
    return skipped(state, lost)


def skipped(state: State, skip: int) -> State:
    """Numbers that lost records may have used are not given out again."""
    return replace(state, next_sale_no=state.next_sale_no + skip, next_receipt_no=state.next_receipt_no + skip)


def _is_foreign(record: Record, series: object) -> bool:
    """Of another register or mode, whose sale, numbers and day are not ours. What the journal says of itself counts."""
    other = series is not None and series != (record.shop, record.reg, record.mode)
    return other and not record.typ.startswith(PREFIX)


def _lost(record: Record, rest: tuple[int, int]) -> int:
    """How many records of a gap come after the last rest: each may have used a number."""
    if record.typ != GAP:
        return 0
    gap = read_gap(record)
    return gap.last - gap.first + 1 if (gap.ep, gap.last) > rest else 0


def _ahead(state: State, record: Record) -> State:
    rest = msgspec.convert(record.body, _Rest)
    state = state if rest.lasting is None else with_lasting(state, rest.lasting)
    return replace(
        state,
        next_sale_no=max(state.next_sale_no, rest.next_sale_no),
        next_receipt_no=max(state.next_receipt_no, rest.next_receipt_no),
    )


def _replayed(state: State, record: Record) -> State:
    try:
        event = msgspec.convert(record.body, Entry).event
    except msgspec.ValidationError as error:
        numbers = record.body.get("next_sale_no")
        if state.sale is None and (not isinstance(numbers, int) or numbers <= state.next_sale_no):
            return state  # it has opened no sale: a newer version's business between two sales
        place = f"epoch {record.ep}, record {record.seq}"
        raise NotUnderstood(
            f"the open sale has a record that this version does not understand ({place}: {record.typ}): "
            f"update the lane again, or have staff look at it ({error})"
        ) from None
    return step(state, event).state
