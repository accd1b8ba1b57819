"""The shop's one accent colour, made safe to read: contrast by WCAG 2.2 (relative luminance, 1.4.3)."""

import colorsys
import re
from functools import lru_cache

FALLBACK = "#0f6b4f"
Rgb = tuple[float, float, float]


@lru_cache(maxsize=16)
def brand_css(accent: str) -> str:
    """Custom properties for the style sheet. A value that is no `#rrggbb` colour is replaced by the house's green.

    `--accent-deep` carries white text at 7:1, `--accent-text` is read on the paper colour at 4.5:1.
    """
    colour = _rgb(accent if re.fullmatch(r"#[0-9a-fA-F]{6}", accent) else FALLBACK)
    button = _darkened(colour, 4.5)
    deep = _darkened(colour, 7.0)
    tokens = {
        "--accent": _hex(button),
        "--accent-press": _hex(_scaled(button, 0.82)),
        "--accent-deep": _hex(deep),
        "--accent-deeper": _hex(_scaled(deep, 0.8)),
        "--accent-soft": _hex(_mixed(colour, 0.12)),
        "--accent-line": _hex(_mixed(colour, 0.35)),
        "--accent-text": _hex(_darkened(colour, 5.6)),
        "--accent-on-deep": _hex(_mixed(colour, 0.28)),
    }
    body = "".join(f"{name}:{value};" for name, value in tokens.items())
    return ":root{" + body + "}\n"


def contrast(one: Rgb, other: Rgb) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _darkened(colour: Rgb, wanted: float) -> Rgb:
    """The same hue, as light as white text on it allows."""
    hue, light, saturation = colorsys.rgb_to_hls(*colour)
    while contrast(colorsys.hls_to_rgb(hue, light, saturation), (1.0, 1.0, 1.0)) < wanted and light > 0:
        light -= 0.01
    return colorsys.hls_to_rgb(hue, max(light, 0.0), saturation)


def _mixed(colour: Rgb, share: float) -> Rgb:
    red, green, blue = (share * part + (1 - share) for part in colour)
    return red, green, blue


def _scaled(colour: Rgb, factor: float) -> Rgb:
    red, green, blue = (part * factor for part in colour)
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(text: str) -> Rgb:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(colour: Rgb) -> str:
    return "#" + "".join(f"{round(min(max(part, 0), 1) * 255):02x}" for part in colour)
