"""Sales to print, as a lane would have closed them."""

import msgspec

from kiosk.core.state import Shop
from kiosk.receipt.document import Document, compose
from kiosk.records.sale import (
    CardReferences,
    Currency,
    Discount,
    Line,
    LineKind,
    Price,
    Quantity,
    Sale,
    TaxTotal,
    Tender,
)

DKK = Currency("DKK", 2)
WALL_MS = 1_795_300_000_000

SHOPS: dict[str, tuple[str, tuple[str, ...], str, Currency]] = {
    "en": ("Kassa Corner Shop", ("12 Harbour Street", "1400 Copenhagen K"), "DK 12 34 56 78", DKK),
    "da": ("Torvets Købmand", ("Christianshavns Torv 2", "1410 København K"), "DK 12 34 56 78", DKK),
    "bg": ("Магазин „Ягода“", ("ул. Граф Игнатиев 12", "1000 София"), "BG 123456789", Currency("EUR", 2)),
    "zh-Hans": ("街角便利店", ("上海市黄浦区南京东路100号",), "91310000MA1FL0XX1A", Currency("CNY", 2)),
    "zh-Hant": ("街角便利商店", ("臺北市信義區松壽路12號",), "12345678", Currency("TWD", 0)),
}

NAMES: dict[str, tuple[str, ...]] = {
    "en": (
        "Whole milk 1 l",
        "Organic rye bread with sunflower seeds and spelt, sliced 950 g",
        "Sparkling water 0.5 l",
        "Apples",
    ),
    "da": (
        "Økologisk letmælk 1 l",
        "Rugbrød med solsikkekerner og spelt, skiveskåret 950 g",
        "Danskvand 0,5 l",
        "Æbler",
    ),
    "bg": (
        "Прясно мляко 3,6 % 1 л",
        "Ръжен хляб със слънчогледови семки и лимец, нарязан 950 г",
        "Газирана вода 0,5 л",
        "Ябълки",
    ),
    "zh-Hans": ("全脂牛奶 1 升", "有机黑麦葵花籽斯佩尔特小麦切片面包 950 克装，每日新鲜烘焙", "气泡水 0.5 升", "苹果"),
    "zh-Hant": (
        "全脂鮮乳 1 公升",
        "有機黑麥葵花籽斯佩爾特小麥切片麵包 950 公克裝，每日新鮮烘焙",
        "氣泡水 0.5 公升",
        "蘋果",
    ),
}
DEPOSIT = {"en": "Deposit", "da": "Pant A", "bg": "Депозит", "zh-Hans": "押金", "zh-Hant": "押金"}


def shop(language: str = "da", **changes: object) -> Shop:
    name, address, tax_number, currency = SHOPS[language]
    values: dict[str, object] = {
        "name": name,
        "address": address,
        "tax_number": tax_number,
        "currency": currency,
        "prices_include_tax": True,
        "rounding_rule": "category-half-up/1",
        "languages": tuple(SHOPS),
        "default_language": language,
        "register": "R01",
        "receipt_url": "https://kassa.example/r/{sale_id}",
    }
    return Shop(**(values | changes))  # type: ignore[arg-type]


def line(
    number: int,
    name: dict[str, str],
    gross_minor: int,
    *,
    quantity: Quantity | None = None,
    unit_price: int | None = None,
    exponent: int = 2,
    kind: LineKind = "item",
    parent: str = "",
    category: str = "S",
    rate_bp: int = 2500,
    reason: str = "",
    voids: str = "",
    discounts: list[Discount] | None = None,
) -> Line:
    amount = gross_minor if unit_price is None else unit_price
    return Line(
        line_id=f"l{number}",
        kind=kind,
        code=f"57000000{number:05d}",
        name=name,
        quantity=quantity or Quantity(1),
        price=Price("c1", amount, amount, exponent),
        gross_minor=gross_minor,
        tax_category=category,
        tax_rate_bp=rate_bp,
        parent=parent,
        reason=reason,
        voids=voids,
        discounts=discounts or [],
    )


def card(total_minor: int, receipt_lines: list[str] | None = None) -> Tender:
    references = CardReferences("************1234", "Visa", "52500017", "000123", "0045", "A1B2C3", "11-21 23:24:10")
    return Tender(
        "t1", "card", "approved", total_minor, total_minor, card=references, receipt_lines=receipt_lines or []
    )


def taxes(lines: list[Line]) -> list[TaxTotal]:
    gross: dict[tuple[str, int], int] = {}
    for each in lines:
        key = (each.tax_category, each.tax_rate_bp)
        gross[key] = gross.get(key, 0) + each.gross_minor
    totals = []
    for (category, rate_bp), amount in sorted(gross.items(), key=lambda entry: -entry[0][1]):
        tax = round(amount * rate_bp / (10_000 + rate_bp))
        totals.append(TaxTotal(category, rate_bp, amount - tax, tax, amount))
    return totals


def sale(lines: list[Line], currency: Currency = DKK, **changes: object) -> Sale:
    total = sum(each.gross_minor for each in lines)
    values: dict[str, object] = {
        "sale_id": "0198f3c2-7b11-7cc2-9a51-3f0a5b1c2d3e",
        "sale_no": 4711,
        "kind": "sale",
        "state": "closed",
        "currency": currency,
        "prices_include_tax": True,
        "rounding_rule": "category-half-up/1",
        "catalogue_version": "c1",
        "language": "da",
        "opened_wall_ms": WALL_MS - 60_000,
        "lines": lines,
        "tenders": [card(total)],
        "taxes": taxes(lines),
        "total_minor": total,
        "receipt_series": "A",
        "receipt_no": 123,
        "closed_wall_ms": WALL_MS,
    }
    return Sale(**(values | changes))  # type: ignore[arg-type]


def typical(language: str) -> Sale:
    """Milk, twice the same bread, three waters with their deposits, weighed apples, fruit at another rate, a void."""
    currency = SHOPS[language][3]
    factor = 1 if currency.exponent == 0 else 10**currency.exponent // 4
    milk, bread, water, apples = ({language: text, "en": text} for text in NAMES[language])
    deposit = {language: DEPOSIT[language], "en": "Deposit"}
    reduced = {"da": 2500, "en": 2500}.get(language, 900)

    def made(name: dict[str, str], minor: int, **more: object) -> Line:
        return line(0, name, minor * factor, exponent=currency.exponent, **more)  # type: ignore[arg-type]

    lines = [made(milk, 52), made(bread, 115, rate_bp=reduced), made(bread, 115, rate_bp=reduced)]
    for _ in range(3):
        lines += [made(water, 36), made(deposit, 4, kind="deposit")]
    lines.append(made(apples, 94, quantity=Quantity(1250, 3, "kg"), unit_price=75 * factor))
    lines.append(made(milk, -52, quantity=Quantity(-1), voids="n0"))
    return sale(numbered(lines), currency, language=language)


def numbered(lines: list[Line]) -> list[Line]:
    """Each its own id; a deposit hangs below the line before it; equal names have equal codes."""
    out: list[Line] = []
    codes: dict[str, str] = {}
    for index, each in enumerate(lines):
        code = codes.setdefault(str(each.name), f"05700000{len(codes):06d}")
        parent = out[-1].line_id if each.kind == "deposit" and out else ""
        out.append(msgspec.structs.replace(each, line_id=f"n{index}", code=code, parent=parent))
    return out


def issue(which: Sale, language: str = "da", **changes: object) -> Document:
    return compose(which, shop(language, **changes), language, issued_wall_ms=WALL_MS + 5_000, tzo_min=60)
