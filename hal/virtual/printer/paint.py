"""A receipt as a picture of 80 mm paper: crisp dots on slightly off-white, as from a 203 dpi thermal head."""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hal.virtual.printer.paper import WIDTH_DOTS, Receipt, Run, Style

MARGIN_X_DOTS = 32  # 80 mm paper, 72 mm printed
MARGIN_Y_DOTS = 24
PAPER = (252, 251, 246)
INK = (38, 36, 40)

_FONTS = Path("/usr/share/fonts/truetype/dejavu")
_SIZES = {"A": (12, 24, 20), "B": (9, 17, 15)}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def png(receipt: Receipt) -> bytes:
    buffer = io.BytesIO()
    picture(receipt).save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def picture(receipt: Receipt) -> Image.Image:
    """RGB, 640 dots wide; the print area begins at (`MARGIN_X_DOTS`, `MARGIN_Y_DOTS`)."""
    dots = Image.new("1", (WIDTH_DOTS, max(receipt.height, 1)), 0)
    for mark in receipt.marks:
        if isinstance(mark, Run):
            _put_run(dots, mark)
        else:
            _put(dots, mark.image, mark.x, mark.y)
    paper = Image.new("RGB", (WIDTH_DOTS + 2 * MARGIN_X_DOTS, dots.height + 2 * MARGIN_Y_DOTS), PAPER)
    paper.paste(INK, (MARGIN_X_DOTS, MARGIN_Y_DOTS), dots)
    return paper


def _put(dots: Image.Image, image: Image.Image, x: int, y: int) -> None:
    dots.paste(1, (x, y), image)


def _put_run(dots: Image.Image, run: Run) -> None:
    style, height = run.style, run.style.cell[1]
    x = run.x
    for character in run.text:
        _put(dots, _cell(character, style, run.pitch), x, run.y)
        x += run.pitch
    if style.underline and not style.reverse:
        draw = ImageDraw.Draw(dots)
        bottom = run.y + height - 1
        draw.rectangle((run.x, bottom - style.underline + 1, run.x + run.pitch * len(run.text) - 1, bottom), 1)


@lru_cache(maxsize=4096)
def _cell(character: str, style: Style, pitch: int) -> Image.Image:
    glyph = _glyph(character, style.font, bold=style.bold)
    width, height = style.cell
    if (width, height) != glyph.size:
        glyph = glyph.resize((width, height), Image.Resampling.NEAREST)
    if not style.reverse:
        return glyph
    cell = Image.new("1", (max(pitch, width), height), 1)
    cell.paste(0, (0, 0), glyph)
    return cell


@lru_cache(maxsize=2048)
def _glyph(character: str, font: str, *, bold: bool) -> Image.Image:
    """One character cell, dots on or off as a thermal head knows them."""
    width, height, size = _SIZES[font]
    image = Image.new("1", (width, height), 0)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"
    boxes = _box(character, width, height)
    for box in boxes:
        draw.rectangle(box, 1)
    if boxes:
        return image
    baseline = round(height * 0.79)
    draw.text((0, baseline), character, fill=1, font=_font(size, bold=bold), anchor="ls")
    return image


def _box(character: str, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Rules and blocks fill the whole cell, so that they join; [] for everything else."""
    middle = height // 2
    if character in "─━":
        return [(0, middle - 1, width, middle)]
    if character == "═":
        return [(0, middle - 4, width, middle - 3), (0, middle + 2, width, middle + 3)]
    if character in "│┃":
        return [(width // 2 - 1, 0, width // 2, height)]
    return [(0, 0, width, height)] if character == "█" else []


@lru_cache(maxsize=8)
def _font(size: int, *, bold: bool) -> Font:
    name = "DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf"
    try:
        return ImageFont.truetype(str(_FONTS / name), size)
    except OSError:
        return ImageFont.load_default(size)
