"""Every basket, total, receipt and print made again from the journal alone, and compared with what was sealed.

The records' events are stepped through the core as the lane stepped them; what the lane sealed then (the whole sale,
the number series, the charges it sent, the issued document, the digest of the printed bytes) must come out the same.
Verification of hashes and signatures is `kiosk.journal.verify`'s business: run it first.

A sale of another software version is made again by this version's logic; a difference is told with the version that
sealed it. What names no rules (`lane.restarted` before they were recorded), or no known catalogue, is counted as not
provable, never as right.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from kiosk.core import effects as do
from kiosk.core import events as on
from kiosk.core.checkout import step
from kiosk.core.closing import sealed
from kiosk.core.entry import Entry as Body
from kiosk.core.lasting import lasting, with_lasting
from kiosk.core.state import Shop, State, fresh
from kiosk.journal.verify import Entry
from kiosk.receipt.blocks import DocumentError, from_json, to_json
from kiosk.receipt.document import compose
from kiosk.receipt.escpos import encode
from kiosk.records.journal import BadRecord, Record, decode
from kiosk.records.lifecycle import read_epoch
from kiosk.records.sale import Currency, Product

_NO_SHOP = Shop("", (), "", Currency("XXX", 0), True, "", ("en",), "en", "")  # noqa: FBT003
_TYPES = frozenset(str(event.__struct_config__.tag) for event in get_args(on.Durable))
MAX_DIFFERENCES = 1000
Range = tuple[tuple[int, int], tuple[int, int]]
"""Epoch and number of the first and the last record that a gap record declares."""

Products = Callable[[str, str], Product | None]
"""(catalogue version, code) to the product. Raises LookupError for a version that is not at hand."""


@dataclass(frozen=True)
class Difference:
    """`what` is a stable word: `unreadable`, `numbers`, `sale`, `charge`, `receipt`, `print`, `product`. `sealed` and
    `rebuilt` are short texts for people, `software` sealed it."""

    ep: int
    seq: int
    what: str
    sealed: str
    rebuilt: str
    software: str


@dataclass
class Replayed:
    """How much was made again and came out the same; `differences` has at most MAX_DIFFERENCES, `differing` counts
    all. `unprovable`: words to counts, of what the journal or this machine does not know enough of."""

    records: int = 0
    sales: int = 0
    charges: int = 0
    receipts: int = 0
    prints: int = 0
    products: int = 0
    unprovable: dict[str, int] = field(default_factory=dict)
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.differing == 0


def replay(
    entries: Iterable[Entry],
    products: Products | None = None,
    progress: Callable[[int], None] = lambda count: None,
    *,
    gaps: Iterable[Range] = (),
) -> Replayed:
    """Replay records in file order, but for those in `gaps`. Pure but for what `products` does."""
    replaying = _Replay(products, gaps)
    for entry in entries:
        replaying.take(entry)
        if replaying.result.records % 200 == 0:
            progress(replaying.result.records)
    progress(replaying.result.records)
    return replaying.result


class _Replay:
    def __init__(self, products: Products | None, gaps: Iterable[Range]) -> None:
        self.result = Replayed()
        self._gaps = tuple(gaps)
        self._place = (0, 0)
        self._products = products
        self._state: State | None = None
        self._since_rest: list[on.Any | int] = []
        """Events, and by how much the numbers went ahead between them."""
        self._at_rest: State | None = None
        """What goes on from the last sale's end: its number series and `lasting`; None: the journal does not say (yet),
        and the shop in it does not count."""
        self._jobs: dict[str, do.PrintReceipt] = {}
        self._series: object = None
        self._aside: dict[object, tuple[State | None, list[on.Any | int]]] = {}
        """Of the registers and modes that the lane was enrolled as before: they go on where they stood."""

    def take(self, entry: Entry) -> None:
        self.result.records += 1
        if self._damaged(entry):
            return
        try:
            record = decode(entry.data)
            self._go_over((record.shop, record.reg, record.mode))
            if (begun := read_epoch(record)) is not None:
                self._begin_epoch(begun.skip)
            if record.typ not in _TYPES:
                return
            body = msgspec.convert(record.body, Body)
        except (BadRecord, msgspec.ValidationError) as error:
            self._lost_sight()
            self._differ(Difference(entry.ep, entry.seq, "unreadable", "a record", str(error), ""))
            return
        event = body.event
        if isinstance(event, on.Restarted):
            self._restart(event, body)
        elif self._state is None:
            self._wait_for_rules(record.typ, body)
            return
        else:
            self._step(record, body)
        if record.typ in on.AT_REST:
            self._rest(body)
        else:
            self._since_rest.append(event)

    def _damaged(self, entry: Entry) -> bool:
        """What a gap record declares is not looked at, and after it nobody knows what the lane knew."""
        place = (entry.ep, entry.seq)
        if any(first <= place <= last for first, last in self._gaps):
            return True
        if entry.ep == self._place[0] and entry.seq != self._place[1] + 1:
            self._lost_sight()
        self._place = place
        return False

    def _begin_epoch(self, skip: int) -> None:
        """As `kiosk.lane.restore`: lost records may have used numbers, so the series go ahead."""
        if self._at_rest is None:
            return self._lost_sight()
        self._since_rest.append(skip)

    def _go_over(self, series: object) -> None:
        if series != self._series:
            self._aside[self._series] = self._at_rest, self._since_rest
            self._at_rest, self._since_rest = self._aside.pop(series, (None, []))
            self._series, self._state = series, None

    def _lost_sight(self) -> None:
        """Until the next sale is over nobody knows what the lane knew."""
        self._state, self._at_rest, self._since_rest = None, None, []
        self._aside.clear()

    def _rest(self, body: Body) -> None:
        self._since_rest, self._at_rest = [], _standing(body)
        self._jobs.clear()

    def _wait_for_rules(self, typ: str, body: Body) -> None:
        self._cannot_prove("record before the lane's rules are known")
        if typ in on.AT_REST:
            self._rest(body)

    def _restart(self, event: on.Restarted, body: Body) -> None:
        """As `kiosk.lane.restore`: what came since the last rest, by the rules of the process that came up."""
        if event.shop is None:
            self._lost_sight()
            self._cannot_prove("start of the lane without its rules")
            return
        if self._at_rest is None and self._since_rest:
            self._lost_sight()
        if self._at_rest is None:
            self._at_rest = _standing(body)
        state = self._came_up(self._at_rest, event.shop)
        # An enrolment may have moved the series on, since another device sold in between; never back.
        sales, receipts = body.next_sale_no - state.next_sale_no, body.next_receipt_no - state.next_receipt_no
        if max(sales, receipts) > 0:
            rest = self._at_rest
            self._at_rest = replace(
                rest,
                next_sale_no=rest.next_sale_no + max(sales, 0),
                next_receipt_no=rest.next_receipt_no + max(receipts, 0),
            )
            state = self._came_up(self._at_rest, event.shop)
        self._state = step(state, event).state

    def _came_up(self, rest: State, shop: Shop) -> State:
        state = fresh(shop)
        state = replace(state, next_sale_no=rest.next_sale_no, next_receipt_no=rest.next_receipt_no)
        state = with_lasting(state, lasting(rest))
        for earlier in self._since_rest:
            state = _skipped(state, earlier) if isinstance(earlier, int) else step(state, earlier).state
        return state

    def _step(self, record: Record, body: Body) -> None:
        before, event = self._state, body.event
        assert before is not None
        taken = step(before, event)
        self._state = after = taken.state
        tell = _Teller(self, record)
        tell.compare("numbers", _numbers(body), _numbers(after))
        rebuilt = sealed(before, event, after)
        if rebuilt is not None or body.sale is not None:
            self.result.sales += tell.compare("sale", body.sale, rebuilt)
        charges = [effect for effect in taken.effects if isinstance(effect, do.Charge)]
        sent = [effect for effect in body.effects if isinstance(effect, do.Charge)]
        if charges or sent:
            self.result.charges += tell.compare("charge", sent, charges)
        self._jobs |= {effect.job_id: effect for effect in taken.effects if isinstance(effect, do.PrintReceipt)}
        match event:
            case on.ItemScanned():
                self._product(tell, event)
            case on.ReceiptChosen() if before.receipt is None and before.sale is not None:
                self._receipt(tell, before, event)
            case on.ReceiptPrintEnded():
                self._print(tell, event)
            case _:
                pass

    def _product(self, tell: "_Teller", event: on.ItemScanned) -> None:
        if self._products is None:
            return
        for sold in (event.product, event.deposit):
            if sold is None:
                continue
            try:
                listed = self._products(event.catalogue_version, sold.code)
            except LookupError:
                self._cannot_prove(f"product of catalogue {event.catalogue_version}, which is not here")
            else:
                self.result.products += tell.compare("product", sold, listed)

    def _receipt(self, tell: "_Teller", state: State, event: on.ReceiptChosen) -> None:
        assert state.sale is not None
        try:
            issued = from_json(event.document)
        except DocumentError as error:
            self._cannot_prove(str(error)[:120])
            return
        again = compose(
            state.sale, state.shop, issued.language, issued_wall_ms=issued.issued_wall_ms, tzo_min=issued.tzo_min
        )
        self.result.receipts += tell.compare("receipt", event.document, to_json(again))

    def _print(self, tell: "_Teller", event: on.ReceiptPrintEnded) -> None:
        job = self._jobs.get(event.job_id)
        if event.job is None or job is None:
            if event.outcome == "printed":
                self._cannot_prove("print without a digest")
            return
        try:
            data = encode(from_json(job.document), event.job, copy=job.copy)
        except (DocumentError, ValueError) as error:
            self._cannot_prove(str(error)[:120])
            return
        self.result.prints += tell.compare("print", event.job.sha256, sha256(data).hexdigest())

    def _cannot_prove(self, why: str) -> None:
        if why in self.result.unprovable or len(self.result.unprovable) < MAX_DIFFERENCES:
            self.result.unprovable[why] = self.result.unprovable.get(why, 0) + 1

    def _differ(self, difference: Difference) -> None:
        self.result.differing += 1
        if len(self.result.differences) < MAX_DIFFERENCES:
            self.result.differences.append(difference)


def _standing(body: Body) -> State:
    """What a record tells of the state beside its sale, over a shop that means nothing."""
    state = replace(fresh(_NO_SHOP), next_sale_no=body.next_sale_no, next_receipt_no=body.next_receipt_no)
    return state if body.lasting is None else with_lasting(state, body.lasting)


def _skipped(state: State, skip: int) -> State:
    return replace(state, next_sale_no=state.next_sale_no + skip, next_receipt_no=state.next_receipt_no + skip)


def _numbers(stand: Body | State) -> dict[str, int]:
    return {"next_sale_no": stand.next_sale_no, "next_receipt_no": stand.next_receipt_no}


class _Teller:
    """Compares on behalf of one record."""

    def __init__(self, replaying: _Replay, record: Record) -> None:
        self._replaying, self._record = replaying, record

    def compare(self, what: str, was: Any, now: Any) -> bool:
        if was == now:
            return True
        left, right = _first_difference(msgspec.to_builtins(was), msgspec.to_builtins(now), what)
        record = self._record
        self._replaying._differ(Difference(record.ep, record.seq, what, left, right, record.sw))
        return False


def _first_difference(was: Any, now: Any, path: str) -> tuple[str, str]:
    """The innermost place where two plain values part, with its path."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                return _first_difference(was.get(key), now.get(key), f"{path}.{key}")
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (left, right) in enumerate(zip(was, now, strict=True)):
            if left != right:
                return _first_difference(left, right, f"{path}[{number}]")
    return f"{path} = {_short(was)}", f"{path} = {_short(now)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else f"{text[:117]}…"
