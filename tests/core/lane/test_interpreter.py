"""The lane's thread over a journal that cannot always take records."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.state import State
from kiosk.journal.errors import DiskFull
from kiosk.lane import interpreter
from kiosk.lane.interpreter import Lane
from kiosk.lane.port import Published
from tests.core.checkout.script import CARD, Script, product


class Disk:
    """A journal of which only the disk's room matters."""

    def __init__(self) -> None:
        self.full = False
        self.reserve = True
        self.records: list[str] = []

    def append(self, typ: str, body: object, actor: object, *, finishing: bool = False) -> None:
        if self.full:
            raise DiskFull("the disk is full")
        self.records.append(typ)

    def reserve_ok(self) -> bool:
        return self.reserve and not self.full

    def tend(self) -> None:
        pass


class Effects:
    def __init__(self) -> None:
        self.done: list[do.Any] = []

    def perform(self, effect: do.Any) -> None:
        self.done.append(effect)


@contextmanager
def running(state: State, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lane, Effects]]:
    monkeypatch.setattr(interpreter, "IDLE_TEND_S", 0.02)
    no_translator: Any = None
    lane, effects = Lane(state, disk, no_translator), Effects()  # type: ignore[arg-type]
    lane.start(effects)
    try:
        yield lane, effects
    finally:
        lane.stop()


def seen(lane: Lane, revision: int) -> State:
    published = lane.wait(revision, 5)
    assert published is not None, "nothing changed"
    return published.state


def scanned(n: int) -> on.ItemScanned:
    return on.ItemScanned(product(), None, "]E0", f"l{n}", f"d{n}", f"s{n}", "v1", "da", n)


def test_an_approval_that_could_not_be_recorded_is_asked_about_when_there_is_room_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Script()
    s.scan()
    s.to_charge()
    s.play(on.ChargeSent("t1"))
    disk = Disk()
    disk.full = True
    with running(s.state, disk, monkeypatch) as (lane, effects):
        lane.post(on.PaymentApproved("t1", 7, 1250, "DKK", CARD))
        assert seen(lane, 1).health.journal
        assert not any(isinstance(e, do.ConfirmPayment) for e in effects.done), "confirmed and not recorded"
        disk.full = False
        after = seen(lane, 2)
    assert (after.health.journal, after.payment and after.payment.phase) == ("", "unknown")
    assert do.QueryPayment("t1", 1250, "DKK", "witness") in effects.done
    assert disk.records == []


def test_a_thank_you_that_could_not_be_ended_is_ended_when_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("none", "{}", "j1"))
    disk = Disk()
    disk.full = True
    with running(s.state, disk, monkeypatch) as (lane, effects):
        lane.post(on.SaleFinished())
        assert seen(lane, 1).health.journal
        disk.full = False
        seen(lane, 2)
    assert do.StartTimer("thanks", s.state.shop.thanks_s) in effects.done


@pytest.mark.parametrize("reserve", [True, False])
def test_a_scan_over_a_thank_you_begins_no_sale_below_the_reserve(
    monkeypatch: pytest.MonkeyPatch, reserve: bool
) -> None:
    s = Script()
    s.scan()
    s.to_receipt()
    s.play(on.ReceiptChosen("none", "{}", "j1"))
    disk = Disk()
    disk.reserve = reserve
    with running(s.state, disk, monkeypatch) as (lane, _):
        lane.post(scanned(9))
        after = seen(lane, 1)
    assert after.sale is not None
    assert (after.sale.sale_id == "s9", bool(after.health.journal)) == (reserve, not reserve)


def test_what_is_coming_is_said_before_the_record_is_made_and_is_the_very_state_that_is_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk()
    said: list[tuple[Published, int]] = []
    with running(Script().state, disk, monkeypatch) as (lane, _):
        lane.on_coming(lambda coming: said.append((coming, len(disk.records))))
        lane.post(scanned(1))
        published = lane.wait(1, 5)
    assert published is not None
    assert said == [(published, 0)]
    assert said[0][0] is published, "rendered ahead in vain"


def test_what_could_not_be_recorded_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Script()
    s.scan()
    disk = Disk()
    disk.full = True
    said: list[Published] = []
    with running(s.state, disk, monkeypatch) as (lane, _):
        lane.on_coming(said.append)
        lane.post(scanned(9))
        published = lane.wait(1, 5)
    assert len(said) == 1
    assert published is not None
    assert published.state.health.journal
    assert published.state.sale == s.state.sale != said[0].state.sale


def test_a_barred_lane_begins_no_sale_and_says_why_until_it_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    with running(Script().state, disk, monkeypatch) as (lane, _):
        lane.post(lambda: lane.bar("given to another device"))
        assert seen(lane, 1).health.journal == "given to another device"
        lane.post(scanned(1))
        taken = threading.Event()
        lane.post(taken.set)
        assert taken.wait(5)
        assert lane.snapshot().state.sale is None
        assert lane.snapshot().state.health.journal == "given to another device", "tending does not lift it"
    assert disk.records == []


def test_what_the_journal_changes_of_the_state_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Script().state, Disk(), monkeypatch) as (lane, _):
        lane.post(lambda: lane.adjust(lambda state: replace(state, next_sale_no=1234)))
        assert seen(lane, 1).next_sale_no == 1234
