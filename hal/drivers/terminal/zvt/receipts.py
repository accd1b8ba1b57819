"""The customer's receipt out of what the terminal prints (PA00P015 rev. 13.08, 3.5, 3.6, tag 1F07)."""

from hal.drivers.terminal.zvt.codec import Print, Receipt

MAX_LINES = 200
MAX_CHARS = 96


class Receipts:
    """Collects printed lines receipt by receipt; bounded, for a terminal may print without end."""

    def __init__(self) -> None:
        self._done: list[tuple[Receipt, list[str]]] = []
        self._lines: list[str] = []
        self._kind = Receipt.unsaid
        self._count = 0

    def add(self, printed: Print) -> None:
        if printed.receipt is not Receipt.unsaid:
            if self._lines and printed.receipt is not self._kind:
                self._close()
            self._kind = printed.receipt
        room = max(0, 3 * MAX_LINES - self._count)
        taken = printed.lines[:room]
        self._count += len(taken)
        self._lines += [line[:MAX_CHARS] for line in taken]
        if printed.ends:
            self._close()

    def _close(self) -> None:
        if self._lines:
            self._done.append((self._kind, self._lines))
        self._lines, self._kind = [], Receipt.unsaid

    def for_customer(self) -> list[str]:
        """The receipts marked as the customer's. Where none is marked, the last unmarked one: unless told otherwise a
        terminal prints the merchant's first (tag 1F04)."""
        self._close()
        marked = [lines for kind, lines in self._done if kind is Receipt.customer]
        unmarked = [lines for kind, lines in self._done if kind is Receipt.unsaid]
        chosen = marked or unmarked[-1:]
        return [line for lines in chosen for line in lines][:MAX_LINES]
