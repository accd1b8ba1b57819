"""What someone with a copy of the journal, and perhaps a key, can make of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.journal import database
from kiosk.journal.verify import Entry
from kiosk.records.canonical import canonical, parse
from kiosk.records.journal import leaf_hash, sign


def remade(
    entries: list[Entry], first: int, change: Callable[[dict[str, object]], object], key: Ed25519PrivateKey
) -> list[Entry]:
    """From record `first` on, changed there and chained and signed anew with `key`."""
    made, prev = entries[: first - 1], ""
    for entry in entries[first - 1 :]:
        fields = parse(entry.data)
        if entry.seq == first:
            change(fields)
        else:
            fields["prev"] = prev
        data = canonical(fields)
        prev = leaf_hash(data)
        made.append(replace(entry, data=data, signature=sign(key, prev)))
    return made


def drop_triggers(connection: apsw.Connection) -> None:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")


def replace_records(path: Path, entries: list[Entry]) -> None:
    """Put others in the place of a journal's records, as anyone with SQLite can."""
    connection = apsw.Connection(str(path))
    try:
        connection.execute("BEGIN")
        drop_triggers(connection)
        connection.execute("DELETE FROM records")
        rows = [(database.place(entry.ep, entry.seq), entry.data, entry.signature) for entry in entries]
        connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
    finally:
        connection.close()
