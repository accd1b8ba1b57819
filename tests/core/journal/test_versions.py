"""Newer and older versions' journals: both open, verify, append and are read."""

from pathlib import Path

import apsw
import pytest

from kiosk.journal.store import Journal
from kiosk.records.canonical import canonical, parse
from kiosk.records.journal import leaf_hash, sign
from tests.core.journal.lane import TestLane, fill
from tests.core.journal.mending import drop, edit, mended
from tests.core.journal.test_gaps import verified

# Schema 1 as it was first shipped, to the letter: files like this lie on lanes.
SCHEMA_1 = """
CREATE TABLE records (place INTEGER PRIMARY KEY, data BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE certificates (ep INTEGER PRIMARY KEY, certificate TEXT NOT NULL) STRICT;
CREATE TABLE acknowledgements (ep INTEGER PRIMARY KEY, hwm INTEGER NOT NULL, acknowledgement TEXT NOT NULL) STRICT;
CREATE TRIGGER records_no_update BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER records_no_delete BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER records_at_end BEFORE INSERT ON records
  WHEN NEW.place <= (SELECT max(place) FROM records)
  BEGIN SELECT RAISE(ABORT, 'records are only appended'); END;
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
  BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
  BEGIN SELECT RAISE(ABORT, 'certificates are never deleted'); END;
CREATE TRIGGER certificates_once BEFORE INSERT ON certificates
  WHEN EXISTS (SELECT 1 FROM certificates WHERE ep = NEW.ep)
  BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;
CREATE TRIGGER acknowledgements_advance BEFORE UPDATE ON acknowledgements
  WHEN NEW.ep <> OLD.ep OR NEW.hwm <= OLD.hwm
  BEGIN SELECT RAISE(ABORT, 'acknowledgements only advance'); END;
CREATE TRIGGER acknowledgements_no_delete BEFORE DELETE ON acknowledgements
  BEGIN SELECT RAISE(ABORT, 'acknowledgements are never deleted'); END;
CREATE TRIGGER acknowledgements_once BEFORE INSERT ON acknowledgements
  WHEN EXISTS (SELECT 1 FROM acknowledgements WHERE ep = NEW.ep)
  BEGIN SELECT RAISE(ABORT, 'acknowledgements only advance'); END;
PRAGMA application_id = 1262572362;
PRAGMA user_version = 1;
"""


def rows(journal: Journal) -> list[tuple[bytes, bytes]]:
    found = [journal.read(1, seq, 1, 1) for seq in range(journal.head().seq)]
    return [(batch.records[0], batch.signature) for batch in found]


def stored(lane: TestLane, kept: list[tuple[bytes, bytes]], schema: str = SCHEMA_1) -> None:
    """A file of another version with these records."""
    lane.folder.mkdir(exist_ok=True)
    connection = apsw.Connection(str(lane.path))
    connection.execute("PRAGMA page_size = 1024; PRAGMA journal_mode = wal;" + schema).fetchall()
    certificate = canonical(lane.certificate()).decode()
    connection.execute("INSERT INTO certificates (ep, certificate) VALUES (1, ?)", (certificate,))
    for seq, (data, signature) in enumerate(kept, 1):
        insert = "INSERT INTO records (place, data, signature) VALUES (?, ?, ?)"
        connection.execute(insert, (2**40 + seq, data, signature))
    connection.close()


@pytest.fixture
def kept(tmp_path: Path) -> list[tuple[bytes, bytes]]:
    folder = tmp_path / "made"
    folder.mkdir()
    with TestLane(folder).open() as journal:
        fill(journal, 6)
        return rows(journal)


def goes_on(lane: TestLane, count: int) -> None:
    """Opens, appends, is acknowledged, mended and verified."""
    with mended(lane) as journal:
        assert journal.head().seq == count
        head = fill(journal, 2, first=count + 1)[-1]
        journal.acknowledge(lane.acknowledgement(head))
        assert len(journal.read(1, 0, 100, 1 << 20).records) == count + 2
    assert verified(lane).bad is None
    edit_triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"
    connection = apsw.Connection(str(lane.path))
    assert connection.execute(edit_triggers).get
    connection.close()
    edit(lane, drop(2), drop(count + 2))
    with mended(lane) as journal:
        fill(journal, 1)
    assert verified(lane).bad is None


def test_a_journal_of_schema_1_goes_on(lane: TestLane, kept: list[tuple[bytes, bytes]]) -> None:
    stored(lane, kept)
    goes_on(lane, 6)


def test_a_journal_of_schema_1_is_left_as_it_is_until_it_needs_more(
    lane: TestLane, kept: list[tuple[bytes, bytes]]
) -> None:
    stored(lane, kept)
    with mended(lane) as journal:
        fill(journal, 1, first=7)
    connection = apsw.Connection(str(lane.path))
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}
    connection.close()
    assert tables == {"records", "certificates", "acknowledgements"}


NEWER_SCHEMA = (
    SCHEMA_1.replace("signature BLOB NOT NULL) STRICT", "signature BLOB NOT NULL, tree BLOB) STRICT")
    .replace("certificate TEXT NOT NULL) STRICT", "certificate TEXT NOT NULL, tpm TEXT DEFAULT 'x') STRICT")
    .replace("acknowledgement TEXT NOT NULL) STRICT", "acknowledgement TEXT NOT NULL, at INTEGER) STRICT")
    .replace("user_version = 1", "user_version = 7")
    + "CREATE TABLE trees (place INTEGER PRIMARY KEY, node BLOB) STRICT; CREATE INDEX i ON trees (node);"
)


def test_a_journal_with_more_tables_and_columns_goes_on(lane: TestLane, kept: list[tuple[bytes, bytes]]) -> None:
    stored(lane, kept, NEWER_SCHEMA)
    goes_on(lane, 6)


def test_records_with_more_fields_and_of_unknown_types_go_on(lane: TestLane, kept: list[tuple[bytes, bytes]]) -> None:
    newer, prev = [], "0" * 64
    for data, _ in kept:
        fields = parse(data) | {"prev": prev, "schema": 9, "v": 2, "tree": {"root": "ab"}, "typ": "journal.weather"}
        fields["actor"] = {"kind": "robot", "id": "", "arm": 2}
        changed = canonical(fields)
        prev = leaf_hash(changed)
        newer.append((changed, sign(lane.key(), prev)))
    stored(lane, newer, NEWER_SCHEMA)
    goes_on(lane, 6)
