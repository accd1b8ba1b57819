"""What is wrong with a catalogue that somebody sent: every place at once, each with what would be allowed there."""

from typing import NoReturn

import msgspec

MAX_SHOWN = 100
_MAX_VALUE_CHARS = 40


class Problem(msgspec.Struct, frozen=True):
    """One mistake. `line`: from 1 (of JSON: the number of the entry), 0 when it is about the whole file.

    `column` is empty when it is about the whole line. `value` is cut and printable, fit for a screen or a log.
    """

    line: int
    column: str
    value: str
    message: str
    allowed: str

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "file"
        if self.column:
            place += f", {self.column}"
        value = f" '{self.value}'" if self.value else ""
        return f"{place}:{value} {self.message}; allowed: {self.allowed}"


class CatalogueError(ValueError):
    """The catalogue is not taken. `problems`: the first MAX_SHOWN in order of line; `count`: how many there are."""

    def __init__(self, source: str, problems: list[Problem], count: int) -> None:
        self.source = source
        self.problems = problems
        self.count = count
        lines = [f"{source}: {problem}" for problem in problems]
        if count > len(problems):
            lines.append(f"{source}: and {count - len(problems)} more problems")
        super().__init__("\n".join(lines))


def refuse(source: str, message: str, allowed: str, value: str = "") -> NoReturn:
    """Raise CatalogueError with one problem about the whole file."""
    raise CatalogueError(source, [Problem(0, "", shown(value), message, allowed)], 1)


def shown(value: str) -> str:
    """`value` cut to 40 characters, everything that does not print (or would turn text around) as an escape."""
    cut = value[:_MAX_VALUE_CHARS]
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
    return text + "…" if len(value) > _MAX_VALUE_CHARS else text


class Problems:
    """Collects; keeps MAX_SHOWN and counts the rest, so that a hostile file costs no memory."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0
        self._kept: list[Problem] = []

    def add(self, line: int, column: str, value: str, message: str, allowed: str) -> None:
        self.count += 1
        if len(self._kept) < MAX_SHOWN:
            self._kept.append(Problem(line, column, shown(value), message, allowed))

    def settle(self) -> None:
        """Raise CatalogueError if there was any."""
        if self.count:
            raise CatalogueError(self.source, sorted(self._kept, key=lambda problem: problem.line), self.count)
