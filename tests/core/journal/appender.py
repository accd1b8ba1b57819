"""What a process does until it is killed: append, and say each record's number once it is durable."""

from multiprocessing.connection import Connection
from pathlib import Path

from tests.core.journal.lane import CUSTOMER, TestLane


def fill_of(number: int) -> str:
    """Lengths from nothing to several pages."""
    return "x" * (number * 37 % 3000)


def append_until_killed(folder: Path, report: "Connection[bytes, bytes]") -> None:
    lane = TestLane(folder)
    with lane.open() as journal:
        while True:
            number = journal.head().seq + 1
            head = journal.append("test.note", {"n": number, "fill": fill_of(number)}, CUSTOMER)
            report.send_bytes(f"{head.seq} {head.hash}".encode())
            if number % 50 == 0:
                journal.acknowledge(lane.acknowledgement(head))
                journal.tend()
