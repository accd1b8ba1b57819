"""The checkout: `step(state, event)` is all of it. Pure; the lane makes the events and performs the effects.

A durable event never looks at the passing parts of the state (health, prompt, display), so that replaying the journal
gives the same sale whatever the devices do meanwhile; `durable_part` is what must come out the same.
"""

from msgspec.structs import replace

from kiosk.core import attendance, closing, day, doubt, payment, reconcile, reversal, scanning, suspend
from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.attempt import last_paid
from kiosk.core.basket import standing
from kiosk.core.lasting import Lasting, lasting
from kiosk.core.screen import screen
from kiosk.core.state import (
    Adopted,
    CancelAsked,
    HelpCalled,
    NotPossible,
    PinAsked,
    Receipt,
    State,
    StillThere,
    TimerName,
)
from kiosk.core.steps import Step, stay
from kiosk.records.sale import Sale

_SIGNS_OF_LIFE = (
    on.ItemScanned,
    on.UnknownScanned,
    on.LanguageChosen,
    on.ContrastChosen,
    on.Touched,
    on.StartTouched,
    on.PayTouched,
    on.BackTouched,
    on.HelpTouched,
    on.CancelTouched,
    on.RemoveTouched,
    on.ResolveTouched,
    on.PromptClosed,
    on.BadgeShown,
    on.MenuTouched,
    on.AttendantIdentified,
    on.AttendantRefused,
    on.RestrictionChecked,
    on.LineVoided,
    on.SaleSuspended,
    on.SaleRecalled,
    on.FoundNotPossible,
    on.DayLooked,
    on.DayRead,
    on.DayClosed,
)
UNCLEAR_S = 60
"""How long the customer stands before an unclear payment until staff are called, whatever the reason."""


def step(state: State, event: on.Any) -> Step:
    """What the event makes of the state, and what is to be done. Unknown places for an event change nothing."""
    taken = _dispatch(_answered(state, event), event)
    after = _not_asked_in_vain(taken.state)
    after = day.followed(state, event, after, closing.sealed(state, event, after))
    gone = attendance.leave(after) if _is_over(state, after) else ()
    return Step(after, (*taken.effects, *gone, *_timers(state, event, after)))


def _is_over(before: State, after: State) -> bool:
    """Whether the sale has come to its end; also by the next customer's scan over the thank-you."""
    was, now = before.sale, after.sale
    return was is not None and (now is None or now.sale_id != was.sale_id)


Durable = tuple[Sale | None, str, Receipt | None, str, str, int, int, Lasting]


def durable_part(state: State) -> Durable:
    """What replay must restore."""
    tender_id, ending = (state.payment.tender_id, state.payment.ending) if state.payment is not None else ("", "")
    stage = "idle" if state.sale is None else "scanning" if state.stage == "choosing" else state.stage
    numbers = (state.next_sale_no, state.next_receipt_no)
    return (state.sale, stage, state.receipt, tender_id, ending, *numbers, lasting(state))


def is_recorded(before: State, event: on.Any, taken: Step) -> bool:
    """Whether the journal must hold the event before its effects are performed."""
    if not isinstance(event, on.Durable):
        return False
    if isinstance(event, on.Restarted):
        return True
    if isinstance(event, on.SettingsAdopted):
        return before != taken.state
    if isinstance(event, on.RestrictionChecked) and attendance.may(before, "approve"):  # also when it was refused
        return True
    if durable_part(before) != durable_part(taken.state):
        return True
    return any(not isinstance(effect, do.StartTimer | do.StopTimer) for effect in taken.effects)


