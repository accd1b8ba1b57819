"""Sealed daily segments: each can be verified alone, by a third party with public keys."""

import json
from pathlib import Path

import pytest

from kiosk.journal.store import Journal
from tests.core.journal.lane import TestLane, fill
from tests.core.journal.mending import edit, mended, spoil
from tests.core.journal.test_keys import pair
from tests.core.journal.test_main import Days, _run
from tests.core.journal.test_main import enrolled as enrolled


@pytest.fixture
def exported(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> Path:
    """Four days of four records. On the first the journal key changes; the second and the last are counter-signed up to
    their third record; a record of the third is damaged, which the fourth declares."""
    for file in (*enrolled.folder.glob("journal.db*"), enrolled.folder / "anchor"):
        file.unlink()
    second, stamp = pair(enrolled, 77), Days()
    with enrolled.open(stamp=stamp) as journal:
        fill(journal, 1)
        journal.rotate(second)
        fill(journal, 5)
        _countersigned(enrolled, journal)
        fill(journal, 5)
    edit(enrolled, spoil(10))
    with mended(enrolled, stamp=stamp, key=second[0], certificate=second[1]) as journal:
        fill(journal, 2)
        _countersigned(enrolled, journal)
        fill(journal, 1)
    folder = enrolled.folder / "out"
    assert _run(capsys, "export", enrolled.path, "--out", folder)[0] == 0
    return folder


def _countersigned(lane: TestLane, journal: Journal) -> None:
    journal.acknowledge(lane.acknowledgement(journal.head()))


SEGMENTS = {
    "segment-1-1-4.ndjson": (0, "records 1 to 4 verify, never counter-signed"),
    "segment-1-5-8.ndjson": (0, "records 5 to 8 verify, counter-signed up to 7"),
    "segment-1-9-12.ndjson": (3, "records 10 to 10: declared by record 13"),
    "segment-1-13-16.ndjson": (0, "counter-signed up to 15"),
}


def test_each_day_verifies_alone(
    exported: Path, enrolled: TestLane, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sorted(file.name for file in exported.glob("segment*")) == sorted(SEGMENTS)
    for name, (code, said) in SEGMENTS.items():
        alone = tmp_path / name / name
        alone.parent.mkdir()
        (alone.parent / "manifest.json").write_bytes((exported / "manifest.json").read_bytes())
        alone.write_bytes((exported / name).read_bytes())
        found, out, err = _run(capsys, "verify", alone, "--keys", enrolled.folder)
        assert (found, said in out) == (code, True), out + err
    assert _run(capsys, "verify", exported, "--keys", enrolled.folder)[0] == 3


def test_the_counter_signature_of_each_day_is_kept_for_good(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    held = {s["file"]: (s["acknowledgement"] or {"hwm": 0})["hwm"] for s in manifest["segments"]}
    assert list(held.values()) == [0, 7, 0, 15]


def test_a_day_made_anew_with_the_stolen_journal_key_is_found_by_its_counter_signature(
    exported: Path, enrolled: TestLane, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    manifest["segments"][1]["acknowledgement"]["hash"] = "0" * 64
    (exported / "manifest.json").write_text(json.dumps(manifest))
    code, out, _ = _run(capsys, "verify", exported / "segment-1-5-8.ndjson", "--keys", enrolled.folder)
    assert (code, "record 7" in out, "bad_acknowledgement" in out) == (1, True, True)


def test_a_single_day_brings_its_keys_and_gaps(
    enrolled: TestLane, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, day in enumerate(("2026-11-21", "2026-11-22", "2026-11-23")):
        folder = enrolled.folder / day
        assert _run(capsys, "export", enrolled.path, "--out", folder, "--day", day)[0] == 0
        assert _run(capsys, "verify", folder, "--keys", enrolled.folder)[0] == (3 if number == 1 else 0)


def test_a_segment_that_the_manifest_does_not_name_gets_one_clear_line(
    exported: Path, enrolled: TestLane, capsys: pytest.CaptureFixture[str]
) -> None:
    (exported / "other.ndjson").write_text("")
    code, out, err = _run(capsys, "verify", exported / "other.ndjson", "--keys", enrolled.folder)
    assert (code, out) == (2, "")
    assert "names no segment 'other.ndjson'" in err


def test_a_tampered_row_in_a_gap_is_found_in_the_segment_too(
    exported: Path, enrolled: TestLane, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = exported / "segment-1-9-12.ndjson"
    segment.write_text(segment.read_text().replace("SYNC", "sinc"))
    code, out, _ = _run(capsys, "verify", segment, "--keys", enrolled.folder)
    assert (code, "gap_changed" in out) == (1, True)
