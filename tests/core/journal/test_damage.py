"""Rot and truncation of the files: refused with a name or cut rightly, and nothing discarded."""

import shutil
import struct
from pathlib import Path

import apsw
import pytest

from kiosk.journal import database, wal
from kiosk.journal.anchor import SLOT_BYTES, Anchor
from kiosk.journal.errors import Damaged, JournalError
from kiosk.journal.source import BrokenOff, Source
from kiosk.records.journal import Head
from tests.core.journal.forge import drop_triggers
from tests.core.journal.lane import CUSTOMER, TestLane, fill

RECORDS = 5
FRAME = 24 + 1024


@pytest.fixture
def killed(tmp_path: Path) -> TestLane:
    """The files of a process that was killed: every record is still in the write-ahead log."""
    before = TestLane(tmp_path / "before")
    before.folder.mkdir()
    after = TestLane(tmp_path / "after")
    with before.open() as journal:
        fill(journal, RECORDS)
        shutil.copytree(before.folder, after.folder)
    (after.folder / "journal.db-shm").unlink()
    return after


def _log(lane: TestLane) -> Path:
    return database.wal_path(lane.path)


def _frames(lane: TestLane) -> int:
    """How many frames of the log belong to its present generation."""
    raw = _log(lane).read_bytes()
    salts = raw[16:24]
    count = 0
    while raw[32 + count * FRAME + 8 : 32 + count * FRAME + 16] == salts:
        count += 1
    return count


def _flip(path: Path, at: int) -> bytes:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x10
    path.write_bytes(raw)
    return bytes(raw)


def test_a_killed_process_loses_nothing(killed: TestLane) -> None:
    assert _frames(killed) > RECORDS
    with killed.open() as journal:
        assert journal.head().seq == RECORDS


@pytest.mark.parametrize("part", ["salt", "checksum", "page"])
def test_rot_anywhere_in_the_log_is_refused_and_nothing_changed(killed: TestLane, part: str) -> None:
    offset = {"salt": 9, "checksum": 17, "page": 24 + 700}[part]
    whole = _log(killed).read_bytes()
    for frame in range(_frames(killed)):
        rotten = _flip(_log(killed), 32 + frame * FRAME + offset)
        with pytest.raises(Damaged):
            killed.open()
        assert _log(killed).read_bytes() == rotten, f"frame {frame}: the damaged log was changed"
        _log(killed).write_bytes(whole)
        (killed.folder / "journal.db-shm").unlink(missing_ok=True)
    with killed.open() as journal:
        assert journal.head().seq == RECORDS


