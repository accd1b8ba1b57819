"""Append, read, acknowledge, reopen; what is refused."""

import stat
from pathlib import Path

import apsw
import pytest

from kiosk.journal.errors import Damaged, Locked, Refused, WrongJournal
from kiosk.journal.source import Source
from kiosk.records.identity import check_certificate, identity_public
from kiosk.records.journal import GENESIS, MAX_RECORD_BYTES, Head, check_signature, follow
from tests.core.journal.lane import CUSTOMER, TestLane, fill


def test_what_is_appended_is_read_back_chained_and_signed(lane: TestLane) -> None:
    with lane.open() as journal:
        heads = fill(journal, 5)
        batch = journal.read(1, 0, 100, 1 << 20)
        assert journal.head() == heads[-1]
    assert (batch.first_seq, batch.prev, len(batch.records)) == (1, GENESIS, 5)
    head = Head(lane.dev, 1, 0, GENESIS)
    for data, expected in zip(batch.records, heads, strict=True):
        record, head = follow(head, data)
        assert head == expected
    assert record.body == {"n": 5, "text": "smørrebrød"}
    check_signature(check_certificate(lane.certificate(), identity_public(lane.identity)), head.hash, batch.signature)


def test_a_reopened_journal_goes_on_where_it_ended(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 3)
    with lane.open() as journal:
        assert journal.checked == 3
        fill(journal, 2, first=4)
        assert [record.body["n"] for record in journal.tail(2)] == [2, 3, 4, 5]
        assert [record.seq for record in journal.backward()] == [5, 4, 3, 2, 1]


def test_the_files_are_for_their_owner_only(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 1)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in lane.folder.iterdir()}
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize(
    ("after", "records", "size", "expected"),
    [
        (0, 2, 1 << 20, [1, 2]),
        (3, 100, 1 << 20, [4, 5]),
        (5, 100, 1 << 20, []),
        (0, 0, 0, [1]),
        (0, -5, -5, [1]),
    ],
)
def test_a_batch_is_bounded(lane: TestLane, after: int, records: int, size: int, expected: list[int]) -> None:
    with lane.open() as journal:
        heads = fill(journal, 5)
        batch = journal.read(1, after, records, size)
    assert [batch.first_seq + index for index in range(len(batch.records))] == expected
    assert batch.prev == (heads[after - 1].hash if after else GENESIS)
    assert bool(batch.signature) == bool(expected)


@pytest.mark.parametrize(("ep", "after"), [(2, 0), (1, 6), (1, -1)])
def test_reading_what_is_not_there_is_refused(lane: TestLane, ep: int, after: int) -> None:
    with lane.open() as journal:
        fill(journal, 5)
        with pytest.raises(Refused, match=f"record {after} of epoch {ep} is not in this journal"):
            journal.read(ep, after, 10, 1000)


