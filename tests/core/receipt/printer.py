"""A small reader of ESC/POS, written from Epson's command reference, that knows nothing of the encoder.

It refuses every byte it does not know, so that nothing unexpected reaches a printer unnoticed.
"""

from dataclasses import dataclass, field

from PIL import Image

PAGES = {0: "cp437", 2: "cp850", 16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 46: "cp1251"}


@dataclass
class Text:
    """One printed line; `bold` holds the parts in bold."""

    text: str
    size: int
    bold: list[str] = field(default_factory=list)


@dataclass
class Picture:
    image: Image.Image


@dataclass
class Code:
    data: str
    centred: bool
    size: int


@dataclass
class Cut:
    pass


@dataclass
class Feed:
    lines: int


Printed = Text | Picture | Code | Cut | Feed


class Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self.printed: list[Printed] = []
        self.area_dots = 0
        self.kanji_cancelled = False
        self._reset()

    def _reset(self) -> None:
        self._page, self._bold, self._size, self._align = "cp437", False, 1, 0
        self._line: list[tuple[str, bool]] = []
        self._stored, self._module = b"", 0

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        assert len(taken) == count, "cut off"
        self._at += count
        return taken

    def read(self) -> list[Printed]:
        assert self._data[:2] == b"\x1b@", "a job begins with a reset"
        while self._at < len(self._data):
            byte = self._take(1)[0]
            if byte == 0x0A:
                self._end_line()
            elif byte >= 0x20:
                self._line.append((bytes((byte,)).decode(self._page), self._bold))
            else:
                self._command(byte)
        assert not self._line, "text without its line feed"
        return self.printed

    def _end_line(self) -> None:
        text = "".join(char for char, _ in self._line)
        bold = "".join(char if strong else "\0" for char, strong in self._line).split("\0")
        self.printed.append(Text(text.rstrip(" "), self._size, [part for part in bold if part]))
        self._line = []

    def _command(self, lead: int) -> None:
        name = chr(self._take(1)[0])
        match lead, name:
            case 0x1B, "@":
                self._reset()
            case 0x1B, "2":
                pass
            case 0x1B, "R" | "M":
                assert self._take(1) == b"\0"
            case 0x1B, "a":
                self._align = self._take(1)[0]
            case 0x1B, "t":
                self._page = PAGES[self._take(1)[0]]
            case 0x1B, "E":
                self._bold = self._take(1) == b"\x01"
            case 0x1B, "d":
                self.printed.append(Feed(self._take(1)[0]))
            case 0x1C, ".":
                self.kanji_cancelled = True
            case 0x1D, "W":
                self.area_dots = int.from_bytes(self._take(2), "little")
            case 0x1D, "!":
                self._size = {0: 1, 0x11: 2}[self._take(1)[0]]
            case 0x1D, "V":
                assert self._take(2) == b"B\0"
                self.printed.append(Cut())
            case 0x1D, "v":
                self._raster()
            case 0x1D, "(":
                self._code()
            case _:
                raise AssertionError(f"unknown command {lead:02x} {name!r} at byte {self._at}")

    def _raster(self) -> None:
        assert self._take(2) == b"0\0"
        assert not self._line, "a picture in the middle of a line"
        wide, high = int.from_bytes(self._take(2), "little"), int.from_bytes(self._take(2), "little")
        assert wide >= 1
        assert high >= 1
        self.printed.append(Picture(Image.frombytes("1", (wide * 8, high), self._take(wide * high))))

    def _code(self) -> None:
        assert self._take(1) == b"k"
        body = self._take(int.from_bytes(self._take(2), "little"))
        assert body[:1] == b"1"
        match body[1]:
            case 65:
                assert body[2:] == b"2\0"
            case 67:
                self._module = body[2]
            case 69:
                assert body[2:] == b"1"
            case 80:
                self._stored = body[3:]
            case 81:
                self.printed.append(Code(self._stored.decode("ascii"), self._align == 1, self._module))
            case other:
                raise AssertionError(f"unknown code function {other}")


def texts(printed: list[Printed]) -> list[str]:
    return [each.text for each in printed if isinstance(each, Text)]


def pictures(printed: list[Printed]) -> list[Image.Image]:
    return [each.image for each in printed if isinstance(each, Picture)]


def whole(printed: list[Printed]) -> Image.Image:
    """All pictures below one another, as black on white."""
    images = pictures(printed)
    sheet = Image.new("1", (max(each.width for each in images), sum(each.height for each in images)), 1)
    top = 0
    for each in images:
        sheet.paste(0, (0, top), each)
        top += each.height
    return sheet