def test_rot_in_the_middle_of_the_log_is_refused_without_an_anchor_too(killed: TestLane) -> None:
    killed.anchor_path.unlink()
    _flip(_log(killed), 32 + _frames(killed) // 2 * FRAME + 24 + 700)
    with pytest.raises(Damaged, match="middle of its write-ahead log"):
        killed.open()


def test_rot_in_the_head_of_the_log_is_refused_without_an_anchor_too(killed: TestLane) -> None:
    killed.anchor_path.unlink()
    _flip(_log(killed), 20)
    with pytest.raises(Damaged, match="header of its write-ahead log"):
        killed.open()


@pytest.mark.parametrize("salt", [8, 12])
def test_rot_in_a_salt_of_the_last_but_one_transaction_is_refused(killed: TestLane, salt: int) -> None:
    """The frame no longer says that it is of this log, but its checksum does. The anchor cannot help: what would be
    lost is an acknowledgement, and a record that it has not seen."""
    with killed.open() as journal:
        journal.acknowledge(killed.acknowledgement(journal.head()))
        acknowledged = _frames(killed)
        anchor = killed.anchor_path.read_bytes()
        fill(journal, 1, first=RECORDS + 1)
        log = bytearray(_log(killed).read_bytes())
    killed.anchor_path.write_bytes(anchor)
    log[32 + (acknowledged - 1) * FRAME + salt] ^= 0x10
    _log(killed).write_bytes(log)
    with pytest.raises(Damaged, match="middle of its write-ahead log"):
        killed.open()


def test_a_frame_torn_between_two_sectors_is_a_torn_transaction(lane: TestLane) -> None:
    """Every 64th frame's head lies over the end of a sector: the commit mark may be an older log's, and the salts of
    this one. With more frames of the same transaction after it, that looks like two transactions, the first rotten."""
    torn = next(frame for frame in range(64) if (32 + frame * FRAME + 8) % 512 == 0)
    with lane.open() as journal:
        while _frames(lane) < torn - 2:
            fill(journal, 1)
        head, anchor = journal.head(), lane.anchor_path.read_bytes()
        before = _frames(lane)
        journal.append("test.note", {"n": 0, "fill": "x" * 5000}, CUSTOMER)
        assert before <= torn < _frames(lane) - 1
        file, log = lane.path.read_bytes(), bytearray(_log(lane).read_bytes())
    log[32 + torn * FRAME : 32 + torn * FRAME + 8] = struct.pack(">2I", 9, 57)
    _log(lane).write_bytes(log)
    lane.anchor_path.write_bytes(anchor)
    lane.path.write_bytes(file)
    with lane.open() as journal:
        assert journal.head() == head


@pytest.mark.parametrize("at", [0, 32, 32 + 17, 32 + 24 + 700])
def test_looking_at_a_log_that_is_damaged_at_its_start_changes_nothing(killed: TestLane, at: int) -> None:
    """SQLite takes it for an empty one, and would delete it when the file is closed, with every record in it."""
    with killed.open() as journal:
        fill(journal, 2, first=RECORDS + 1)
    damaged = _flip(_log(killed), at)
    with Source(killed.path) as source, pytest.raises(BrokenOff):
        list(source.entries())
    assert _log(killed).read_bytes() == damaged


def test_only_a_torn_last_transaction_is_cut(killed: TestLane) -> None:
    """No anchor and no acknowledgement reach it: it had never been reported as done."""
    killed.anchor_path.unlink()
    end = 32 + _frames(killed) * FRAME
    with _log(killed).open("r+b") as file:
        file.truncate(end - 100)
    with killed.open() as journal:
        assert journal.head().seq == RECORDS - 1
        fill(journal, 1, first=RECORDS)
    with killed.open() as journal:
        assert [record.body["n"] for record in journal.tail()] == list(range(1, RECORDS + 1))


def test_every_shorter_log_is_noticed_by_the_anchor(killed: TestLane) -> None:
    whole = _log(killed).read_bytes()
    end = 32 + _frames(killed) * FRAME
    for length in range(0, end, 311):
        _log(killed).write_bytes(whole[:length])
        (killed.folder / "journal.db-shm").unlink(missing_ok=True)
        with pytest.raises(JournalError):
            killed.open()


def test_every_shorter_file_is_noticed(lane: TestLane) -> None:
    with lane.open() as journal:
        heads = fill(journal, 30)
        journal.acknowledge(lane.acknowledgement(heads[0]))
    _log(lane).unlink()
    whole = lane.path.read_bytes()
    for length in range(0, len(whole), 499):
        lane.path.write_bytes(whole[:length])
        for name in ("journal.db-shm", "journal.db-wal"):
            (lane.folder / name).unlink(missing_ok=True)
        with pytest.raises(JournalError):
            lane.open()


def test_rot_anywhere_in_the_file_is_a_journal_error_or_harmless(lane: TestLane) -> None:
    """What is rotten before the acknowledged record is the verifier's to find; the lane never crashes over it."""
    with lane.open() as journal:
        fill(journal, RECORDS)
    whole = lane.path.read_bytes()
    for at in range(0, len(whole), 173):
        for name in ("journal.db-shm", "journal.db-wal"):
            (lane.folder / name).unlink(missing_ok=True)
        raw = bytearray(whole)
        raw[at : at + 3] = b"\xff\xff\xff"
        lane.path.write_bytes(raw)
        try:
            with lane.open() as journal:
                assert journal.head().seq == RECORDS
                assert [record.body["n"] for record in journal.tail()] == list(range(1, RECORDS + 1))
        except JournalError:
            pass


def _edit(lane: TestLane, *statements: str) -> None:
    """What someone with the file and a copy of SQLite can do."""
    connection = apsw.Connection(str(lane.path))
    try:
        drop_triggers(connection)
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


_AT = 2**40
_CHANGE = "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'sync', 'SYNC') AS BLOB) WHERE place = "
EDITS: dict[str, tuple[list[str], tuple[str, int, int]]] = {
    "record edited": (
        [f"{_CHANGE}{_AT + 4}"],
        ("bad_signature", 1, 4),
    ),
    "acknowledged record edited": (
        [f"{_CHANGE}{_AT + 2}"],
        ("not_acknowledged", 1, 2),
    ),
    "record deleted": ([f"DELETE FROM records WHERE place = {_AT + 4}"], ("gap", 1, 4)),
    "tail deleted": ([f"DELETE FROM records WHERE place > {_AT + 3}"], ("cut_tail", 1, 4)),
    "tail deleted below the acknowledgement": ([f"DELETE FROM records WHERE place > {_AT + 1}"], ("cut_tail", 1, 2)),
    "signature emptied": ([f"UPDATE records SET signature = x'' WHERE place = {_AT + 5}"], ("bad_signature", 1, 5)),
    "record of garbage": ([f"UPDATE records SET data = x'00ff' WHERE place = {_AT + 5}"], ("not_canonical", 1, 5)),
    "two swapped": (
        [
            f"UPDATE records SET place = 1 WHERE place = {_AT + 3}",
            f"UPDATE records SET place = {_AT + 3} WHERE place = {_AT + 4}",
            f"UPDATE records SET place = {_AT + 4} WHERE place = 1",
        ],
        ("misplaced", 1, 3),
    ),
    "acknowledgement forged": (
        ["UPDATE acknowledgements SET acknowledgement = replace(acknowledgement, '\"hwm\":2', '\"hwm\":3')"],
        ("bad_acknowledgement", 1, 0),
    ),
    "certificate deleted": (["DELETE FROM certificates"], ("no_certificate", 1, 0)),
    "certificate of garbage": (["UPDATE certificates SET certificate = '{'"], ("bad_certificate", 1, 0)),
}


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("certificates", "certificate", "bad_certificate"),
        ("acknowledgements", "acknowledgement", "bad_acknowledgement"),
        ("records", "data", "not_canonical"),
        ("records", "signature", "bad_signature"),
    ],
)
def test_a_column_that_has_rotted_to_another_type_is_named(lane: TestLane, table: str, column: str, kind: str) -> None:
    """A strict table does not let it in; a bit changed on the disk does not ask."""
    with lane.open() as journal:
        heads = fill(journal, RECORDS)
        journal.acknowledge(lane.acknowledgement(heads[1]))
    _edit(
        lane,
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_schema SET sql = replace(replace(sql, ' STRICT', ''), ' NOT NULL', '') WHERE name = '{table}'",
        "PRAGMA writable_schema = RESET",
    )
    _edit(lane, f"UPDATE {table} SET {column} = NULL WHERE rowid IN (SELECT max(rowid) FROM {table})")
    with pytest.raises(Damaged) as caught:
        lane.open()
    assert caught.value.kind == kind


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_file_is_not_opened(lane: TestLane, case: str) -> None:
    with lane.open() as journal:
        heads = fill(journal, RECORDS)
        journal.acknowledge(lane.acknowledgement(heads[1]))
    statements, expected = EDITS[case]
    _edit(lane, *statements)
    with pytest.raises(Damaged) as caught:
        lane.open()
    assert (caught.value.kind, caught.value.ep, caught.value.seq) == expected
    assert f"record {expected[2]}" in str(caught.value) or not expected[2]


