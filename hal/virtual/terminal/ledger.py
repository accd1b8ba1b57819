"""What the customers were really charged: a JSON line per captured or reversed payment.

Tests read the file as the truth. The terminal's numbers live on it too: restarted, it goes on counting.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

TRACE_LIMIT = 999_999  # BMP 0B: 3 bytes BCD
RECEIPT_LIMIT = 9_999  # BMP 87: 2 bytes BCD
HELD_LIMIT = 10_000


@dataclass(frozen=True)
class Entry:
    """`reverses` is the receipt number of the payment taken back; `time` is ISO 8601 with offset."""

    trace: int
    receipt: int
    amount_minor: int
    currency: int
    outcome: Literal["captured", "reversed"]
    time: str
    reverses: int | None = None


def _local_now() -> datetime:
    return datetime.now(UTC).astimezone()


class Ledger:
    def __init__(self, path: Path | None, now: Callable[[], datetime] = _local_now) -> None:
        self.path = path
        self.now = now
        self.entries: list[Entry] = []
        self.last: Entry | None = None
        self.day: list[Entry] = []  # since the last end of day: only these can be reversed
        self.trace = 0
        self.receipt = 0
        if path is not None and path.exists():
            self._read(path)

    def draft(
        self, amount_minor: int, currency: int, *, outcome: Literal["captured", "reversed"] = "captured"
    ) -> Entry:
        """The entry the next completed transaction would be. Takes no number until `commit`."""
        return Entry(
            trace=self.trace % TRACE_LIMIT + 1,
            receipt=self.receipt % RECEIPT_LIMIT + 1,
            amount_minor=amount_minor,
            currency=currency,
            outcome=outcome,
            time=self.now().isoformat(timespec="seconds"),
        )

    def reversal_of(self, original: Entry) -> Entry:
        drafted = self.draft(original.amount_minor, original.currency, outcome="reversed")
        return replace(drafted, reverses=original.receipt)

    def commit(self, entry: Entry) -> None:
        self._take(entry)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({k: v for k, v in asdict(entry).items() if v is not None}) + "\n")

    def find(self, receipt: int) -> Entry | None:
        """The payment of the present day with this receipt number."""
        found = [e for e in self.day if e.receipt == receipt and e.outcome == "captured"]
        return found[-1] if found else None

    def is_reversed(self, entry: Entry) -> bool:
        return any(e.outcome == "reversed" and e.reverses == entry.receipt for e in self.day)

    def end_day(self, *, restart_numbers: bool) -> None:
        self.day = []
        if restart_numbers:
            self.trace = self.receipt = 0
            self.last = None

    def _take(self, entry: Entry) -> None:
        self.entries = [*self.entries[-HELD_LIMIT:], entry]
        self.day.append(entry)
        self.last = entry
        self.trace, self.receipt = entry.trace, entry.receipt

    def _read(self, path: Path) -> None:
        for text in path.read_text(encoding="utf-8").splitlines()[-HELD_LIMIT:]:
            try:
                row: dict[str, Any] = json.loads(text)
                self._take(Entry(**row))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}: not a ledger line: {text[:60]!r} ({error})") from None
