"""A document as ESC/POS bytes: text in verified code pages, everything else as pictures in the same columns.

Of python-escpos its command constants are used. Its printers and its automatic encoding are not: importing them leaves
a directory behind in /tmp each time, and the encoding turns any line with a Chinese character into GB 18030, whatever
the printer can. Code page numbers are Epson's (ESC t); they are compared with the library's profiles in the tests.
"""

from collections.abc import Sequence
from functools import lru_cache

from escpos.constants import (
    CODEPAGE_CHANGE,
    CTL_LF,
    ESC,
    GS,
    HW_INIT,
    LINESPACING_RESET,
    TXT_FONT_A,
    TXT_SIZE,
    TXT_STYLE,
)
from PIL import Image

from kiosk.receipt.blocks import Document
from kiosk.receipt.layout import Bar, Bars, Gap, Hairline, Line, Part, QrCode, lay_out
from kiosk.receipt.paper import PrinterProfile
from kiosk.receipt.raster import CELL_DOTS, PITCH_DOTS, draw_line
from kiosk.receipt.symbols import BARS_QUIET, QR_QUIET, bars_modules, module_dots, qr_modules
from kiosk.receipt.wire import checked, image_bands

CODE_PAGES = {
    "CP437": (0, "cp437"),
    "CP850": (2, "cp850"),
    "CP1252": (16, "cp1252"),
    "CP866": (17, "cp866"),
    "CP852": (18, "cp852"),
    "CP858": (19, "cp858"),
    "CP1251": (46, "cp1251"),
}
"""Name as a profile gives it (also with the W of `WPC1252`): number for ESC t, and Python's codec."""

# Signs of equal width that say the same where a code page lacks the better one.
_PLAINER = str.maketrans({"×": "x", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "·": "."})

_CANCEL_KANJI = b"\x1c."
"""FS . : printers sold in China and Taiwan start in two-byte mode, where å and the next letter are one sign."""
_CHARACTERS_USA = ESC + b"R\x00"
"""ESC R 0: a memory switch may have put national letters in the place of # $ @ [ ]."""
_PRINT_AREA = GS + b"W"
_CUT = GS + b"V\x42\x00"
"""GS V 66 0: feed to the knife, then cut all but one point."""
_MAX_DOTS = 1024
_TEAR_LINES = 5
_BARS_DOTS = 64


def encode(document: Document, profile: PrinterProfile, *, copy: bool = False) -> bytes:
    """The whole print job, from reset to cut. `copy`: marked as a copy in the document's language.

    Raises ValueError for a profile of fewer than 24 columns, fewer than 12 dots each, or more than 1024 dots.
    """
    if not profile.columns * CELL_DOTS <= profile.dots <= _MAX_DOTS:
        raise ValueError(
            f"{profile.dots} dots for {profile.columns} columns; allowed: 12 dots or more each, {_MAX_DOTS} in all"
        )
    pages = [page for name in profile.code_pages if (page := CODE_PAGES.get(name.upper().replace("WPC", "CP")))]
    job = _Job(profile, pages, document.language)
    for part in lay_out(document, profile.columns, copy=copy):
        job.add(part)
    return checked(job.finish())


