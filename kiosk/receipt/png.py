"""A document as a PNG for screens and e-mail: the layout of the paper, set in proportional type.

Columns decide where lines break and where runs begin and end; between those edges type keeps its own widths, with
figures of equal width, so that money stands under money.
"""

import io
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageDraw, features

from kiosk.receipt.blocks import Document
from kiosk.receipt.columns import clusters, width
from kiosk.receipt.fonts import Font, best, font
from kiosk.receipt.layout import Bar, Bars, Gap, Hairline, Line, Part, QrCode, Run, lay_out
from kiosk.receipt.symbols import QR_QUIET, bars_modules, module_dots, qr_modules

COLUMNS = {80: 48, 58: 32}
_CELL = 12
_PITCH = 30
_MARGIN = 44
_BARS = 56
_MAX_HEIGHT = 60_000
"""Pixels; a longer receipt (some 1,000 lines at scale 2) is refused rather than drawn."""

_PAPER, _INK, _QUIET, _RULE = 255, 24, 112, 200
_SIZE = {1: 20, 2: 38}
_FIXED_PX = 18
_NO_GLYPH = "□"


def render(document: Document, width_mm: Literal[58, 80] = 80, *, copy: bool = False, scale: int = 2) -> bytes:
    """PNG bytes, greyscale: `scale` 1 is 8 pixels per millimetre of paper, plus a margin. About 0.1 s.

    Raises ValueError for another width, a scale outside 1 to 3, or a receipt too long to draw.
    """
    if width_mm not in COLUMNS or not 1 <= scale <= 3:
        raise ValueError(f"{width_mm} mm at scale {scale}; allowed: 58 or 80 mm, scale 1 to 3")
    columns = COLUMNS[width_mm]
    parts = lay_out(document, columns, copy=copy)
    height = 2 * _MARGIN + sum(_height(part, columns) for part in parts)
    if height * scale > _MAX_HEIGHT:
        raise ValueError(f"receipt of {height * scale} pixels; allowed: {_MAX_HEIGHT}")
    picture = Image.new("L", ((columns * _CELL + 2 * _MARGIN) * scale, height * scale), _PAPER)
    sheet = _Sheet(ImageDraw.Draw(picture), columns, scale, document.language)
    for part in parts:
        sheet.add(part)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=False, compress_level=4)
    return out.getvalue()


def _height(part: Part, columns: int) -> int:
    match part:
        case Line():
            return _PITCH if part.size == 1 else 54
        case Gap() | Bar():
            return part.eighths * _PITCH // 8
        case Hairline():
            return 2 if part.bold else 1
        case QrCode():
            modules = len(qr_modules(part.data))
            return modules * module_dots(modules, columns * _CELL) + 2 * QR_QUIET
        case Bars():
            return _BARS if _bars_fit(part.data, columns) else 0


def _bars_fit(data: str, columns: int) -> bool:
    modules = bars_modules(data)
    return bool(modules) and len(modules) * 2 <= columns * _CELL