def test_a_torn_slot_leaves_the_anchor_before(lane: TestLane) -> None:
    heads = [Head("dev-1", 1, seq, f"{seq:064x}") for seq in (1, 2, 3)]
    anchor = Anchor(lane.anchor_path)
    try:
        for head in heads:
            anchor.write(head)
        assert anchor.read() == heads[2]
        _flip(lane.anchor_path, SLOT_BYTES + 20)
        assert anchor.read() == heads[1]
    finally:
        anchor.close()


def test_an_unreadable_anchor_stops_nothing(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 4)
    raw = bytearray(lane.anchor_path.read_bytes())
    raw[30] ^= 0xFF
    lane.anchor_path.write_bytes(raw)
    lane.open().close()
    lane.anchor_path.write_bytes(b"\xff" * 1024)
    lane.open().close()
    lane.anchor_path.write_bytes(b"dev-1 1 99 " + b"0" * 64 + b" 00000000")
    lane.open().close()


def test_a_rewritten_journal_is_noticed_by_the_anchor(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 3)
    for file in lane.folder.glob("journal.db*"):
        file.unlink()
    anchor = lane.anchor_path.read_bytes()
    lane.anchor_path.unlink()
    with lane.open() as journal:
        for n in range(5):
            journal.append("test.other", {"n": n}, CUSTOMER)
    lane.anchor_path.write_bytes(anchor)
    with pytest.raises(Damaged) as caught:
        lane.open()
    assert (caught.value.kind, caught.value.seq) == ("rewritten", 3)


def test_a_log_header_is_checked_by_its_own_checksum(killed: TestLane) -> None:
    header = _log(killed).read_bytes()[:32]
    assert wal.header_bytes_fit(header)
    assert struct.unpack(">I", header[8:12]) == (1024,)
    for at in range(32):
        changed = bytearray(header)
        changed[at] ^= 0x01
        assert not wal.header_bytes_fit(bytes(changed)), f"byte {at}"


def test_an_acknowledgement_that_one_bit_makes_vanish_is_missed(lane: TestLane) -> None:
    """The count of cells of the table's page: SQLite reads the table as empty, and every record still verifies."""
    with lane.open() as journal:
        heads = fill(journal, 5)
        journal.acknowledge(lane.acknowledgement(heads[-1]))
    connection = apsw.Connection(str(lane.path))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    page_bytes = int(str(connection.pragma("page_size")))
    root = int(str(connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'acknowledgements'").get))
    connection.close()
    data = bytearray(lane.path.read_bytes())
    data[(root - 1) * page_bytes + 4] ^= 1
    lane.path.write_bytes(data)
    with Source(lane.path) as source:
        assert source.acknowledgements == {}
        with pytest.raises(BrokenOff, match="its table 'acknowledgements' do not hold together"):
            list(source.entries())
