"""What a process does until it is killed: open, append, acknowledge and tend while its records are read; and say what
is durable as soon as it is."""

import threading
from multiprocessing.connection import Connection
from pathlib import Path

from kiosk.journal.store import Journal
from kiosk.records.journal import GENESIS, Head, follow
from tests.core.journal.lane import CUSTOMER, TestLane

_EACH_ACKNOWLEDGED = 20
_READ_AT_ONCE = 40


def fill_of(number: int) -> str:
    """Lengths from nothing to several pages."""
    return "x" * (number * 37 % 3000)


def append_until_killed(folder: Path, report: "Connection[bytes, bytes]") -> None:
    """Reports `record SEQ HASH`, `acknowledged SEQ`, and `failed WHY` for everything that must not be."""
    try:
        lane = TestLane(folder)
        with lane.open() as journal:
            threading.Thread(target=_read, args=(journal, report), daemon=True).start()
            last = next(iter(journal.backward()), None)
            number = 1 if last is None else last.body["n"] + 1
            while True:
                head = journal.append("test.note", {"n": number, "fill": fill_of(number)}, CUSTOMER)
                report.send_bytes(f"record {head.seq} {head.hash}".encode())
                if number % _EACH_ACKNOWLEDGED == 0:
                    journal.acknowledge(lane.acknowledgement(head))
                    report.send_bytes(f"acknowledged {head.seq}".encode())
                    journal.tend()
                number += 1
    except Exception as error:  # noqa: BLE001 - whatever it is, the proof has to hear of it
        report.send_bytes(f"failed {type(error).__name__}: {error}".encode())


def _read(journal: Journal, report: "Connection[bytes, bytes]") -> None:
    """Reads what sync would read, from after the last acknowledgement, again and again."""
    try:
        while True:
            ack = journal.acknowledged()
            head = Head("dev-1", 1, 0, GENESIS) if ack is None else Head("dev-1", 1, ack.hwm, ack.hash)
            batch = journal.read(1, head.seq, _READ_AT_ONCE, 1 << 20)
            for data in batch.records:
                _, head = follow(head, data)
    except Exception as error:  # noqa: BLE001
        report.send_bytes(f"failed reader: {type(error).__name__}: {error}".encode())
