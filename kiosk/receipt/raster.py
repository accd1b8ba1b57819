"""Lines of text as one-bit pictures on the printer's grid: cells of 12 x 24 dots on a pitch of 30, as font A has them.

The same cells, so that a drawn line stands in the columns of the printed lines around it.
"""

from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from kiosk.receipt.columns import clusters, width
from kiosk.receipt.fonts import best, font
from kiosk.receipt.layout import Line

CELL_DOTS = 12
GLYPH_DOTS = 24
PITCH_DOTS = 30
_BASELINE = 20
# Size in pixels at which a role's glyphs fill the cell of 12 dots: DejaVu's pitch is 0.602 em, Noto Mono's 0.5.
_SIZE_PX = {"mono": 20, "cjk": 23, "cjk_mono": 23, "wide_sans": 17}
_INK_FROM = 120
"""Grey above which a dot is burned. Below half, since thin strokes of 24-dot Chinese break otherwise."""


def draw_line(line: Line, columns: int, language: str) -> Image.Image:
    """A one-bit picture, ink set, of the printable width; its height is the line's pitch."""
    scale = line.size
    # The space between lines is below the signs, and large lines have none, as with the printer's own font.
    picture = Image.new("1", (columns * CELL_DOTS, PITCH_DOTS if scale == 1 else GLYPH_DOTS * 2))
    top = (PITCH_DOTS - GLYPH_DOTS) // 2 if line.inverse and scale == 1 else 0
    for run in line.runs:
        column = run.column
        for cluster in clusters(run.text):
            if cluster != " ":
                glyph = _glyph(cluster, language, scale, bold=run.emphasis == "strong")
                picture.paste(glyph, (column * CELL_DOTS * scale, top))
            column += width(cluster)
    return ImageChops.invert(picture) if line.inverse else picture


@lru_cache(maxsize=4096)
def _glyph(cluster: str, language: str, scale: int, *, bold: bool) -> Image.Image:
    size = (max(1, width(cluster)) * CELL_DOTS * scale, GLYPH_DOTS * scale)
    role = best(cluster[0], language, bold=bold, proportional=False)
    if not role:
        box = Image.new("1", size)
        ImageDraw.Draw(box).rectangle((2, 2 * scale, size[0] - 3, _BASELINE * scale), outline=1)
        return box
    grey = Image.new("L", size)
    face = font(role, _SIZE_PX[role] * scale, language, bold=bold)
    # Centred in its cell: a face with another pitch keeps to the grid all the same.
    ImageDraw.Draw(grey).text((size[0] / 2, _BASELINE * scale), cluster, fill=255, font=face, anchor="ms")
    return grey.point(lambda value: 255 if value >= _INK_FROM else 0, mode="1")
