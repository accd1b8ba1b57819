"""A journal made again by the core: what was sealed comes out the same, and what was not is named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from kiosk.core import events as on
from kiosk.core.checkout import is_recorded, step
from kiosk.core.closing import sealed
from kiosk.core.entry import entry
from kiosk.core.state import State
from kiosk.journal import main as tool
from kiosk.journal.replay import Replayed, replay
from kiosk.journal.source import Source
from kiosk.journal.store import Journal
from kiosk.receipt.blocks import from_json, to_json
from kiosk.receipt.document import compose
from kiosk.receipt.escpos import encode
from kiosk.receipt.paper import PAPER_80
from kiosk.records.catalogue import build_db
from kiosk.records.manifest import Manifest
from kiosk.records.sale import Currency, Fiscal, Product, Sale
from tests.core.checkout.script import CARD, PANT, SHOP, Script, product
from tests.core.journal.lane import CUSTOMER, TestLane

COFFEE = product("05712345678913", 2995)


class Recorded:
    """A lane that steps the core and journals as the interpreter does. `forge` may change a body before it is signed:
    what a lane with another logic, or a thief with its key, would have sealed."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.state = Script().state
        self.forge: dict[str, Any] = {}
        self.play(on.Restarted("kassa 0.1.0", SHOP))

    def play(self, *events: on.Any) -> None:
        for event in events:
            before = self.state
            taken = step(before, event)
            self.state = taken.state
            if is_recorded(before, event, taken):
                assert isinstance(event, on.Durable)
                body = entry(event, taken.effects, taken.state, sealed(before, event, taken.state))
                typ = str(type(event).__struct_config__.tag)
                changed = {name: change for place, (name, change) in self.forge.items() if place == typ}
                body = replace(body, **{name: change(getattr(body, name)) for name, change in changed.items()})
                self.journal.append(typ, body, CUSTOMER)

    def sells(self, n: int, *items: Product, how: str = "print") -> None:
        """A whole sale, from the first scan to the next customer."""
        for k, item in enumerate(items):
            deposit = PANT if item is COFFEE else None
            self.play(on.ItemScanned(item, deposit, "]E0", f"l{n}-{k}", f"d{n}-{k}", f"s{n}", "v1", "da", 1000 * n + k))
        self.pays(n)
        self.leaves(n, how)

    def pays(self, n: int) -> None:
        assert self.state.sale is not None
        tender, due = f"t{n}", self.state.sale.total_minor
        self.play(on.PayTouched(), on.PayChosen(tender), on.TerminalPrepared(tender, "witness"), on.ChargeSent(tender))
        self.play(on.PaymentApproved(tender, 7, due, "DKK", CARD), on.PaymentEnded(tender, "stands", ["KORT"]))
        self.play(on.Fiscalised(Fiscal("none")), on.SaleClosed(1000 * n + 500))

    def leaves(self, n: int, how: str) -> None:
        assert self.state.sale is not None
        document = to_json(compose(self.state.sale, SHOP, "da", issued_wall_ms=1000 * n + 600, tzo_min=60))
        if how == "print":
            data = encode(from_json(document), PAPER_80, copy=False)
            job = on.PrintedJob(
                sha256(data).hexdigest(),
                PAPER_80.dots,
                PAPER_80.columns,
                list(PAPER_80.code_pages),
                PAPER_80.cutter,
                PAPER_80.qr,
            )
            self.play(on.ReceiptChosen("print", document, f"j{n}"), on.ReceiptPrintEnded(f"j{n}", "printed", "", job))
        else:
            self.play(on.ReceiptChosen("none", document, f"j{n}"))
        self.play(on.SaleFinished())

    def restarts(self, shop: Any = SHOP) -> None:
        """kill -9 and up again: what the journal does not hold is gone."""
        kept = State(shop=shop, language="da", next_sale_no=self._rest[0], next_receipt_no=self._rest[1])
        for event in self._since_rest():
            kept = step(kept, event).state
        self.state = replace(kept, health=self.state.health, catalogue=self.state.catalogue)
        self.play(on.Restarted("kassa 0.1.0", shop))

    def _since_rest(self) -> list[on.Any]:
        events: list[on.Any] = []
        self._rest = (1, 1)
        for record in self.journal.backward():
            if record.typ in on.AT_REST:
                self._rest = (record.body["next_sale_no"], record.body["next_receipt_no"])
                break
            events.append(msgspec.convert(record.body["event"], on.Durable))  # type: ignore[call-overload]
        return events[::-1]


@contextmanager
def recorded(lane: TestLane) -> Iterator[Recorded]:
    with lane.open() as journal:
        yield Recorded(journal)


def replayed(lane: TestLane, **options: Any) -> Replayed:
    with Source(lane.path) as source:
        return replay(source.entries(), **options)


def test_sales_receipts_and_prints_come_out_as_they_were_sealed(lane: TestLane) -> None:
    with recorded(lane) as till:
        till.sells(1, product(), COFFEE)
        till.sells(2, COFFEE, COFFEE, how="none")
    result = replayed(lane)
    assert result.differences == []
    assert (result.sales, result.charges, result.receipts, result.prints) == (2, 2, 2, 1)
    assert result.unprovable == {}


