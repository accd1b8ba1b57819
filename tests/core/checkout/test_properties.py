"""Whatever happens in whatever order: the promises of the checkout, tried with random events."""

import random
from typing import Literal

import pytest

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import durable_part, is_recorded, step
from kiosk.core.report import Comparison, Report, Totals
from kiosk.core.state import DeviceHealth, Ending
from kiosk.core.tenders import UNSETTLED, due_minor, paid_minor, reckoning
from kiosk.records.sale import Evidence, Fiscal, RestrictionCheck
from kiosk.records.settings import ROLES
from tests.core.checkout.script import CARD, PANT, READY, SHOP, Script, product

TENDERS = ("t1", "t2", "t3")
AMOUNTS = (0, 1, 500, 1250, 1350, 2500, 10**9)
CARD_OUTCOMES: tuple[Literal["declined", "cancelled"], ...] = ("declined", "cancelled")
HOWS: tuple[Literal["print", "qr", "none"], ...] = ("print", "qr", "none")
PRINT_OUTCOMES: tuple[Literal["printed", "failed", "uncertain"], ...] = ("printed", "failed", "uncertain")
Answer = Literal["in_progress", "approved", "declined", "cancelled", "not_charged", "unknown", "unreachable"]
ENDINGS: tuple[Ending, ...] = ("", "cancelled", "abandoned")
REVERSALS: tuple[Literal["reversed", "refused", "unknown"], ...] = ("reversed", "refused", "unknown")
EVIDENCE = Evidence("unclear", 1250, "DKK")
ANSWERS: tuple[Answer, ...] = (
    "in_progress",
    "approved",
    "declined",
    "cancelled",
    "not_charged",
    "unknown",
    "unreachable",
)

BEER = product("05712345678920", 2000, restriction="age_18")


def checked(outcome: str) -> RestrictionCheck:
    return RestrictionCheck("age_18", "seen_by_staff", outcome, "attendant", "a-1")


