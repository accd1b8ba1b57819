"""The print head: commands → marks on the paper. Standard mode; no clock, no I/O.

Source: Epson "ESC/POS Command Reference". Motion units are 1/203 inch (one dot) both ways, the default
of an 80 mm, 576-dot model. Page mode and user-defined characters are not there: such commands are reported.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from PIL import Image

from hal.virtual.printer import charset, symbols
from hal.virtual.printer.commands import Command
from hal.virtual.printer.paper import WIDTH_DOTS, Picture, Run, Strip, Style

DEFAULT_SPACING = 30
PIXEL_LIMIT = 4 << 20
IGNORED = frozenset((
    "CR", "CAN", "FF", "ignored", "DLE EOT", "DLE ENQ", "DLE DC4",
    "ESC %", "ESC <", "ESC =", "ESC S", "ESC U", "ESC V", "ESC c", "ESC r", "ESC u", "ESC v", "ESC {",
    "GS ( D", "GS ( E", "GS ( K", "GS ( M", "GS ( N", "GS :", "GS P", "GS T", "GS ^", "GS b", "GS f",
    "FS !", "FS &", "FS -", "FS .", "FS C", "FS S", "FS W",
))  # fmt: skip


@dataclass
class _Settings:
    style: Style = field(default_factory=Style)
    align: int = 0
    spacing: int = DEFAULT_SPACING
    page: int = 0
    country: int = 0
    right_space: int = 0
    left_margin: int = 0
    area: int = WIDTH_DOTS
    tabs: tuple[int, ...] = tuple(range(8, 256, 8))
    qr_size: int = 3
    qr_level: int = 48
    bar_height: int = 162
    bar_width: int = 3
    bar_text: int = 0


@dataclass
class _Piece:
    """One thing waiting in the line buffer, at `x` from the left margin."""

    x: int
    width: int
    height: int
    text: str = ""
    style: Style | None = None
    image: Image.Image | None = None


class Head:
    """`execute` returns how many dots of paper went through; `strip` is what came out."""

    def __init__(self) -> None:
        self.strip = Strip()
        self._qr_data = b""
        self._stored: Image.Image | None = None
        self._settings = _Settings()
        self._line: list[_Piece] = []
        self._x = 0
        self._actions = self._table()

    @property
    def has_unprinted_line(self) -> bool:
        return bool(self._line)

    def reset(self) -> None:
        """ESC @: settings and the line not yet printed; the paper stays as it is."""
        self._settings = _Settings()
        self._qr_data, self._stored = b"", None
        self.clear_line()

    def clear_line(self) -> None:
        self._line, self._x = [], 0

    def knows(self, command: Command) -> bool:
        return command.name in self._actions or command.name in IGNORED

    def execute(self, command: Command) -> int:
        before = self.strip.height
        action = self._actions.get(command.name)
        if action is not None:
            action(command.args)
        return self.strip.height - before

    def feed(self, dots: int) -> None:
        self._flush(dots)

    def _table(self) -> dict[str, Callable[[bytes], None]]:
        return {
            "text": self._text,
            "LF": lambda _: self._flush(self._settings.spacing),
            "HT": self._tab,
            "ESC @": lambda _: self.reset(),
            "ESC d": lambda a: self._flush(a[0] * self._settings.spacing),
            "ESC J": lambda a: self._flush(a[0]),
            "ESC 2": lambda _: self._set(spacing=DEFAULT_SPACING),
            "ESC 3": lambda a: self._set(spacing=a[0]),
            "ESC a": lambda a: self._set(align=a[0] & 0x03 if a[0] in (0, 1, 2, 48, 49, 50) else 0),
            "ESC t": lambda a: self._set(page=a[0]),
            "ESC R": lambda a: self._set(country=a[0]),
            "ESC SP": lambda a: self._set(right_space=a[0]),
            "ESC $": lambda a: self._move(a[0] | a[1] << 8),
            "ESC \\": lambda a: self._move(self._x + int.from_bytes(a, "little", signed=True)),
            "ESC D": self._set_tabs,
            "ESC !": self._mode,
            "ESC E": lambda a: self._restyle(bold=bool(a[0] & 1)),
            "ESC G": lambda a: self._restyle(bold=bool(a[0] & 1)),
            "ESC -": lambda a: self._restyle(underline=a[0] & 0x03 if a[0] & 0x03 < 3 else 0),
            "ESC M": lambda a: self._restyle(font="B" if a[0] in (1, 49) else "A"),
            "GS !": lambda a: self._restyle(width=(a[0] >> 4 & 7) + 1, height=(a[0] & 7) + 1),
            "GS B": lambda a: self._restyle(reverse=bool(a[0] & 1)),
            "GS L": lambda a: self._set(left_margin=min(a[0] | a[1] << 8, WIDTH_DOTS - 24)),
            "GS W": lambda a: self._set(area=max(min(a[0] | a[1] << 8, WIDTH_DOTS), 24)),
            "GS H": lambda a: self._set(bar_text=a[0] & 0x03),
            "GS h": lambda a: self._set(bar_height=max(a[0], 1)),
            "GS w": lambda a: self._set(bar_width=min(max(a[0], 2), 6)),
            "GS v": self._raster,
            "GS k": self._barcode,
            "GS ( k": self._two_dimensional,
            "GS ( L": self._graphics,
            "GS 8 L": self._graphics,
            "ESC *": self._bit_image,
        }

    # Settings

    def _set(self, **changes: int) -> None:
        self._settings = replace(self._settings, **changes)  # type: ignore[arg-type]

    def _restyle(self, **changes: object) -> None:
        self._settings = replace(
            self._settings,
            style=replace(self._settings.style, **changes),  # type: ignore[arg-type]
        )

    def _mode(self, args: bytes) -> None:
        n = args[0]
        self._restyle(
            font="B" if n & 0x01 else "A",
            bold=bool(n & 0x08),
            height=2 if n & 0x10 else 1,
            width=2 if n & 0x20 else 1,
            underline=1 if n & 0x80 else 0,
        )

    def _set_tabs(self, args: bytes) -> None:
        self._settings = replace(self._settings, tabs=tuple(column for column in args if column))

    # The line buffer

    @property
    def _room(self) -> int:
        return min(self._settings.area, WIDTH_DOTS - self._settings.left_margin)

    def _text(self, args: bytes) -> None:
        style = self._settings.style
        width, height = style.cell
        pitch = width + self._settings.right_space * style.width
        for character in charset.decode(args, self._settings.page, self._settings.country):
            if self._x + width > self._room and self._line:
                self._flush(self._settings.spacing)
            self._line.append(_Piece(self._x, pitch, height, character, style))
            self._x += pitch

    def _tab(self, _args: bytes) -> None:
        column = self._settings.style.cell[0]
        ahead = [t * column for t in self._settings.tabs if t * column > self._x]
        if ahead and ahead[0] < self._room:
            self._x = ahead[0]

    def _move(self, x: int) -> None:
        if 0 <= x < self._room:
            self._x = x

    def _flush(self, feed: int) -> None:
        """Print the line buffer, then feed: at least the height of what was printed."""
        line, self._line, self._x = self._line, [], 0
        if not line:
            self.strip.height += feed
            return
        height = max(piece.height for piece in line)
        end = max(piece.x + piece.width for piece in line)
        left = self._left(end)
        for piece in line:
            if piece.image is not None:
                at = self.strip.height + height - piece.height
                self.strip.put(Picture(left + piece.x, at, piece.image, "image"))
        for run in _runs(line, left, self.strip.height + height):
            self.strip.put(run)
        self.strip.height += max(feed, height)

    def _left(self, width: int) -> int:
        spare = max(self._room - width, 0)
        return self._settings.left_margin + (0, spare // 2, spare)[self._settings.align]

    # Pictures

    def _place(self, image: Image.Image, kind: str, meaning: str = "") -> None:
        """Print a picture on its own lines, as rasters and codes are in standard mode."""
        if self._line:
            self._flush(self._settings.spacing)
        image = image.crop((0, 0, min(image.width, self._room), image.height))
        self.strip.put(Picture(self._left(image.width), self.strip.height, image, kind, meaning))
        self.strip.height += image.height

    def _raster(self, args: bytes) -> None:
        """GS v 0 m xL xH yL yH d…"""
        scale = args[1] & 0x03
        self._dots(args[6:], (args[2] | args[3] << 8) * 8, args[4] | args[5] << 8, 1 + (scale & 1), 1 + (scale >> 1))

    def _dots(self, data: bytes, width: int, height: int, across: int, down: int) -> None:
        image = _raster_image(data, width, height, across, down)
        if image is not None:
            self._place(image, "raster")

    def _graphics(self, args: bytes) -> None:
        """GS ( L / GS 8 L: function 112 stores a raster, 50 (or 2) prints it."""
        if len(args) >= 10 and args[1] == 112:
            width, height = args[6] | args[7] << 8, args[8] | args[9] << 8
            self._stored = _raster_image(args[10:], width, height, min(args[3], 2), min(args[4], 2))
        elif len(args) >= 2 and args[1] in (2, 50) and self._stored is not None:
            image, self._stored = self._stored, None
            self._place(image, "raster")

    def _bit_image(self, args: bytes) -> None:
        """ESC * m nL nH d…: columns of 8 or 24 dots into the line buffer."""
        tall = args[0] in (32, 33)
        columns, stride = args[1] | args[2] << 8, 3 if tall else 1
        image = Image.new("1", (columns or 1, stride * 8), 0)
        dots = image.load()
        for column in range(columns if dots is not None else 0):
            bits = int.from_bytes(args[3 + column * stride : 3 + (column + 1) * stride], "big")
            for row in range(stride * 8):
                if bits >> (stride * 8 - 1 - row) & 1:
                    dots[column, row] = 1  # type: ignore[index]
        across = 1 if args[0] in (1, 33) else 2
        image = image.resize((image.width * across, image.height * (1 if tall else 3)), Image.Resampling.NEAREST)
        self._line.append(_Piece(self._x, image.width, image.height, image=image))
        self._x += image.width

    def _two_dimensional(self, args: bytes) -> None:
        """GS ( k with cn 49, QR: 67 size, 69 level, 80 store, 81 print (functions 167, 169, 180, 181)."""
        if len(args) < 3 or args[0] != 49:
            return
        function, value = args[1], args[2]
        if function == 67:
            self._set(qr_size=min(max(value, 1), 16))
        elif function == 69:
            self._set(qr_level=value)
        elif function == 80:
            self._qr_data = args[3:]
        elif function == 81:
            image = symbols.qr_image(self._qr_data, self._settings.qr_size, self._settings.qr_level)
            if image is not None and image.width <= self._room:
                self._place(image, "qr", self._qr_data.decode("utf-8", "replace"))

    def _barcode(self, args: bytes) -> None:
        kind = args[0]
        built = symbols.linear(kind, args[1:].rstrip(b"\0") if kind <= 6 else args[2:])
        if built is None:
            return
        modules, text = built
        image = symbols.bars_image(modules, self._settings.bar_width, self._settings.bar_height)
        if image.width > self._room:
            return
        if self._settings.bar_text & 1:
            self._caption(text)
        self._place(image, "barcode", text)
        if self._settings.bar_text & 2:
            self._caption(text)

    def _caption(self, text: str) -> None:
        style = Style()
        for at, character in enumerate(text):
            self._line.append(_Piece(at * 12, 12, 24, character, style))
        self._flush(24)


def _runs(line: list[_Piece], left: int, bottom: int) -> list[Run]:
    """Neighbouring characters of one style become one run."""
    runs: list[Run] = []
    end = -1
    for piece in line:
        if piece.style is None:
            continue
        last = runs[-1] if runs else None
        if last is not None and last.style == piece.style and last.pitch == piece.width and end == piece.x:
            runs[-1] = replace(last, text=last.text + piece.text)
        else:
            runs.append(Run(left + piece.x, bottom - piece.height, piece.text, piece.style, piece.width))
        end = piece.x + piece.width
    return runs


def _raster_image(data: bytes, width: int, height: int, across: int, down: int) -> Image.Image | None:
    """Rows of whole bytes, the first dot in the highest bit; None when the size is empty or absurd."""
    stride = (width + 7) // 8
    if not width or not height or stride * 8 * height > PIXEL_LIMIT:
        return None
    whole = data[: stride * height].ljust(stride * height, b"\0")
    image = Image.frombytes("1", (stride * 8, height), whole).crop((0, 0, width, height))
    if (across, down) == (1, 1):
        return image
    return image.resize((width * across, height * down), Image.Resampling.NEAREST)