def _dispatch(state: State, event: on.Any) -> Step:
    match event:
        case on.ItemScanned():
            return scanning.item(state, event)
        case on.UnknownScanned():
            return scanning.unknown(state, event)
        case on.RemoveTouched():
            return scanning.remove(state, event)
        case on.PayChosen():
            return payment.choose(state, event)
        case on.TerminalPrepared():
            return payment.prepared(state, event)
        case on.TerminalNotPrepared():
            return payment.not_prepared(state, event)
        case on.ChargeSent():
            return payment.sent(state, event)
        case on.PaymentApproved():
            return payment.approved(state, event)
        case on.PaymentDeclined():
            return payment.declined(state, event)
        case on.PaymentEnded():
            return payment.ended(state, event)
        case on.PaymentLost():
            return payment.lost(state, event)
        case on.PaymentQueried():
            return doubt.queried(state, event)
        case on.PaymentLeftToStaff():
            return doubt.left_to_staff(state, event)
        case on.PaymentResolved():
            return doubt.resolved(state, event)
        case on.ReversalIntended():
            return reversal.intended(state, event)
        case on.ReversalEnded():
            return reversal.ended(state, event)
        case on.ConfirmFailed():
            return payment.confirm_failed(state, event)
        case on.PaymentProgressed():
            return _progressed(state, event)
        case on.Fiscalised():
            return closing.fiscalised(state, event)
        case on.SaleClosed():
            return closing.closed(state, event)
        case on.ReceiptChosen():
            return closing.receipt_chosen(state, event)
        case on.ReceiptPrintEnded():
            return closing.print_ended(state, event)
        case on.CopyChosen():
            return closing.copy_chosen(state, event)
        case on.SaleFinished():
            return closing.finished(state)
        case on.SaleCancelled():
            return closing.given_up(state, "cancelled")
        case on.SaleAbandoned():
            return closing.given_up(state, "abandoned")
        case on.SaleLost():
            return closing.lost(state)
        case on.AttendantIdentified():
            return attendance.identified(state, event)
        case on.AttendantRefused():
            return attendance.refused(state, event)
        case on.AttendantLeft():
            return attendance.left(state, event)
        case on.RestrictionChecked():
            return attendance.checked(state, event)
        case on.LineVoided():
            return attendance.void(state, event)
        case on.SaleSuspended():
            return suspend.suspended(state, event)
        case on.SaleRecalled():
            return suspend.recalled(state, event)
        case on.DayOpened():
            return day.opened(state, event)
        case on.DayRead():
            return day.read(state, event)
        case on.DayClosed():
            return day.closed(state, event)
        case on.Reconciled():
            return reconcile.reconciled(state, event)
        case on.SettingsAdopted(version, sequence):
            newer = sequence > state.settings.sequence
            return Step(replace(state, settings=Adopted(version, sequence))) if newer else stay(state)
        case on.Restarted():
            # Who was at the lane before a restart must show it again: the process cannot know who stands there now.
            return _resume(replace(state, attendant=None), restarted=True)
        case _:
            return _passing(state, event)


def _passing(state: State, event: on.Passing | on.LanguageChosen) -> Step:
    match event:
        case on.LanguageChosen(language):
            return _language(state, language)
        case on.ContrastChosen(contrast):
            return Step(replace(state, contrast=contrast))
        case on.StartTouched():
            return Step(replace(state, stage="scanning")) if state.stage == "idle" else stay(state)
        case on.PayTouched():
            ready = state.stage == "scanning" and state.sale is not None and bool(standing(state.sale.lines))
            return Step(replace(state, stage="choosing", prompt=None)) if ready else stay(state)
        case on.BackTouched():
            return payment.abort(state) if state.stage == "paying" else _back(state)
        case on.HelpTouched():
            return Step(replace(state, prompt=HelpCalled()), (do.CallStaff("customer"),))
        case on.CancelTouched():
            return _cancel(state)
        case on.DeviceChanged():
            return _device(state, event)
        case on.HalChanged():
            return _hal(state, event)
        case on.CatalogueChanged(catalogue):
            return Step(replace(state, catalogue=catalogue))
        case on.JournalChanged(reason):
            after = replace(state, health=replace(state.health, journal=reason))
            return Step(after, (do.CallStaff("journal"),)) if reason else _resume(after)
        case on.TimerElapsed(name):
            return _elapsed(state, name)
        case on.ResolveTouched():
            return doubt.resolve_touched(state, event)
        case on.BadgeShown():
            return attendance.badge_shown(state, event)
        case on.MenuTouched():
            return attendance.menu(state)
        case on.DayLooked():
            return day.looked(state)
        case on.FoundNotPossible(why):
            return Step(replace(state, prompt=NotPossible(why)))
        case on.PromptClosed():
            return Step(replace(state, prompt=None))
        case _:
            return stay(state)


def _answered(state: State, event: on.Any) -> State:
    """Any sign of life answers "are you still there"."""
    if isinstance(state.prompt, StillThere) and isinstance(event, _SIGNS_OF_LIFE):
        return replace(state, prompt=None)
    return state


def _not_asked_in_vain(state: State) -> State:
    """The lane went on by itself, for instance since there is paper again: nobody has to answer any more."""
    if isinstance(state.prompt, StillThere) and not _waits_for_customer(state):
        return replace(state, prompt=None)
    return state


def _progressed(state: State, event: on.PaymentProgressed) -> Step:
    if state.payment is None or state.payment.tender_id != event.tender_id:
        return stay(state)
    return Step(replace(state, payment=replace(state.payment, progress=event.progress, text=event.text)))


def _language(state: State, language: str) -> Step:
    if language not in state.shop.languages or language == state.language:
        return stay(state)
    sale = state.sale
    if sale is not None and sale.state not in ("closed", "fiscalising"):
        sale = replace(sale, language=language)
    return Step(replace(state, language=language, sale=sale))


def _back(state: State) -> Step:
    if state.stage == "choosing":
        return Step(replace(state, stage="scanning", prompt=None))
    if state.stage == "scanning" and state.sale is None:
        return Step(closing.next_customer(state))
    return stay(state)


