"""Products into the basket, and what is said when one cannot go there."""

from typing import Protocol

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import has_room, make_line, standing, with_lines
from kiosk.core.closing import next_customer
from kiosk.core.state import (
    AttendantMenu,
    ItemNotFound,
    NotForSale,
    Prompt,
    Refused,
    ScanNotNow,
    State,
    VoidAsked,
    Waiting,
)
from kiosk.core.steps import Step, stay
from kiosk.records.sale import Line, Product, Sale

MAX_SHOWN = 32
MAX_WAITING = 500


def item(state: State, event: on.ItemScanned) -> Step:
    language = event.language
    if state.stage == "thanks":
        state = next_customer(state)
        language = state.language
    if state.stage not in ("idle", "scanning", "choosing"):
        return _say(state, ScanNotNow())
    product = event.product
    if not is_for_sale(product):
        return _say(_awake(state), NotForSale(product.name))
    if product.restriction:
        return _wait_for_staff(state, event)
    sale = state.sale if state.sale is not None else open_sale(state, event, language)
    lines = [_line(sale, product, event, event.line_id)]
    if event.deposit is not None:
        lines.append(_line(sale, event.deposit, event, event.deposit_line_id, parent=event.line_id))
    if not has_room(sale, lines):
        return Step(_awake(state), (do.CallStaff("basket_full"),))
    opened = state.sale is None
    after = replace(
        state,
        sale=with_lines(sale, lines),
        language=language if opened else state.language,
        stage="scanning",
        prompt=None,
        pulse=state.pulse + 1,
        next_sale_no=state.next_sale_no + opened,
    )
    return Step(after)


def is_for_sale(product: Product) -> bool:
    """Counted goods only."""
    return product.code_kind == "gtin" and product.unit == "each" and product.kind == "item"


def unknown(state: State, event: on.UnknownScanned) -> Step:
    if state.stage not in ("idle", "scanning", "choosing"):
        return stay(state) if state.stage == "thanks" else _say(state, ScanNotNow())
    shown = "".join(c if c.isprintable() else " " for c in event.text[: 4 * MAX_SHOWN])
    shown = " ".join(shown.split())
    if len(shown) > MAX_SHOWN:
        shown = shown[: MAX_SHOWN - 1] + "…"
    return _say(_awake(state), ItemNotFound(shown, event.why))


def remove(state: State, event: on.RemoveTouched) -> Step:
    """A void needs a member of staff, and says so; one who is there is asked why."""
    if state.sale is None or state.stage not in ("scanning", "choosing"):
        return stay(state)
    line = next((line for line in standing(state.sale.lines) if line.line_id == event.line_id), None)
    if line is None:
        return stay(state)
    if state.attendant is not None and state.attendant.may("void"):
        return _say(state, VoidAsked(line.line_id, line.name))
    return Step(replace(state, prompt=Refused("void", "", line.name)), (do.CallStaff("void"),))


def _wait_for_staff(state: State, event: on.ItemScanned) -> Step:
    """Staff are called, and the customer may go on meanwhile."""
    if len(state.waiting) >= MAX_WAITING:
        return Step(_awake(state), (do.CallStaff("basket_full"),))
    product = event.product
    one = Waiting(event.line_id, product, event.deposit, event.aim, event.catalogue_version)
    after = replace(_awake(state), waiting=(*state.waiting, one))
    if state.attendant is not None and state.attendant.may("approve"):
        return _say(after, AttendantMenu())
    refused = Refused("restricted", product.restriction, product.name)
    return Step(replace(after, prompt=refused), (do.CallStaff("restricted"),))


class Opening(Protocol):
    """What an event must tell that opens a sale."""

    @property
    def sale_id(self) -> str: ...
    @property
    def catalogue_version(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def wall_ms(self) -> int: ...


def open_sale(state: State, event: Opening, language: str = "") -> Sale:
    return Sale(
        sale_id=event.sale_id,
        sale_no=state.next_sale_no,
        kind="sale",
        state="open",
        currency=state.shop.currency,
        prices_include_tax=state.shop.prices_include_tax,
        rounding_rule=state.shop.rounding_rule,
        catalogue_version=event.catalogue_version,
        language=language or event.language,
        opened_wall_ms=event.wall_ms,
    )


def _line(sale: Sale, product: Product, event: on.ItemScanned, line_id: str, parent: str = "") -> Line:
    return make_line(
        product,
        line_id=line_id,
        currency=sale.currency,
        catalogue_version=event.catalogue_version,
        aim="" if parent else event.aim,
        parent=parent,
    )


def _awake(state: State) -> State:
    return replace(state, stage="scanning") if state.stage in ("idle", "choosing") else state


def _say(state: State, prompt: Prompt) -> Step:
    return Step(replace(state, prompt=prompt))
