"""The open sale out of the journal: found backward, replayed forward, effects discarded."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.checkout import step
from kiosk.core.entry import Entry
from kiosk.core.lasting import with_lasting
from kiosk.core.state import Shop, State, fresh
from kiosk.records.journal import Record


class Backward(Protocol):
    def backward(self) -> Iterable[Record]: ...


def restored(journal: Backward, shop: Shop, next_sale_no: int, next_receipt_no: int) -> State:
    """The state as the journal tells it. The numbers are where the series begin if the journal is empty.

    Reads back to the last record after which no sale was open, so it does not depend on the journal's length.
    """
    since: list[dict[str, Any]] = []
    state = replace(fresh(shop), next_sale_no=next_sale_no, next_receipt_no=next_receipt_no)
    for record in journal.backward():
        if record.typ in on.AT_REST:
            rest = msgspec.convert(record.body, Entry)
            state = replace(state, next_sale_no=rest.next_sale_no, next_receipt_no=rest.next_receipt_no)
            state = with_lasting(state, rest.lasting) if rest.lasting is not None else state
            break
        since.append(record.body)
    for body in reversed(since):
        state = step(state, msgspec.convert(body, Entry).event).state
    return state