def _cancel(state: State) -> Step:
    if state.stage not in ("scanning", "choosing"):
        return stay(state)
    if state.sale is None:
        return Step(closing.next_customer(state))
    return Step(replace(state, prompt=CancelAsked()))


def _device(state: State, event: on.DeviceChanged) -> Step:
    was_usable = state.health.terminal.usable
    match event.device:
        case "scanner":
            health = replace(state.health, scanner=event.health)
        case "printer":
            health = replace(state.health, printer=event.health)
        case "terminal":
            health = replace(state.health, terminal=event.health)
    after = replace(state, health=health)
    if event.device == "terminal" and event.health.usable and not was_usable:
        return doubt.terminal_is_back(after)
    stuck = event.device == "printer" and state.stage == "printing" and not event.health.usable
    if stuck and state.health.printer.usable:  # while it is only waiting for paper: sooner than the job gives up
        return Step(after, (do.CallStaff("printer"),))
    return Step(after)


def _hal(state: State, event: on.HalChanged) -> Step:
    after = replace(state, health=replace(state.health, hal=event.connected))
    if not event.connected or event.resumed or state.health.journal:  # once records can be made again
        return Step(after)
    return _resume(after)


def _resume(state: State, *, restarted: bool = False) -> Step:
    """What happened meanwhile is not known, or could not be recorded: ask, and do again what may be done again."""
    if state.payment is not None:
        return payment.resume(state, restarted=restarted)
    again = closing.resume(state)
    return Step(again.state, (*again.effects, *reconcile.resume(state)))


def _elapsed(state: State, name: str) -> Step:
    match name:
        case "query":
            return doubt.timer(state)
        case "ending":
            return payment.late_with_its_end(state)
        case "unclear" if _is_unclear(state):
            return doubt.unclear_too_long(state)
        case "idle" if state.stage == "scanning" and state.sale is None:
            return Step(closing.next_customer(state))
        case "idle" if _waits_for_customer(state) and not isinstance(state.prompt, StillThere):
            return Step(replace(state, prompt=StillThere(state.shop.answer_s)))
        case "answer" if isinstance(state.prompt, StillThere):
            return Step(replace(state, prompt=None), (_nobody(state),))
        case "attendant":
            return attendance.away(state)
        case "thanks" if state.stage in ("thanks", "suspended"):
            return Step(state, (do.Finish(),))
        case _:
            return stay(state)


def _nobody(state: State) -> do.Any:
    """Nobody is there any more: what is to be done with what they left."""
    if state.stage not in ("scanning", "choosing"):
        return do.Finish()
    part = last_paid(state.sale) if state.sale is not None else None
    return do.GiveUp() if part is None else do.IntendReversal(part.tender_id, "abandoned")


def _is_unclear(state: State) -> bool:
    """Whether the customer stands before a question that nobody but a clock would take to staff."""
    manual = state.payment is not None and state.payment.phase == "manual"
    return screen(state) == "checking" and not manual


def _waits_for_customer(state: State) -> bool:
    """Never while a payment is open: that clock belongs to the terminal. Also where a receipt does not come out: who
    went without it must not leave the lane closed to the next customer."""
    asked = state.stage in ("scanning", "choosing", "receipt") or screen(state) == "print_trouble"
    return asked and state.payment is None and state.attendant is None


def _timers(before: State, event: on.Any, after: State) -> tuple[do.Any, ...]:
    """What the step starts and stops. A process that has just come up has no clock running yet; and what a clock led
    to while the journal took no records did not happen, so that it runs again."""
    ran = {} if isinstance(event, on.Restarted) or event == on.JournalChanged("") else _clocks(before)
    runs = _clocks(after)
    anew = {"idle", "attendant"} if before.stage != after.stage or isinstance(event, _SIGNS_OF_LIFE) else set()
    return (
        *(do.StartTimer(name, after_s) for name, after_s in runs.items() if ran.get(name) != after_s or name in anew),
        *(do.StopTimer(name) for name in ran if name not in runs),
    )


def _clocks(state: State) -> dict[TimerName, int]:
    """The clocks that follow from where the lane is, in seconds."""
    clocks: dict[TimerName, int] = {}
    if isinstance(state.prompt, StillThere):
        clocks["answer"] = state.shop.answer_s
    elif _waits_for_customer(state):
        clocks["idle"] = state.shop.idle_s
    if _is_unclear(state):
        clocks["unclear"] = UNCLEAR_S
    if isinstance(state.prompt, PinAsked):
        clocks["attendant"] = attendance.PIN_S
    elif state.attendant is not None:
        clocks["attendant"] = attendance.AWAY_S
    if state.stage == "thanks":
        clocks["thanks"] = state.shop.thanks_s
    if state.stage == "suspended":
        clocks["thanks"] = suspend.SLIP_S
    return clocks
