"""The typefaces of the system that receipts are drawn with, and which of them has a character."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from kiosk.receipt.columns import char_width

ROOT = Path("/usr/share/fonts")

_CJK = ("opentype/noto/NotoSansCJK-{weight}.ttc",)
# Faces inside Noto's collection, in the order Noto Sans CJK 2.004 lists them: sans JP KR SC TC HK, then mono.
_CJK_SANS = {"zh-Hans": 2, "zh-Hant": 3}
_CJK_MONO = {"zh-Hans": 7, "zh-Hant": 8}

_FILES = {
    "mono": ("truetype/dejavu/DejaVuSansMono{dash_weight}.ttf", "truetype/noto/NotoSansMono-{weight}.ttf"),
    "sans": ("opentype/inter/Inter-{weight}.otf", "truetype/noto/NotoSans-{weight}.ttf"),
    "wide_sans": ("truetype/noto/NotoSans-{weight}.ttf", "truetype/dejavu/DejaVuSans{dash_weight}.ttf"),
    "cjk": _CJK,
    "cjk_mono": _CJK,
}
_UNASSIGNED = "\U0010fffe"

Font = ImageFont.FreeTypeFont


def missing_fonts() -> list[str]:
    """Typefaces this machine lacks, by role; without `cjk` Chinese comes out as boxes. For a check at start."""
    return [role for role in ("mono", "sans", "cjk") if _path(role, bold=False) is None]


@lru_cache(maxsize=64)
def font(role: str, size_px: int, language: str, *, bold: bool) -> Font:
    """The typeface of a role in pixels. A missing one is replaced: a customer who paid gets a receipt."""
    path = _path(role, bold=bold) or _path("mono", bold=bold)
    if path is None:
        default = ImageFont.load_default(size_px)
        assert isinstance(default, Font)
        return default
    faces = {"cjk": _CJK_SANS, "cjk_mono": _CJK_MONO}.get(role)
    index = faces.get(language, faces["zh-Hans"]) if faces and path.suffix == ".ttc" else 0
    return ImageFont.truetype(str(path), size_px, index=index)


def chain(char: str, language: str, *, proportional: bool) -> tuple[str, ...]:
    """Roles to try for a character, best first."""
    narrow = char_width(char) < 2
    if proportional:
        return ("sans", "cjk", "wide_sans") if narrow else ("cjk", "sans", "wide_sans")
    if not narrow:
        return ("cjk", "wide_sans")
    # Noto's mono has a pitch of half an em for ASCII only; it goes best with Chinese beside it.
    if char.isascii() and language.startswith("zh"):
        return ("cjk_mono", "mono")
    return ("mono", "wide_sans", "cjk_mono")


@lru_cache(maxsize=8192)
def has_glyph(role: str, char: str, language: str, *, bold: bool) -> bool:
    """Whether the typeface draws `char` as anything but its box for unknown characters."""
    if char.isspace():
        return True
    face = font(role, 24, language, bold=bold)
    return bytes(face.getmask(char)) != bytes(face.getmask(_UNASSIGNED))


def best(char: str, language: str, *, bold: bool, proportional: bool) -> str:
    """The role of the first typeface that has `char`; empty where none does."""
    roles = chain(char, language, proportional=proportional)
    return next((role for role in roles if has_glyph(role, char, language, bold=bold)), "")


def _path(role: str, *, bold: bool) -> Path | None:
    weight, dash_weight = ("Bold", "-Bold") if bold else ("Regular", "")
    for pattern in _FILES[role]:
        path = ROOT / pattern.format(weight=weight, dash_weight=dash_weight)
        if path.exists():
            return path
    return None
