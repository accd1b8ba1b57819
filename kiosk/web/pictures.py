"""Drawn pictures of products: a name in the sprite, or the category's colour with the initial."""

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

SPRITE = Path(__file__).parent / "static" / "products.svg"
DRAWN = frozenset(re.findall(r'<symbol id="p-([a-z_]+)"', SPRITE.read_text(encoding="utf-8")))

TINTS = ("amber", "sky", "leaf", "rose", "teal", "ochre", "berry", "slate", "violet", "clay")
SAME = {
    "baby": "nappy",
    "cleaner": "detergent",
    "crisps": "chips",
    "deposit": "bottle",
    "drink_can": "soda",
    "fruit_veg": "vegetables",
    "household": "detergent",
    "ice_cream": "ice",
    "meat_fish": "meat",
    "personal_care": "soap",
}
"""Names that shops use for what is drawn under another."""

CATEGORY_TINTS = {
    "bakery": "amber",
    "dairy": "sky",
    "eggs": "amber",
    "fruit": "rose",
    "fruit_veg": "leaf",
    "vegetables": "leaf",
    "meat": "clay",
    "fish": "teal",
    "meat_fish": "clay",
    "frozen": "sky",
    "pantry": "ochre",
    "sweets": "berry",
    "snacks": "amber",
    "drinks": "teal",
    "hot_drinks": "clay",
    "beer": "ochre",
    "wine": "berry",
    "spirits": "violet",
    "alcohol": "violet",
    "household": "slate",
    "cleaning": "slate",
    "care": "violet",
    "personal_care": "violet",
    "baby": "rose",
    "pets": "clay",
    "press": "slate",
    "newspapers": "slate",
    "tobacco": "slate",
    "flowers": "berry",
    "bags": "leaf",
    "deposit": "slate",
}


class Picture(NamedTuple):
    """`symbol` is a name in the sprite; where it is empty, `initial` stands instead. `tint` is a colour class."""

    symbol: str
    tint: str
    initial: str


@lru_cache(maxsize=4096)
def picture(image: str, category: str, name: str) -> Picture:
    tint = CATEGORY_TINTS.get(category) or TINTS[crc32(category.encode()) % len(TINTS)]
    words = (image, SAME.get(image, ""), image.rstrip("s"), category, SAME.get(category, ""), category.rstrip("s"))
    symbol = next((word for word in words if word in DRAWN), "")
    return Picture(symbol, tint, name[:1].upper())
