"""A card terminal in words: what it decides, when money moves, and its ledger, which is the truth.

It charges when its answer is acknowledged (with `print_final`: when its receipt is too). A line that is lost before
leaves the matter to itself: it `stands`, or it takes it back. It does one thing at a time.
"""

import random
from collections import deque
from dataclasses import dataclass, field, replace

Message = tuple[str, int]
"""A word and a number (an amount, a trace number), 0 where it has none."""


HAND = "by hand"
"""In the place of a tender: what no lane asked for."""


@dataclass(frozen=True)
class Entry:
    """`tender` is known to nobody but the test. `amount_minor` is negative for what was given back."""

    trace: int
    tender: str
    amount_minor: int


@dataclass
class Job:
    """`at`: card, answered, printing, or undecided once the line was lost."""

    kind: str
    tender: str
    amount_minor: int
    at: str
    reverses: int = 0


@dataclass
class Terminal:
    rng: random.Random
    stands: bool
    print_final: bool
    refuses_reversals: bool
    ledger: list[Entry] = field(default_factory=list)
    job: Job | None = None
    up: deque[Message] = field(default_factory=deque)
    down: deque[tuple[str, int, str]] = field(default_factory=deque)

    @property
    def quiet(self) -> bool:
        """Whether nothing is decided or on its way any more."""
        return self.job is None and not self.up and not self.down

    def last(self) -> tuple[int, int]:
        """Its own record: the number and the amount of the last transaction."""
        return (self.ledger[-1].trace, self.ledger[-1].amount_minor) if self.ledger else (0, 0)

    def net_minor(self, tender: str) -> int:
        return sum(entry.amount_minor for entry in self.ledger if entry.tender == tender)

    def take(self, word: str, number: int, tender: str) -> None:
        """A message from the register."""
        job = self.job
        match word:
            case "authorise" if job is None:
                self.job = Job("pay", tender, number, "card")
            case "authorise":
                self.up.append(("refused", 0))
            case "abort" if job is not None and job.kind == "pay" and job.at == "card":
                self.job = None
                self.up.append(("cancelled", 0))
            case "reverse":
                self._reverse(number)
            case "ack" if job is not None and job.at in ("answered", "printing"):
                self._acknowledged(job)

    def _reverse(self, trace: int) -> None:
        found = next((e for e in self.ledger if e.trace == trace and e.amount_minor > 0), None)
        if self.job is not None or found is None or self.refuses_reversals:
            self.up.append(("refused", 0))
        elif self.net_minor(found.tender) <= 0:
            self.up.append(("already", 0))
        else:
            self.job = Job("reverse", found.tender, -found.amount_minor, "answered", found.trace)
            self.up.append(("given_back", 0))

    def _acknowledged(self, job: Job) -> None:
        if self.print_final and job.at == "answered":
            job.at = "printing"
            self.up.append(("print", 0))
            return
        self.commit(job.tender, job.amount_minor)
        self.job = None
        self.up.append(("complete", 0))

    def commit(self, tender: str, amount_minor: int) -> None:
        self.ledger.append(Entry(self.last()[0] + 1, tender, amount_minor))

    def card(self) -> bool:
        """The customer, if one is waited for. Sometimes less is authorised, and once in a while something else."""
        job = self.job
        if job is None or job.at != "card":
            return False
        draw = self.rng.random()
        if draw < 0.25:
            self.job = None
            self.up.append(("declined" if draw < 0.15 else "cancelled", 0))
            return True
        amount = job.amount_minor
        if draw < 0.55 and amount > 1:
            amount = self.rng.randint(1, amount - 1)
        elif draw < 0.57:
            amount += 100
        self.job = replace(job, amount_minor=amount, at="answered")
        self.up.append(("approved", amount))
        return True

    def line_lost(self) -> None:
        self.up.clear()
        self.down.clear()
        if self.job is not None and self.job.at == "card":
            self.job = None
        elif self.job is not None:
            self.job.at = "undecided"

    def decide(self) -> bool:
        """T3 is over: what was never acknowledged stands, or does not."""
        job = self.job
        if job is None or job.at != "undecided":
            return False
        if self.stands:
            self.commit(job.tender, job.amount_minor)
        self.job = None
        return True