EVENT_POOL: list[on.Any] = [
    *(
        on.ItemScanned(product(price=1250), deposit, "]E0", f"l{n}", f"d{n}", f"s{n}", "v1", "da", n)
        for n in range(100, 110)
        for deposit in (None, PANT)
    ),
    *(on.LanguageChosen(language) for language in SHOP.languages),
    *(on.PayChosen(t) for t in TENDERS),
    *(on.TerminalPrepared(t, "w") for t in TENDERS),
    *(on.TerminalNotPrepared(t, "no_answer") for t in TENDERS),
    *(on.ChargeSent(t) for t in TENDERS),
    *(on.PaymentApproved(t, 5, minor, c, CARD) for t in TENDERS for minor in AMOUNTS for c in ("DKK", "EUR")),
    *(on.PaymentDeclined(t, 6, outcome, "x", "05") for t in TENDERS for outcome in CARD_OUTCOMES),
    *(on.PaymentEnded(t, "stands", []) for t in TENDERS),
    *(on.PaymentEnded(t, "void", []) for t in TENDERS),
    *(on.PaymentEnded(t, "unclear", []) for t in TENDERS),
    *(on.PaymentLost(t, was_sent, "line_lost") for t in TENDERS for was_sent in (True, False)),
    *(
        on.PaymentQueried(t, answer, seq, 1250, "DKK", CARD, "")
        for t in TENDERS
        for answer in ANSWERS
        for seq in (0, 5)
    ),
    *(on.PaymentLeftToStaff(t, EVIDENCE, 5) for t in TENDERS),
    *(on.ReversalIntended(t, f"r-{t}", ending, 5) for t in TENDERS for ending in ENDINGS),
    *(on.ReversalEnded(t, f"r-{t}", outcome, "") for t in TENDERS for outcome in REVERSALS),
    on.AttendantIdentified("a1", ("payments",)),
    on.AttendantIdentified("a2", ("void",)),
    on.AttendantLeft("a1"),
    on.ResolveTouched(charged=True),
    on.Fiscalised(Fiscal("none")),
    on.SaleClosed(1),
    *(on.ReceiptChosen(how, "{}", "j1") for how in HOWS),
    *(on.ReceiptPrintEnded("j1", outcome, "") for outcome in PRINT_OUTCOMES),
    on.CopyChosen("j2"),
    *(on.ConfirmFailed(t) for t in TENDERS),
    *(on.PaymentProgressed(t, "enter_pin", "PIN") for t in TENDERS),
    on.SaleFinished(),
    on.SaleCancelled(1),
    on.SaleAbandoned(1),
    on.Restarted("x"),
    *(on.AttendantIdentified("a-1", roles) for roles in (ROLES, ("approve",), ("void", "day"), ())),
    on.AttendantLeft("a-1"),
    *(on.AttendantRefused("a-1", n * 1000) for n in range(5)),
    *(on.BadgeShown("a-1", wait_s) for wait_s in (0, 60)),
    on.MenuTouched(),
    on.TimerElapsed("attendant"),
    on.ItemScanned(BEER, PANT, "]E0", "l100", "d100", "s100", "v1", "da", 1),
    *(
        on.RestrictionChecked(BEER, deposit, "]E0", line, f"{line}-d", "s100", "v1", "da", 1, checked(outcome))
        for line in ("l100", "w1")
        for outcome in ("approved", "refused")
        for deposit in (None, PANT)
    ),
    *(on.LineVoided(f"l{n}", ids, "other") for n in range(100, 104) for ids in ((f"v{n}",), (f"v{n}", f"w{n}"))),
    on.SaleSuspended("KASSA1:", "{}", "j5", 1),
    on.SaleSuspended("KASSA1:", "{}", "", 1),
    *(
        on.SaleRecalled(original * 16, "transferred", "v0", goods, (), "r", "s9", "v1", "da", 1)
        for original in ("ab", "cd")
        for goods in ((on.RecalledItem(product(), PANT, 2, 1250), on.RecalledItem(BEER, None, 1, 1)),)
    ),
    on.FoundNotPossible("recall_busy"),
    on.DayOpened("2026-11-27", 1),
    on.DayOpened("2026-11-28", 2),
    on.DayLooked(),
    *(
        on.DayClosed(Report("2026-11-27", no, "live", "DKK", 1), "{}", job, by_clock)
        for no in (1, 2)
        for job in ("", "j6")
        for by_clock in (True, False)
    ),
    on.DayRead(Report("2026-11-27", 1, "live", "DKK", 1), "{}", "j7"),
    *(on.Reconciled(no, Totals("closed", 5, "DKK", 1, "1", "1"), Comparison(0, 0, -5)) for no in (1, 2)),
    *(on.SettingsAdopted(f"v{n}", n) for n in (1, 2)),
    on.Touched(),
    on.StartTouched(),
    on.PayTouched(),
    on.BackTouched(),
    on.HelpTouched(),
    on.CancelTouched(),
    on.RemoveTouched("l1"),
    on.PromptClosed(),
    on.UnknownScanned("x", "unknown"),
    on.HalChanged(connected=True, resumed=False),
    on.HalChanged(connected=True, resumed=True),
    on.HalChanged(connected=False, resumed=False),
    on.DeviceChanged("terminal", READY),
    on.DeviceChanged("terminal", DeviceHealth("absent", "unplugged")),
    on.DeviceChanged("printer", DeviceHealth("fault", "paper_out")),
    on.TimerElapsed("idle"),
    on.TimerElapsed("answer"),
    on.TimerElapsed("thanks"),
    on.TimerElapsed("query"),
    on.TimerElapsed("ending"),
]


