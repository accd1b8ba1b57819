"""A catalogue of any size for measurements, always the same: the sample shop first, then made-up goods.

python tests/bench/catalogue_100k.py [ROWS] > catalogue.csv
"""

import sys
from collections.abc import Iterator
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "provisioning" / "shop" / "sample.csv"
_GOODS = (
    ("Rye bread", "Rugbrød", "Ръжен хляб", "黑麦面包", "黑麥麵包", "bakery", "bread"),
    ("Whole milk", "Sødmælk", "Пълномаслено мляко", "全脂牛奶", "全脂牛奶", "dairy", "milk"),
    ("Chopped tomatoes", "Hakkede tomater", "Нарязани домати", "番茄丁", "切丁番茄", "pantry", "can"),
    ("Shower gel", "Shower gel", "Душ гел", "沐浴露", "沐浴乳", "personal_care", "soap"),
    ("Sparkling water", "Vand med brus", "Газирана вода", "气泡水", "氣泡水", "drinks", "water"),
)


def ean13(number: int) -> str:
    """The `number`th EAN-13 of GS1's prefix 952 for examples, from the end that the sample shop does not use."""
    body = f"952{999_999_999 - number:09d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


def rows(count: int) -> Iterator[str]:
    """A heading and `count` rows of CSV, each with its line break. Of the sample all rows are there at any count."""
    sample = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    yield from sample
    for number in range(count - len(sample) + 1):
        en, da, bg, hans, hant, category, image = _GOODS[number % len(_GOODS)]
        price = f"{number % 397 + 1}.{number * 5 % 100:02d}"
        names = ",".join(f"{name} {number}" for name in (en, da, bg, hans, hant))
        yield f"{ean13(number)},,{names},{price},S:25,{category},each,,,{image},\n"


def text(count: int = 100_000) -> str:
    return "".join(rows(count))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.writelines(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
