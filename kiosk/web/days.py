"""The day's totals on the attendant's screen. Pure."""

from typing import NamedTuple

from kiosk.core.day import can_close
from kiosk.core.state import DayShown, State
from kiosk.i18n import N_, Translator
from kiosk.receipt.report import figures, tender_label


class DayView(NamedTuple):
    """`tenders`, `figures`: label and value. `open`: the day goes on; `closable`: it can be closed now."""

    date: str
    no: int
    total: str
    grand_total: str
    tenders: list[tuple[str, str]]
    figures: list[tuple[str, str]]
    open: bool
    closable: bool


def day_view(state: State, words: Translator) -> DayView | None:
    shown = state.prompt
    if not isinstance(shown, DayShown):
        return None
    report, currency = shown.report, state.shop.currency
    tenders = [
        (f"{tender.count} × {tender_label(tender.kind, words)}", words.money(tender.amount_minor, currency))
        for tender in report.tenders
    ]
    return DayView(
        report.date,
        report.no,
        words.money(report.gross_minor, currency),
        words.money(report.grand_total_minor, currency),
        tenders,
        figures(report, state.shop, words),
        shown.kind == "X",
        shown.kind == "X" and can_close(state),
    )


def words_of(shown: DayShown, words: Translator) -> tuple[str, str, str]:
    """Drawing, title and body."""
    t = words.t
    if shown.kind == "X":
        printed = t(N_("It is being printed.")) if shown.printed else t(N_("The day goes on."))
        return "receipt", t(N_("The day so far")), printed
    if shown.printed:
        return "done", t(N_("The day is closed")), t(N_("The report is being printed."))
    return "done", t(N_("The day is closed")), t(N_("The report could not be printed. It stands in the journal."))