class _Job:
    """The bytes so far, and the printer's modes as those bytes leave it."""

    def __init__(self, profile: PrinterProfile, pages: Sequence[tuple[int, str]], language: str) -> None:
        self._profile, self._pages, self._language = profile, pages, language
        self._out = bytearray(HW_INIT + _CANCEL_KANJI + _CHARACTERS_USA + LINESPACING_RESET + TXT_FONT_A)
        # The area that centring refers to: a wide printer may be set up for narrow paper.
        self._out += TXT_STYLE["align"]["left"] + _PRINT_AREA + profile.dots.to_bytes(2, "little")
        self._page = -1

    def add(self, part: Part) -> None:
        match part:
            case Line():
                self._line(part)
            case Gap():
                self._out += _gap(part.eighths * PITCH_DOTS // 8)
            case Hairline():
                self._out += _ink(self._profile.dots, 3 if part.bold else 1)
            case Bar():
                self._out += _ink(self._profile.dots, part.eighths * PITCH_DOTS // 8)
            case QrCode():
                # Beyond ASCII printers disagree on the character set inside the symbol.
                native = self._profile.qr and part.data.isascii()
                self._out += _native_qr(part.data, self._profile.dots) if native else self._drawn_qr(part.data)
            case Bars():
                self._out += _bars(part.data, self._profile.dots)

    def finish(self) -> bytes:
        self._out += _CUT if self._profile.cutter else ESC + b"d" + bytes((_TEAR_LINES,))
        return bytes(self._out)

    def _line(self, line: Line) -> None:
        text = "".join(run.text for run in line.runs)
        page = next((page for page in self._pages if _encodable(text, page[1])), None)
        # Inverse text of the printer's own is black as high as its signs only: with white stripes between lines.
        if line.inverse or (page is None and not text.isascii()):
            self._out += image_bands(draw_line(line, self._profile.columns, self._language))
            return
        if page is not None and not text.isascii() and page[0] != self._page:
            self._page = page[0]
            self._out += CODEPAGE_CHANGE + bytes((self._page,))
        self._native(line, page[1] if page is not None else "ascii")

    def _native(self, line: Line, codec: str) -> None:
        """The line by the printer's own font."""
        if line.size == 2:
            self._out += TXT_SIZE + b"\x11"
        column = 0
        for run in line.runs:
            self._out += b" " * (run.column - column)
            text = _bytes(run.text, codec)
            bold = run.emphasis == "strong"
            self._out += TXT_STYLE["bold"][True] + text + TXT_STYLE["bold"][False] if bold else text
            column = run.column + len(text)
        self._out += CTL_LF
        if line.size == 2:
            self._out += TXT_SIZE + b"\x00"

    def _drawn_qr(self, data: str) -> bytes:
        modules = qr_modules(data)
        size = module_dots(len(modules), self._profile.dots)
        side = len(modules) * size
        left = (self._profile.dots - side) // 2 // 8 * 8
        picture = Image.new("1", (left + side, side + QR_QUIET * size))
        for y, row in enumerate(modules):
            for x, dark in enumerate(row):
                if dark:
                    picture.paste(1, (left + x * size, y * size, left + (x + 1) * size, (y + 1) * size))
        return image_bands(picture)


@lru_cache(maxsize=4096)
def _encodable(text: str, codec: str) -> bool:
    """True if the code page can say it: there and back again it is the same text."""
    plainer = text.translate(_PLAINER)
    return any(_round_trip(candidate, codec) for candidate in (text, plainer))


def _round_trip(text: str, codec: str) -> bool:
    try:
        return text.encode(codec).decode(codec) == text
    except UnicodeError:
        return False


def _bytes(text: str, codec: str) -> bytes:
    return text.encode(codec) if _round_trip(text, codec) else text.translate(_PLAINER).encode(codec)


def _ink(dots: int, high: int) -> bytes:
    return image_bands(Image.new("1", (dots, high), 1))


def _gap(dots: int) -> bytes:
    """White space as an empty picture: unlike ESC J its unit is a dot on every printer."""
    return image_bands(Image.new("1", (8, dots))) if dots else b""


def _native_qr(data: str, dots: int) -> bytes:
    """GS ( k, functions 165 (model 2), 167 (size), 169 (level M), 180 (store), 181 (print), centred."""
    size = module_dots(len(qr_modules(data)), dots)
    stored = data.encode()
    parts = (b"1A2\x00", b"1C" + bytes((size,)), b"1E1", b"1P0" + stored, b"1Q0")
    commands = b"".join(GS + b"(k" + len(part).to_bytes(2, "little") + part for part in parts)
    return b"".join((TXT_STYLE["align"]["center"], commands, TXT_STYLE["align"]["left"]))


def _bars(data: str, dots: int) -> bytes:
    """Code 128 with bars of 2 dots (0.25 mm, the least that retail scanners promise to read) or none at all."""
    modules = bars_modules(data)
    wide = (len(modules) + 2 * BARS_QUIET) * 2
    if not modules or wide > dots:
        return b""
    picture = Image.new("1", (dots, 1))
    left = (dots - len(modules) * 2) // 2
    for index, dark in enumerate(modules):
        if dark:
            picture.paste(1, (left + index * 2, 0, left + index * 2 + 2, 1))
    return image_bands(picture.resize((dots, _BARS_DOTS)))