def expected(s: Script, n: int) -> list[on.Any]:
    """What would happen next if all went well: mixed in, so that a walk gets deep into a sale."""
    state = s.state
    match state.stage:
        case "idle":
            return [on.ItemScanned(product(price=1250), None, "]E0", f"l{n}", f"d{n}", f"s{n}", "v1", "da", n)]
        case "scanning" | "choosing":
            return [on.PayChosen(f"t{1 + n % 3}")]
        case "paying":
            assert state.payment is not None
            assert state.sale is not None
            t = state.payment.tender_id
            due = due_minor(state.sale)
            tender = next(one for one in state.sale.tenders if one.tender_id == t)
            if tender.state == "manual" and tender.evidence is not None:
                charged = [on.PaymentResolved(t, yes, "a1", tender.evidence, n) for yes in (True, False)]
                return [*charged, on.AttendantIdentified("a1", ("payments",))]
            if state.payment.phase == "reversing":
                return [
                    on.ReversalIntended(t, f"r-{t}", state.payment.ending, n),
                    *(on.ReversalEnded(t, tender.reversal_id, outcome, "") for outcome in REVERSALS),
                    on.PaymentLeftToStaff(t, tender.evidence or EVIDENCE, n),
                    on.SaleCancelled(n),
                ]
            return [
                on.TerminalPrepared(t, "w"),
                on.PaymentApproved(t, 1 + n, due, "DKK", CARD),
                on.PaymentApproved(t, 1 + n, max(1, due // 2), "DKK", CARD),
                on.PaymentEnded(t, "stands", []),
                on.PaymentQueried(t, "not_charged", 0, 0, "DKK", None, ""),
                on.PaymentQueried(t, "approved", 0, due, "DKK", CARD, ""),
            ]
        case "closing":
            return [on.Fiscalised(Fiscal("none")), on.SaleClosed(n)]
        case "receipt":
            return [on.ReceiptChosen("print", "{}", "j1")]
        case "printing":
            return [on.ReceiptPrintEnded("j1", "printed", "")]
        case "thanks" | "suspended":
            return [on.SaleFinished()]


@pytest.mark.parametrize("seed", range(8))
def test_promises_hold_for_any_events(seed: int) -> None:
    """Random walks, half guided, half anything: 8 x 60 walks of 120 events."""
    walk = random.Random(seed)
    pool = [EVENT_POOL[walk.randrange(len(EVENT_POOL))] for _ in range(400)]
    closed = 0
    for _ in range(60):
        s = Script()
        closed += play_and_check(s, walk, pool)
    assert closed > 30, "the walks did not get deep enough to mean anything"


def play_and_check(s: Script, walk: random.Random, pool: list[on.Any]) -> int:
    charged: set[tuple[int, str]] = set()
    closed = 0
    for n in range(120):
        event = walk.choice(expected(s, n)) if walk.random() < 0.5 else walk.choice(pool)
        before = s.state
        taken = step(before, event)
        recorded = is_recorded(before, event, taken)
        if not recorded:
            assert durable_part(before) == durable_part(taken.state), "changed and not journaled"
        s.play(event)
        for effect in s.effects:
            if isinstance(effect, do.Charge):
                assert recorded, "charged without a durable intent"
                assert before.sale is not None
                assert before.payment is not None
                key = (before.sale.sale_no, effect.tender_id)
                assert key not in charged, "charged twice"
                charged.add(key)
            if isinstance(effect, do.Reverse) and not isinstance(event, on.JournalChanged | on.HalChanged):
                assert recorded, "reversed without a durable intent"
        if recorded and isinstance(event, on.PaymentResolved):
            assert before.attendant is not None, "resolved by nobody"
            assert before.attendant.may("payments"), "resolved by somebody who may not"
        closed += isinstance(event, on.SaleClosed) and recorded
        sale = s.state.sale
        if sale is None:
            continue
        unsettled = [t for t in sale.tenders if t.state in UNSETTLED]
        if isinstance(event, on.PayChosen) and taken.state.payment != before.payment:
            assert len(unsettled) == 1, "a new attempt while one is not settled"
        if unsettled:
            assert s.state.payment is not None, "a doubt without anybody who cares for it"
        if paid_minor(sale) > sale.total_minor:
            assert s.state.payment is not None, "paid too much, and nothing is done about it"
        if s.state.stage in ("closing", "receipt", "printing", "thanks"):
            assert paid_minor(sale) == sale.total_minor, "goods without a charge"
            assert reckoning(sale).difference_minor == 0
        if before.sale is not None and before.sale.state == "closed" and sale.sale_no == before.sale.sale_no:
            assert sale == before.sale, "a sealed sale was changed"
    assert durable_part(s.replayed()) == durable_part(s.state)
    return closed
