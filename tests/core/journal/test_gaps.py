"""Declared gaps: the smallest range is named, exactly that is stepped over, and a lying gap record is found out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.journal.errors import Damaged
from kiosk.journal.source import Source
from kiosk.journal.verify import Entry, Keys, Report, verify
from kiosk.records.gap import GAP, Gap, rows_digest
from kiosk.records.identity import identity_public
from kiosk.records.journal import Head, decode, leaf_hash, sign
from tests.core.journal.lane import CUSTOMER, TestLane, fill
from tests.core.journal.mending import AT, drop, edit, mended, spoil
from tests.core.journal.test_main import _run as run_tool
from tests.core.journal.test_main import enrolled as enrolled


def verified(lane: TestLane) -> Report:
    keys = Keys(identity_public(lane.identity), lane.cosign.public_key(), lane.dev)
    with Source(lane.path) as source:
        return verify(
            source.entries(),
            source.certificates,
            source.acknowledgements,
            keys,
            candidates=source.candidates,
            named=source.named_keys(),
        )


RANGES: dict[str, tuple[list[str], list[tuple[int, int, str]]]] = {
    "one record changed": ([spoil(5)], [(5, 5, "bad_signature")]),
    "one record missing": ([drop(5)], [(5, 5, "gap")]),
    "three in a row, each otherwise": ([drop(4), spoil(5), f"UPDATE records SET data = x'00ff' WHERE place = {AT + 6}"],
                                       [(4, 6, "gap")]),
    "a signature emptied": ([f"UPDATE records SET signature = x'' WHERE place = {AT + 5}"], [(5, 5, "bad_signature")]),
    "the first record missing": ([drop(1)], [(1, 1, "gap")]),
    "two swapped": (
        [
            f"UPDATE records SET place = 1 WHERE place = {AT + 5}",
            f"UPDATE records SET place = {AT + 5} WHERE place = {AT + 6}",
            f"UPDATE records SET place = {AT + 6} WHERE place = 1",
        ],
        [(5, 6, "gap")],
    ),
    "two places": ([spoil(3), drop(7), drop(8)], [(3, 3, "bad_signature"), (7, 8, "gap")]),
    "the last record": ([spoil(10)], [(10, 10, "bad_signature")]),
    "the middle and the last two": ([spoil(3), spoil(9), spoil(10)],
                                    [(3, 3, "bad_signature"), (9, 10, "bad_signature")]),
    "an acknowledged record": ([spoil(2)], [(2, 2, "bad_signature")]),
}  # fmt: skip


@pytest.mark.parametrize("case", RANGES)
def test_exactly_the_damaged_records_are_stepped_over(lane: TestLane, case: str) -> None:
    with lane.open() as journal:
        heads = fill(journal, 10)
    statements, expected = RANGES[case]
    edit(lane, *statements)
    with mended(lane) as journal:
        assert journal.head().seq == 10 + len(expected), "a gap record for each"
        fill(journal, 2)
        lost = {seq for first, last, _ in expected for seq in range(first, last + 1)}
        read = [record.seq for record in journal.backward()]
        assert read == [seq for seq in range(12 + len(expected), 0, -1) if seq not in lost]
    report = verified(lane)
    assert report.bad is None
    assert [(gap.first_seq, gap.last_seq, gap.kind) for gap in report.gaps] == expected
    assert report.epochs[0].records == 12 + len(expected) - len(lost)
    with mended(lane) as journal:
        assert journal.head().seq == 12 + len(expected), "declared once"
        gaps = [record.body for record in journal.backward() if record.typ == GAP]
    assert {gap["before"] for gap in gaps} == {
        heads[first - 2].hash if first > 1 else "0" * 64 for first, _, _ in expected
    }


def test_nothing_in_the_range_is_changed_or_deleted(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 4)
    edit(lane, spoil(2))
    with Source(lane.path) as source:
        before = list(source.entries())
    mended(lane).close()
    with Source(lane.path) as source:
        assert list(source.entries())[:4] == before


def test_damage_before_the_last_acknowledgement_is_declared_when_the_end_of_it_is_hit(lane: TestLane) -> None:
    """What lies far before it was verified by the backend, and is the verifier's to find."""
    with lane.open() as journal:
        heads = fill(journal, 6)
        journal.acknowledge(lane.acknowledgement(heads[4]))
    edit(lane, spoil(3), spoil(5))
    with mended(lane) as journal:
        assert [record.seq for record in journal.backward()] == [8, 7, 6, 4, 2, 1]
        gap = next(record.body for record in journal.backward() if record.body.get("first") == 5)
        assert gap["after_prev"] == heads[4].hash


def test_a_file_without_leave_to_mend_is_refused(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 4)
    edit(lane, spoil(2))
    with pytest.raises(Damaged):
        lane.open()
    mended(lane).close()
    with lane.open() as journal:
        assert journal.head().seq == 5, "a declared gap is no damage any more"


def test_a_changed_byte_inside_a_declared_gap_is_found(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 5)
    edit(lane, spoil(2), spoil(3))
    mended(lane).close()
    edit(lane, f"UPDATE records SET data = x'22' WHERE place = {AT + 3}")
    bad = verified(lane).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (2, "gap_changed")


# A thief with the journal key, or a lane with a mistake