def test_a_sale_over_a_restart_comes_out_the_same(lane: TestLane) -> None:
    with recorded(lane) as till:
        till.sells(1, product())
        till.play(on.ItemScanned(COFFEE, PANT, "]E0", "l2", "d2", "s2", "v1", "da", 2000))
        till._since_rest()
        till.restarts()
        till.play(on.ItemScanned(product(), None, "]E0", "l3", "d3", "s2", "v1", "da", 2001))
        till.pays(2)
        till.leaves(2, "print")
    result = replayed(lane)
    assert result.differences == []
    assert result.sales == 2


def _cheaper(sale: Sale | None) -> Sale | None:
    return None if sale is None else replace(sale, total_minor=sale.total_minor - 1)


def _other_document(event: on.ReceiptChosen) -> on.ReceiptChosen:
    return replace(event, document=event.document.replace("Havnens", "Havnent"))


def _other_print(event: on.ReceiptPrintEnded) -> on.ReceiptPrintEnded:
    assert event.job is not None
    return replace(event, job=replace(event.job, sha256="0" * 64))


FORGED = {
    "a total": ("sale.closed", "sale", _cheaper, "sale", "sale.total_minor = 1249", "sale.total_minor = 1250"),
    "a receipt": ("receipt.issued", "event", _other_document, "receipt", "Havnent", "receipt = "),
    "printed bytes": ("receipt.printed", "event", _other_print, "print", "print = 0000", "print = "),
    "a charge": ("payment.intent", "effects", lambda _: [], "charge", "charge = []", "charge = [{"),
    "a number": (
        "sale.closed",
        "next_receipt_no",
        lambda n: n + 1,
        "numbers",
        "next_receipt_no = 3",
        "next_receipt_no = 2",
    ),
}


@pytest.mark.parametrize(("typ", "field", "change", "what", "was", "now"), FORGED.values(), ids=FORGED)
def test_what_was_sealed_otherwise_is_named(
    lane: TestLane, typ: str, field: str, change: Any, what: str, was: str, now: str
) -> None:
    with recorded(lane) as till:
        till.forge = {typ: (field, change)}
        till.sells(1, product())
    result = replayed(lane)
    assert not result.ok
    first = result.differences[0]
    assert first.what == what
    assert was in first.sealed or what == "receipt"
    assert now in first.rebuilt
    with Source(lane.path) as source:
        entries = {entry.seq: entry for entry in source.entries()}
    assert f'"typ":"{typ}"'.encode() in entries[first.seq].data


def test_what_the_journal_does_not_tell_is_said_and_never_right(lane: TestLane) -> None:
    with lane.open() as journal:
        till = Recorded.__new__(Recorded)
        till.journal, till.state, till.forge = journal, Script().state, {}
        till.play(on.Restarted("kassa 0.0.9"))
        till.sells(1, product())
        till.play(on.Restarted("kassa 0.1.0", SHOP))
        till.sells(2, product())
    result = replayed(lane)
    assert result.ok
    assert result.sales == 1
    assert result.unprovable["start of the lane without its rules"] == 1
    assert result.unprovable["record before the lane's rules are known"] >= 8


def test_products_are_compared_with_the_catalogue_version_that_the_sale_names(lane: TestLane) -> None:
    with recorded(lane) as till:
        till.sells(1, product(), COFFEE)

    def listed(version: str, code: str) -> Product | None:
        assert version == "v1"
        return {PANT.code: PANT, COFFEE.code: replace(COFFEE, price_amount=1)}.get(code)

    result = replayed(lane, products=listed)
    assert [(d.what, d.sealed.split(" =")[0]) for d in result.differences] == [
        ("product", "product"),
        ("product", "product.price_amount"),
    ]
    assert result.products == 1


def test_the_command_says_it_and_exits_by_it(
    lane: TestLane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(lane) as till:
        till.sells(1, product(), COFFEE)
    folder = tmp_path / "catalogue"
    folder.mkdir()
    goods = sorted([product(), COFFEE, PANT], key=lambda item: item.code)
    manifest = Manifest("v1", 1, "s1", Currency("DKK", 2), True, len(goods), 1, "", 0, 0)
    build_db(goods, manifest, folder / "catalogue-v1.db")
    assert _run(capsys, "replay", lane.path, "--catalogues", folder) == (
        0,
        "OK: 13 records replayed; the same as sealed: 1 sales, 1 charges, 1 receipts, 1 prints, 3 products\n",
    )
    code, out = _run(capsys, "replay", lane.path, "--json", "--catalogues", tmp_path)
    answer = json.loads(out)
    assert (code, answer["ok"], answer["sales"]) == (0, True, 1)
    assert sum(answer["unprovable"].values()) == 3
    out_folder = tmp_path / "export"
    assert _run(capsys, "export", lane.path, "--out", out_folder)[0] == 0
    assert _run(capsys, "replay", out_folder)[0] == 0


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        tool.main([str(argument) for argument in arguments])
    return int(str(caught.value.code)), capsys.readouterr().out