def test_a_second_opener_gets_one_clear_error(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 1)
        with pytest.raises(Locked, match="is open in another process"):
            lane.open()
        fill(journal, 1, first=2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET data = x'00'",
        "DELETE FROM records",
        "INSERT OR REPLACE INTO records SELECT place, x'00', signature FROM records",
        "UPDATE certificates SET certificate = ''",
        "DELETE FROM certificates",
        "INSERT OR REPLACE INTO certificates SELECT ep, '' FROM certificates",
        "UPDATE acknowledgements SET hwm = 1",
        "DELETE FROM acknowledgements",
        "INSERT OR REPLACE INTO acknowledgements SELECT ep, 1, '' FROM acknowledgements",
    ],
)
def test_nothing_written_is_changed_or_deleted(lane: TestLane, statement: str) -> None:
    with lane.open() as journal:
        heads = fill(journal, 3)
        journal.acknowledge(lane.acknowledgement(heads[1]))
    connection = apsw.Connection(str(lane.path))
    try:
        before = connection.execute("SELECT * FROM records").fetchall()
        with pytest.raises(apsw.ConstraintError, match=r"never|only"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM records").fetchall() == before
    finally:
        connection.close()
    lane.open().close()


def test_acknowledgements_advance_and_survive(lane: TestLane) -> None:
    with lane.open() as journal:
        heads = fill(journal, 5)
        for seq in (2, 4, 3, 4):
            journal.acknowledge(lane.acknowledgement(heads[seq - 1]))
    with lane.open() as journal:
        assert journal.acknowledged() == lane.acknowledgement(heads[3])
        assert journal.checked == 1


def test_foreign_acknowledgements_are_refused(lane: TestLane) -> None:
    with lane.open() as journal:
        heads = fill(journal, 2)
        cases = {
            "not counter-signed": TestLane(lane.folder, cosign=lane.key()).acknowledgement(heads[0]),
            "another record 1": lane.acknowledgement(Head(lane.dev, 1, 1, heads[1].hash)),
            "record 9 of epoch 1, which is not": lane.acknowledgement(Head(lane.dev, 1, 9, heads[1].hash)),
            "not counter-signed by": lane.acknowledgement(Head("dev-2", 1, 1, heads[0].hash)),
        }
        for message, ack in cases.items():
            with pytest.raises(Refused, match=message):
                journal.acknowledge(ack)
        assert journal.acknowledged() is None


def test_epochs_live_in_one_file(lane: TestLane) -> None:
    with lane.open(1) as journal:
        first = fill(journal, 3)
    with lane.open(2) as journal:
        assert journal.head() == Head(lane.dev, 2, 0, GENESIS)
        second = fill(journal, 2)
        journal.acknowledge(lane.acknowledgement(first[-1]), 1)
        assert journal.epochs == [1, 2]
        assert journal.head(1) == first[-1]
        assert len(journal.read(1, 0, 10, 1 << 20).records) == 3
        assert journal.certificate(1) == lane.certificate(1).__class__(
            lane.dev, 1, lane.certificate(1).key, journal.certificate(1).signature
        )
    with lane.open(2) as journal:
        assert journal.head() == second[-1]
    with pytest.raises(WrongJournal, match="epoch 1 is over"):
        lane.open(1)


def test_another_devices_journal_is_refused(lane: TestLane) -> None:
    lane.open().close()
    other = TestLane(lane.folder, dev="dev-2")
    with pytest.raises(WrongJournal, match="is of device 'dev-1', this lane is 'dev-2'"):
        other.open()
    with pytest.raises(WrongJournal, match="another journal key"):
        lane.open(key=lane.key(9))
    with pytest.raises(WrongJournal, match="expected 'dev-1', epoch 2"):
        lane.open(2, certificate=lane.certificate(1))


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_only_a_journal_is_opened(lane: TestLane, content: bytes) -> None:
    lane.path.write_bytes(content)
    if not content:
        lane.open().close()
        return
    with pytest.raises(WrongJournal, match="is not a Kassa journal"):
        lane.open()
    assert lane.path.read_bytes() == content


def test_a_foreign_database_is_left_alone(lane: TestLane) -> None:
    connection = apsw.Connection(str(lane.path))
    connection.execute("CREATE TABLE sales (a)")
    connection.close()
    with pytest.raises(WrongJournal, match="is not a Kassa journal"):
        lane.open()


def test_a_journal_of_a_newer_version_opens(lane: TestLane) -> None:
    with lane.open() as journal:
        fill(journal, 2)
    connection = apsw.Connection(str(lane.path))
    connection.execute("CREATE TABLE blobs (a); PRAGMA user_version = 9")
    connection.close()
    with lane.open() as journal:
        fill(journal, 1, first=3)


def test_a_file_put_back_is_noticed_by_the_anchor(lane: TestLane, tmp_path: Path) -> None:
    with lane.open() as journal:
        fill(journal, 2)
    copy = lane.path.read_bytes()
    with lane.open() as journal:
        fill(journal, 1, first=3)
    lane.path.write_bytes(copy)
    (tmp_path / "journal.db-wal").unlink()
    with pytest.raises(Damaged, match="record 3: the head anchor has seen record 3") as caught:
        lane.open()
    assert (caught.value.kind, caught.value.ep, caught.value.seq) == ("cut_tail", 1, 3)


def test_a_body_that_is_no_record_leaves_no_trace(lane: TestLane) -> None:
    with lane.open() as journal:
        for body in ({"a": 1.5}, {"a": 2**60}, {"ø": 1}, {"a": "\ud800"}, {"a": "x" * MAX_RECORD_BYTES}):
            with pytest.raises(ValueError, match=r"float|2\^53|ASCII|surrogate|at most"):
                journal.append("test.note", body, CUSTOMER)
        assert journal.head().seq == 0
        fill(journal, 1)


def test_who_looks_at_a_live_journal_sees_one_moment_of_it(lane: TestLane) -> None:
    """An epoch that begins while someone reads: its records without its certificate would look forged."""
    with lane.open(1) as journal:
        fill(journal, 2)
    with lane.open(2) as journal, Source(lane.path) as source:
        fill(journal, 3)
        assert source.live
        assert [(entry.ep, entry.seq) for entry in source.entries()] == [(1, 1), (1, 2)]
        assert sorted(source.certificates) == [1, 2]
    with lane.open(2), Source(lane.path) as source:
        assert len(list(source.entries())) == 5
