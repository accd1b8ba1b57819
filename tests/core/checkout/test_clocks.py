"""No screen waits for ever for somebody who has gone, and no late clock ends what is alive."""

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import step
from kiosk.core.screen import screen
from kiosk.core.state import StillThere
from tests.core.checkout.script import SHOP, Script


def at_basket() -> Script:
    s = Script()
    s.scan()
    return s


def at_receipt() -> Script:
    s = at_basket()
    s.to_receipt()
    return s


def at_trouble() -> Script:
    s = at_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"), on.ReceiptPrintEnded("j1", "failed", "paper_out"))
    return s


def at_thanks() -> Script:
    s = at_receipt()
    s.play(on.ReceiptChosen("none", "{}", "j1"))
    return s


CLOCKS = {
    "basket": (at_basket, do.StartTimer("idle", SHOP.idle_s)),
    "receipt": (at_receipt, do.StartTimer("idle", SHOP.idle_s)),
    "trouble": (at_trouble, do.StartTimer("idle", SHOP.idle_s)),
    "thanks": (at_thanks, do.StartTimer("thanks", SHOP.thanks_s)),
}


@pytest.mark.parametrize("where", CLOCKS)
def test_the_clock_runs_again_after_a_restart(where: str) -> None:
    reach, clock = CLOCKS[where]
    assert clock in step(reach().replayed(), on.Restarted("test")).effects


def test_nobody_at_a_receipt_that_does_not_come_out_makes_room_for_the_next() -> None:
    s = at_trouble()
    assert screen(s.state) == "print_trouble"
    s.play(on.TimerElapsed("idle"))
    assert s.state.prompt == StillThere(SHOP.answer_s)
    assert s.play(on.TimerElapsed("answer")) == [do.Finish()]
    s.play(on.SaleFinished())
    assert s.state.sale is None


def test_no_clock_runs_while_it_prints() -> None:
    s = at_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    s.play(on.TimerElapsed("idle"))
    assert s.state.prompt is None


@pytest.mark.parametrize("name", ["idle", "answer", "thanks", "query", "ending"])
@pytest.mark.parametrize("paid", [False, True])
def test_a_late_clock_ends_nothing_that_is_alive(name: str, paid: bool) -> None:
    s = at_receipt() if paid else at_basket()
    before = s.state
    s.play(on.TimerElapsed("idle"), on.Touched())  # the question was asked, and answered
    assert s.play(on.TimerElapsed(name)) == []  # type: ignore[arg-type]
    assert s.state.sale == before.sale


def test_a_print_that_could_not_be_asked_about_is_asked_about_when_the_daemon_is_back() -> None:
    s = at_receipt()
    s.play(on.ReceiptChosen("print", "{}", "j1"))
    assert s.restart() == [do.AskPrint("j1")]
    s.play(on.HalChanged(connected=False, resumed=False), on.ReceiptPrintEnded("j1", "uncertain", "hal_gone"))
    assert s.play(on.HalChanged(connected=True, resumed=False)) == [do.AskPrint("j1")]
    s.play(on.ReceiptPrintEnded("j1", "printed", ""))
    assert screen(s.state) == "thanks"