class _Sheet:
    """Draws parts from top to bottom. Coordinates are in dots of the paper until the pen is moved."""

    def __init__(self, pen: ImageDraw.ImageDraw, columns: int, scale: int, language: str) -> None:
        self._pen, self._columns, self._scale, self._language = pen, columns, scale, language
        self._y = _MARGIN

    def add(self, part: Part) -> None:
        height = _height(part, self._columns)
        match part:
            case Line():
                self._line(part, height)
            case Hairline():
                self._box(0, 0, self._columns * _CELL, height, _INK if part.bold else _RULE)
            case Bar():
                self._box(0, 0, self._columns * _CELL, height, _INK)
            case QrCode():
                self._qr(part.data)
            case Bars():
                self._bars(part.data, height)
            case Gap():
                pass
        self._y += height

    def _box(self, x: int, y: int, wide: int, high: int, grey: int) -> None:
        """A filled box; x and y in dots from the left edge of the paper's printable part and from the present line."""
        left, top, scale = (_MARGIN + x) * self._scale, (self._y + y) * self._scale, self._scale
        self._pen.rectangle((left, top, left + wide * scale - 1, top + high * scale - 1), fill=grey)

    def _line(self, line: Line, height: int) -> None:
        if line.inverse:
            self._box(0, 0, self._columns * _CELL, height, _INK)
        columns = self._columns // line.size
        baseline = (self._y + height * 0.7) * self._scale
        for index, run in enumerate(line.runs):
            before = line.runs[index - 1] if index else None
            start = before.column + width(before.text) if before else 0
            end = line.runs[index + 1].column if index + 1 < len(line.runs) else columns
            grey = _PAPER if line.inverse else _QUIET if run.emphasis == "quiet" else _INK
            if run.fixed:
                self._cells(run, baseline, grey)
            else:
                self._run(run, line.size, (start, end), baseline, grey)

    def _run(self, run: Run, size: int, between: tuple[int, int], baseline: float, grey: int) -> None:
        """Type at the run's own edge; smaller where it would run into its neighbours at the columns `between`."""
        cell, edge = _CELL * size * self._scale, _MARGIN * self._scale
        start, end = run.column, run.column + width(run.text)
        room = {"left": between[1] - start, "right": end - between[0], "center": between[1] - between[0]}[run.anchor]
        size_px = (_SIZE[size] - (2 if run.emphasis == "quiet" else 0)) * self._scale
        pieces, wide = self._set(run, size_px)
        while wide > room * cell and size_px > 8 * self._scale:
            size_px -= self._scale
            pieces, wide = self._set(run, size_px)
        middle = self._columns * _CELL * self._scale // 2
        x = edge + {"left": start * cell, "right": end * cell - wide, "center": middle - wide // 2}[run.anchor]
        for text, face, advance in pieces:
            self._pen.text((x, baseline), text, fill=grey, font=face, anchor="ls", features=_features())
            x += advance

    def _cells(self, run: Run, baseline: float, grey: int) -> None:
        """Text that somebody else has set in columns: each character in its cell."""
        cell, column = _CELL * self._scale, run.column
        for cluster in clusters(run.text):
            wide = width(cluster)
            role = best(cluster[0], self._language, bold=False, proportional=False)
            face = font(role or "mono", _FIXED_PX * self._scale, self._language, bold=False)
            x = _MARGIN * self._scale + (column + wide / 2) * cell
            self._pen.text((x, baseline), cluster if role else _NO_GLYPH, fill=grey, font=face, anchor="ms")
            column += wide

    def _set(self, run: Run, size: int) -> tuple[list[tuple[str, Font, int]], int]:
        """The run in pieces of one typeface each, with their advances, and the whole width in pixels."""
        bold = run.emphasis == "strong"
        pieces: list[tuple[str, Font, int]] = []
        for role, text in _by_face(run.text, self._language, bold=bold):
            face = font(role, size, self._language, bold=bold)
            pieces.append((text, face, round(face.getlength(text, features=_features()))))
        return pieces, sum(advance for _, _, advance in pieces)

    def _qr(self, data: str) -> None:
        modules = qr_modules(data)
        size = module_dots(len(modules), self._columns * _CELL)
        left = (self._columns * _CELL - len(modules) * size) // 2
        for y, row in enumerate(modules):
            for x, dark in enumerate(row):
                if dark:
                    self._box(left + x * size, QR_QUIET + y * size, size, size, 0)

    def _bars(self, data: str, height: int) -> None:
        if not height:
            return
        modules = bars_modules(data)
        left = (self._columns * _CELL - len(modules) * 2) // 2
        for index, dark in enumerate(modules):
            if dark:
                self._box(left + index * 2, 0, 2, height, 0)


@lru_cache(maxsize=1)
def _features() -> list[str] | None:
    """Figures of equal width, where Pillow was built with Raqm; Inter's default figures differ in width."""
    return ["tnum"] if features.check("raqm") else None


@lru_cache(maxsize=4096)
def _by_face(text: str, language: str, *, bold: bool) -> tuple[tuple[str, str], ...]:
    """(role, text) pieces of one typeface each. What none has becomes an empty square."""
    pieces: list[tuple[str, str]] = []
    for cluster in clusters(text):
        role = best(cluster[0], language, bold=bold, proportional=True)
        if not role:
            role, cluster = "mono", _NO_GLYPH
        if pieces and pieces[-1][0] == role:
            pieces[-1] = (role, pieces[-1][1] + cluster)
        else:
            pieces.append((role, cluster))
    return tuple(pieces)
