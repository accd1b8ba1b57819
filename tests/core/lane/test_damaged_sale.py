"""A gap in the journal that may reach into the open sale: it is never gone on with as if nothing were missing."""

from pathlib import Path

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.journal.store import Journal
from kiosk.lane.restore import SaleInDoubt
from tests.core.checkout.script import CARD, Script
from tests.core.journal.lane import TestLane
from tests.core.journal.mending import edit, mended, spoil
from tests.core.lane.test_interpreter import scanned
from tests.core.lane.test_restore import Selling, again, sold


@pytest.fixture
def lane(tmp_path: Path) -> TestLane:
    return TestLane(tmp_path)


def number_of(journal: Journal, typ: str) -> int:
    return [record.seq for record in journal.tail() if record.typ == typ][-1]


@pytest.mark.parametrize("rotten", ["item.scanned", "payment.chosen", "payment.approved"])
def test_a_sale_with_damaged_records_is_in_doubt(lane: TestLane, rotten: str) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        sold(selling, 1)
        selling.play(scanned(2), on.PayChosen("t2"), on.TerminalPrepared("t2", "w"), on.ChargeSent("t2"))
        selling.play(on.PaymentApproved("t2", 7, 1250, "DKK", CARD), on.PaymentEnded("t2", "stands", []))
        at = number_of(journal, rotten)
    edit(lane, spoil(at))
    with mended(lane) as journal:
        with pytest.raises(SaleInDoubt, match="1 damaged records may be of this sale") as caught:
            again(journal)
        assert caught.value.state.next_sale_no >= selling.state.next_sale_no


def test_damage_after_the_last_sale_gives_out_no_number_twice(lane: TestLane) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        sold(selling, 1)
        first = journal.head().seq + 1
        sold(selling, 2)
        last = journal.head().seq
    edit(lane, *(spoil(seq) for seq in range(first, last + 1)))
    with mended(lane) as journal:
        state = again(journal)
    assert state.sale is None
    assert state.next_sale_no >= selling.state.next_sale_no


def test_a_sale_in_doubt_ends_with_an_alarm_and_nothing_is_asked_or_done() -> None:
    s = Script()
    s.scan()
    s.to_charge()
    assert s.play(on.SaleLost("1 damaged record", 9)) == [do.CallStaff("sale_lost")]
    assert (s.state.sale, s.state.payment, s.state.stage) == (None, None, "idle")
    assert s.restart() == []