def _forged(lane: TestLane, make: Callable[[list[Entry], list[Head]], dict[str, Any]], seed: int = 1) -> Report:
    """Five records, of which the second is damaged, and a gap record as `make` would have it."""
    with lane.open() as journal:
        heads = fill(journal, 5)
    edit(lane, spoil(2))
    with Source(lane.path) as source:
        entries = list(source.entries())
    body = make(entries, heads)
    copy = replace_folder(lane)
    with copy.open() as journal:
        fill(journal, 5)
        journal.append(GAP, body, CUSTOMER)
        batch = journal.read(1, 5, 1, 1)
    signature = batch.signature
    if seed != 1:
        signature = sign(lane.key(seed), leaf_hash(batch.records[0]))
    entries.append(Entry(1, 6, batch.records[0], signature))
    keys = Keys(identity_public(lane.identity), lane.cosign.public_key(), lane.dev)
    return verify(entries, {1: lane.certificate()}, {}, keys, candidates=lambda: entries[5:])


def replace_folder(lane: TestLane) -> TestLane:
    folder = lane.folder / "other"
    folder.mkdir()
    return replace(lane, folder=folder)


def _gap(begin: int, end: int, entries: list[Entry], heads: list[Head], **changes: Any) -> dict[str, Any]:
    rows = [(e.seq, e.data, e.signature) for e in entries if begin <= e.seq <= end]
    body = {
        "ep": 1,
        "first": begin,
        "last": end,
        "before": heads[begin - 2].hash,
        "after_prev": heads[end - 1].hash,
        "sha256": rows_digest(rows),
        "kind": "bad_signature",
        "why": "",
    }
    return body | changes


FORGERIES: dict[str, tuple[Callable[[list[Entry], list[Head]], dict[str, Any]], int, tuple[int, str] | None]] = {
    "honest": (lambda e, h: _gap(2, 2, e, h), 1, None),
    "by another key": (lambda e, h: _gap(2, 2, e, h), 9, (2, "bad_signature")),
    "too large": (lambda e, h: _gap(2, 4, e, h), 1, (3, "gap_too_large")),
    "beginning too early": (lambda e, h: _gap(2, 2, e, h, first=1, before="0" * 64), 1, (2, "bad_signature")),
    "of other bytes": (lambda e, h: _gap(2, 2, e, h, sha256="a" * 64), 1, (2, "gap_changed")),
    "after another record": (lambda e, h: _gap(2, 2, e, h, before="a" * 64), 1, (2, "bad_signature")),
    "before another record": (lambda e, h: _gap(2, 2, e, h, after_prev="a" * 64), 1, (3, "broken_chain")),
    "of the future": (lambda e, h: _gap(2, 2, e, h, last=9), 1, (2, "bad_signature")),
    "of another epoch": (lambda e, h: _gap(2, 2, e, h, ep=7), 1, (2, "bad_signature")),
    "backwards": (lambda e, h: _gap(2, 2, e, h, first=3), 1, (2, "bad_signature")),
    "of a whole record": (lambda e, h: _gap(4, 4, e, h), 1, (2, "bad_signature")),
    "no gap record at all": (lambda e, h: {"first": "x"}, 1, (2, "bad_signature")),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_a_lying_gap_record_is_found_out(lane: TestLane, case: str) -> None:
    make, seed, expected = FORGERIES[case]
    bad = _forged(lane, make, seed).bad
    assert (None if bad is None else (bad.seq, bad.kind)) == expected


def test_a_gap_record_over_whole_records_is_named(lane: TestLane) -> None:
    with lane.open() as journal:
        heads = fill(journal, 3)
        with Source(lane.path) as source:
            entries = list(source.entries())
        journal.append(GAP, _gap(2, 2, entries, heads), CUSTOMER)
    bad = verified(lane).bad
    assert bad is not None
    assert (bad.seq, bad.kind) == (4, "gap_unfounded")


def test_verify_and_export_tell_of_gaps(enrolled: TestLane, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    edit(enrolled, spoil(8), f"UPDATE records SET data = x'ff00' WHERE place = {AT + 9}")
    mended(enrolled).close()
    code, out, _ = run_tool(capsys, "verify", enrolled.path, "--keys", enrolled.folder)
    assert code == 3
    assert "GAP: epoch 1, records 8 to 9: declared by record 11 of epoch 1" in out
    assert "OK, WITH GAPS: 9 records" in out
    code, out, _ = run_tool(capsys, "verify", enrolled.path, "--keys", enrolled.folder, "--json")
    answer = json.loads(out)
    assert (code, answer["ok"], answer["gaps"][0]["first_seq"], answer["gaps"][0]["last_seq"]) == (3, True, 8, 9)
    folder = tmp_path / "out"
    assert run_tool(capsys, "export", enrolled.path, "--out", folder)[0] == 0
    code, out, _ = run_tool(capsys, "verify", folder, "--keys", enrolled.folder)
    assert (code, "records 8 to 9: declared by record 11" in out) == (3, True)
    assert run_tool(capsys, "replay", folder)[0] == 0
    [segment] = folder.glob("segment-*")
    segment.write_text(segment.read_text().replace("/wA=", "/wE="))
    code, out, _ = run_tool(capsys, "verify", folder, "--keys", enrolled.folder)
    assert (code, "gap_changed" in out) == (1, True)


def test_a_gap_is_read_as_it_was_written(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 4)
    edit(lane, drop(2))
    with mended(lane) as journal:
        batches = [journal.read(1, after, 10, 1 << 20) for after in (0, 1, 2, 3)]
    assert [(batch.first_seq, len(batch.records), batch.gap is not None) for batch in batches] == [
        (1, 1, False),
        (3, 3, True),
        (3, 3, True),
        (4, 2, False),
    ]
    notice = batches[1].gap
    assert notice is not None
    record = decode(notice.record.encode())
    assert (record.typ, record.seq, notice.damaged) == (GAP, 5, ())
    assert Gap(**record.body).last == 2
