"""Products into the basket, and what is said when one cannot go there."""

from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.basket import has_room, make_line, with_lines
from kiosk.core.closing import next_customer
from kiosk.core.state import ItemNotFound, NotForSale, Prompt, Refused, ScanNotNow, State
from kiosk.core.steps import Step, stay
from kiosk.records.sale import Line, Product, Sale

MAX_SHOWN = 32


def item(state: State, event: on.ItemScanned) -> Step:
    language = event.language
    if state.stage == "thanks":
        state = next_customer(state)
        language = state.language
    if state.stage not in ("idle", "scanning", "choosing"):
        return _say(state, ScanNotNow())
    product = event.product
    if product.restriction:
        return _say(_awake(state), Refused("restricted", product.restriction, product.name))
    if product.code_kind != "gtin" or product.unit != "each" or product.kind != "item":
        return _say(_awake(state), NotForSale(product.name))
    sale = state.sale if state.sale is not None else _open(state, event, language)
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


def unknown(state: State, event: on.UnknownScanned) -> Step:
    if state.stage not in ("idle", "scanning", "choosing"):
        return stay(state) if state.stage == "thanks" else _say(state, ScanNotNow())
    shown = "".join(c if c.isprintable() else " " for c in event.text[: 4 * MAX_SHOWN])
    shown = " ".join(shown.split())
    if len(shown) > MAX_SHOWN:
        shown = shown[: MAX_SHOWN - 1] + "…"
    return _say(_awake(state), ItemNotFound(shown, event.why))


def remove(state: State, event: on.RemoveTouched) -> Step:
    """A void needs a member of staff, and says so."""
    if state.sale is None or state.stage not in ("scanning", "choosing"):
        return stay(state)
    line = next((line for line in state.sale.lines if line.line_id == event.line_id), None)
    if line is None:
        return stay(state)
    return _say(state, Refused("void", "", line.name))


def _open(state: State, event: on.ItemScanned, language: str) -> Sale:
    return Sale(
        sale_id=event.sale_id,
        sale_no=state.next_sale_no,
        kind="sale",
        state="open",
        currency=state.shop.currency,
        prices_include_tax=state.shop.prices_include_tax,
        rounding_rule=state.shop.rounding_rule,
        catalogue_version=event.catalogue_version,
        language=language,
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
