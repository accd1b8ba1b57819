"""What a layout must know of a printer. Whoever holds the daemon's own profile passes that: the fields are the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class PrinterProfile(Protocol):
    """`dots` across the printable width, `columns` of font A (12 dots each), names of verified `code_pages`."""

    @property
    def dots(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def code_pages(self) -> Sequence[str]: ...
    @property
    def cutter(self) -> bool: ...
    @property
    def qr(self) -> bool: ...


@dataclass(frozen=True)
class Paper:
    """A profile of our own."""

    dots: int
    columns: int
    code_pages: tuple[str, ...] = ()
    cutter: bool = True
    qr: bool = True


PAPER_80 = Paper(576, 48, ("CP858",))
PAPER_58 = Paper(384, 32, ("CP858",))
