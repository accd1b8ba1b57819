"""The open sale out of a journal: over epochs and gaps, with number series that never go back."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.core import events as on
from kiosk.core.checkout import is_recorded, step
from kiosk.core.closing import sealed
from kiosk.core.entry import entry
from kiosk.core.state import State
from kiosk.journal.store import Journal
from kiosk.lane.restore import NotUnderstood, restored
from kiosk.records.journal import Actor
from tests.core.checkout.script import SHOP, Script, product, ready_state
from tests.core.journal.lane import CUSTOMER, TestLane
from tests.core.journal.mending import edit, mended, spoil
from tests.core.lane.test_interpreter import scanned

SYSTEM = Actor("system")


class Selling:
    """Steps the core and journals what it says, as the interpreter does."""

    def __init__(self, journal: Journal, state: State | None = None) -> None:
        self.journal, self.state = journal, state or ready_state()

    def play(self, *events: on.Any) -> None:
        for event in events:
            before = self.state
            taken = step(before, event)
            self.state = taken.state
            if is_recorded(before, event, taken):
                assert isinstance(event, on.Durable)
                body = entry(event, taken.effects, taken.state, sealed(before, event, taken.state))
                self.journal.append(str(type(event).__struct_config__.tag), body, CUSTOMER)


@pytest.fixture
def lane(tmp_path: Path) -> TestLane:
    return TestLane(tmp_path)


def again(journal: Journal, sale_no: int = 1, series: object = None) -> State:
    return restored(journal, SHOP, sale_no, 1, series)


def sold(selling: Selling, n: int) -> None:
    """A sale that is given up: it uses a number, and nothing is open after it."""
    selling.play(scanned(n), on.SaleCancelled("customer"))


def test_an_open_sale_survives_a_new_epoch(lane: TestLane) -> None:
    with lane.open(1) as journal:
        selling = Selling(journal)
        sold(selling, 1)
        selling.play(scanned(2))
    with lane.open(2) as journal:
        state = again(journal)
        assert state.sale is not None
        assert (state.sale.sale_id, state.sale.sale_no) == ("s2", 2)
        Selling(journal, state).play(scanned(3))
        assert [line.code for line in again(journal).sale.lines] == [product().code] * 2  # type: ignore[union-attr]


def test_a_payment_in_doubt_survives_a_provisional_epoch(lane: TestLane) -> None:
    script = Script()
    script.scan()
    script.to_charge()
    with lane.open() as journal:
        selling = Selling(journal)
        selling.play(*script.journal, on.ChargeSent("t1"))
        copy = lane.path.read_bytes(), (lane.folder / "journal.db-wal").read_bytes()
        selling.play(on.PaymentLost("t1", True, "cable"))
    lane.path.write_bytes(copy[0])
    (lane.folder / "journal.db-wal").write_bytes(copy[1])
    (lane.folder / "journal.db-shm").unlink()
    with mended(lane) as journal:
        assert journal.head().ep == 11
        state = again(journal)
    assert state.payment is not None
    assert state.stage == "paying"
    assert state.sale is not None
    assert state.sale.sale_no == 1, "the open sale keeps its number"
    assert state.next_sale_no == 2 + 1001, "and the next one goes ahead of what may be lost"


@pytest.mark.parametrize("enrolled", [1, 500])
def test_numbers_never_go_back(lane: TestLane, enrolled: int) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        for n in range(1, 4):
            sold(selling, n)
        assert again(journal, enrolled).next_sale_no == max(4, enrolled)


def test_the_numbers_of_another_register_are_not_taken(lane: TestLane) -> None:
    with lane.open() as journal:
        sold(Selling(journal), 1)
        mine = ("shop-1", "reg-1", "test")
        assert again(journal, 1, mine).next_sale_no == 2
        assert again(journal, 1, ("shop-1", "reg-2", "test")).next_sale_no == 1
        assert again(journal, 70, ("shop-1", "reg-1", "live")).next_sale_no == 70


def test_a_lost_file_goes_ahead_of_every_number_that_its_records_may_have_used(lane: TestLane) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        for n in range(1, 6):
            sold(selling, n)
        records = journal.head().seq
    for file in lane.folder.glob("journal.db*"):
        file.unlink()
    with mended(lane) as journal:
        assert again(journal).next_sale_no == 1 + records + 1000 > selling.state.next_sale_no
        sold(Selling(journal, again(journal)), 9)
        assert again(journal).next_sale_no == 1 + records + 1000 + 1, "counted once"


def test_damage_before_the_last_rest_changes_nothing(lane: TestLane) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        sold(selling, 1)
        sold(selling, 2)
        selling.play(scanned(3))
    edit(lane, spoil(2))
    with mended(lane) as journal:
        state = again(journal)
        assert state.sale is not None
        assert (state.sale.sale_no, state.next_sale_no) == (3, 4)


class Records:
    def __init__(self, records: Iterable[Any]) -> None:
        self._records = list(records)

    def backward(self) -> Iterable[Any]:
        return reversed(self._records)


def _with(journal: Journal, typ: str, body: dict[str, Any]) -> None:
    journal.append(typ, body, SYSTEM)


NEWER = {"event": {"type": "line.weighed", "grams": 5}, "effects": [], "next_sale_no": 2, "next_receipt_no": 1}


def test_an_unknown_record_in_an_open_sale_is_not_guessed_over(lane: TestLane) -> None:
    with lane.open() as journal:
        Selling(journal).play(scanned(1))
        _with(journal, "line.weighed", NEWER)
        with pytest.raises(NotUnderstood, match=r"epoch 1, record 2: line\.weighed"):
            again(journal)


def test_an_unknown_record_that_opened_a_sale_is_not_guessed_over(lane: TestLane) -> None:
    with lane.open() as journal:
        sold(Selling(journal), 1)
        _with(journal, "sale.recalled", NEWER | {"next_sale_no": 3})
        with pytest.raises(NotUnderstood):
            again(journal)


@pytest.mark.parametrize("body", [{"anything": 1}, NEWER, {"next_sale_no": "x"}])
def test_an_unknown_record_between_two_sales_stops_nothing(lane: TestLane, body: dict[str, Any]) -> None:
    with lane.open() as journal:
        sold(Selling(journal), 1)
        _with(journal, "attendant.greeted", body)
        state = again(journal)
        assert (state.sale, state.next_sale_no) == (None, 2)
        Selling(journal, state).play(scanned(2))
        assert again(journal).sale is not None


def test_an_unknown_record_before_the_last_rest_stops_nothing(lane: TestLane) -> None:
    with lane.open() as journal:
        selling = Selling(journal)
        selling.play(scanned(1))
        _with(journal, "line.weighed", NEWER)
        selling.play(on.SaleCancelled("customer"))
        assert again(journal).sale is None


def test_what_the_journal_says_of_itself_is_no_part_of_a_sale(lane: TestLane) -> None:
    with lane.open() as journal:
        Selling(journal).play(scanned(1))
        _with(journal, "journal.tidied", {"by": "a newer version"})
        assert msgspec.to_builtins(again(journal).sale) is not None
