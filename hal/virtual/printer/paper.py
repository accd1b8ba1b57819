"""What is on the paper: runs of characters and pictures at dot positions, and receipts cut from the roll."""

import base64
from dataclasses import asdict, dataclass, field
from typing import Any

from PIL import Image

WIDTH_DOTS = 576  # 72 mm print width at 8 dots/mm, on 80 mm paper
HEIGHT_LIMIT_DOTS = 40_000  # 5 m: an endless receipt is cut off here
RAW_LIMIT_BYTES = 1 << 20
MARKS_LIMIT = 20_000


@dataclass(frozen=True)
class Style:
    """`font` "A" 12x24 or "B" 9x17 dots; `width` and `height` are multiples 1–8; `underline` in dots."""

    font: str = "A"
    bold: bool = False
    underline: int = 0
    width: int = 1
    height: int = 1
    reverse: bool = False

    @property
    def cell(self) -> tuple[int, int]:
        base = (12, 24) if self.font == "A" else (9, 17)
        return base[0] * self.width, base[1] * self.height


@dataclass(frozen=True)
class Run:
    """Characters of one style side by side; `pitch` is the distance from one to the next, in dots."""

    x: int
    y: int
    text: str
    style: Style
    pitch: int


@dataclass(frozen=True)
class Picture:
    """Dots that are not characters; ink = 1. `meaning` is the content of a QR code or bar code."""

    x: int
    y: int
    image: Image.Image
    kind: str
    meaning: str = ""


Mark = Run | Picture


@dataclass
class Strip:
    """The paper that has come out since the last cut."""

    marks: list[Mark] = field(default_factory=list)
    height: int = 0
    raw: bytearray = field(default_factory=bytearray)

    def put(self, mark: Mark) -> None:
        if len(self.marks) < MARKS_LIMIT:
            self.marks.append(mark)

    def note(self, raw: bytes) -> None:
        self.raw += raw[: max(RAW_LIMIT_BYTES - len(self.raw), 0)]


@dataclass(frozen=True)
class Receipt:
    """One finished receipt. `cut` is "full", "partial", or "none": torn off at the length limit."""

    number: int
    marks: tuple[Mark, ...]
    height: int
    raw: bytes
    cut: str

    @property
    def text(self) -> list[str]:
        """The lines of text from top to bottom."""
        return [line["text"] for line in self.lines()]

    @property
    def qr(self) -> list[str]:
        return [m.meaning for m in self.marks if isinstance(m, Picture) and m.kind == "qr"]

    def lines(self) -> list[dict[str, Any]]:
        """Text lines: y and x in dots from the print area's top left, text, and the runs with attributes."""
        rows: dict[int, list[Run]] = {}
        for mark in self.marks:
            if isinstance(mark, Run):
                rows.setdefault(mark.y + mark.style.cell[1], []).append(mark)
        return [_line(sorted(runs, key=lambda run: run.x)) for _, runs in sorted(rows.items())]

    def as_json(self) -> dict[str, Any]:
        pictures = [m for m in self.marks if isinstance(m, Picture)]
        return {
            "number": self.number,
            "width": WIDTH_DOTS,
            "height": self.height,
            "cut": self.cut,
            "lines": self.lines(),
            "qr": self.qr,
            "barcodes": [p.meaning for p in pictures if p.kind == "barcode"],
            "pictures": [
                {"x": p.x, "y": p.y, "width": p.image.width, "height": p.image.height, "kind": p.kind} for p in pictures
            ],
            "raw_base64": base64.b64encode(self.raw).decode("ascii"),
        }


def _line(runs: list[Run]) -> dict[str, Any]:
    text, end = "", runs[0].x
    for run in runs:
        if run.x > end:
            text += " " * max((run.x - end) // run.pitch, 1)
        text += run.text
        end = run.x + run.pitch * len(run.text)
    return {
        "x": runs[0].x,
        "y": min(run.y for run in runs),
        "height": max(run.style.cell[1] for run in runs),
        "text": text.rstrip(),
        "runs": [{"x": run.x, "y": run.y, "text": run.text, **asdict(run.style)} for run in runs],
    }
