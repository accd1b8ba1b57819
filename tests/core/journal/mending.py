"""A lane that may mend its journal: keys for any epoch, made as they are wanted, and a luck that is always the same."""

from typing import Any

import apsw

from kiosk.journal.recovery import JournalKey, Recovery
from kiosk.journal.store import Journal
from kiosk.records.identity import certify, identity_public, raw_public
from tests.core.journal.lane import TestLane

AT = 2**40
JUMP = 9


class Ring:
    def __init__(self, lane: TestLane) -> None:
        self.lane = lane
        self.made: list[int] = [1]
        self.broken = False

    def find(self, ep: int, public: str) -> JournalKey | None:
        key = self.lane.key(ep % 251)
        return (key, self._certified(ep)[1]) if raw_public(key) == public else None

    def make(self, ep: int) -> JournalKey:
        if self.broken:
            raise OSError(5, "the disk failed")
        self.made.append(ep)
        return self._certified(ep)

    def newest(self) -> int:
        return max(self.made)

    def _certified(self, ep: int) -> JournalKey:
        key = self.lane.key(ep % 251)
        return key, certify(self.lane.identity, self.lane.dev, ep, key)


def recovery(lane: TestLane, ring: Ring | None = None) -> Recovery:
    return Recovery(ring or Ring(lane), identity_public(lane.identity), lambda n: min(JUMP, n - 1))


def mended(lane: TestLane, ep: int = 1, **changes: Any) -> Journal:
    return lane.open(ep, **({"recovery": recovery(lane)} | changes))


def edit(lane: TestLane, *statements: str) -> None:
    """What rot, or someone with the file and a copy of SQLite, can do."""
    connection = apsw.Connection(str(lane.path))
    try:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def spoil(seq: int, ep: int = 1) -> str:
    changed = "CAST(replace(CAST(data AS TEXT), 'sync', 'SYNC') AS BLOB)"
    return f"UPDATE records SET data = {changed} WHERE place = {ep * AT + seq}"


def drop(seq: int, ep: int = 1) -> str:
    return f"DELETE FROM records WHERE place = {ep * AT + seq}"
