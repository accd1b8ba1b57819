"""Tax totals per category under named, versioned rounding rules (EN 16931-1 BR-CO-14 and BR-S-08: per category)."""

from collections.abc import Sequence

from kiosk.records.sale import Line, TaxTotal

CATEGORY_HALF_UP = "category-half-up/1"
"""Lines are summed per category and rate; the tax of the sum is rounded once, half away from zero."""

RULES = (CATEGORY_HALF_UP,)


def rounded_ratio(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, halves away from zero. The denominator is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def totals(lines: Sequence[Line], *, prices_include_tax: bool, rule: str) -> list[TaxTotal]:
    """One total per (category, rate), ordered by both. base + tax = gross in each. Raises ValueError on a rule that
    is not in RULES."""
    if rule not in RULES:
        raise ValueError(f"rounding rule {rule!r} is not known; allowed: {', '.join(RULES)}")
    sums: dict[tuple[str, int], int] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate_bp)
        sums[key] = sums.get(key, 0) + line.gross_minor
    return [
        _total(category, rate_bp, amount, included=prices_include_tax)
        for (category, rate_bp), amount in sorted(sums.items())
    ]


def _total(category: str, rate_bp: int, amount_minor: int, *, included: bool) -> TaxTotal:
    if included:
        tax = rounded_ratio(amount_minor * rate_bp, 10_000 + rate_bp)
        return TaxTotal(category, rate_bp, amount_minor - tax, tax, amount_minor)
    tax = rounded_ratio(amount_minor * rate_bp, 10_000)
    return TaxTotal(category, rate_bp, amount_minor, tax, amount_minor + tax)


def amount_due(taxes: Sequence[TaxTotal]) -> int:
    """What the customer pays for all lines, tax included, in minor units."""
    return sum(total.gross_minor for total in taxes)
