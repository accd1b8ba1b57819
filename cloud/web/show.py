"""How figures and times are written on the operator's pages."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from cloud.queries import Money

_MAX_MS = 253_402_300_799_000


def decimal(amount: int, exponent: int) -> str:
    """1234567 with 2 decimals as 12,345.67."""
    sign, digits = "−" if amount < 0 else "", str(abs(amount)).rjust(exponent + 1, "0")
    whole, cents = (digits[:-exponent], digits[-exponent:]) if exponent else (digits, "")
    return f"{sign}{int(whole):,}" + (f".{cents}" if cents else "")


def money(amount: int, currency: str, exponent: int) -> Markup:
    return Markup('<span class="money">{} <abbr>{}</abbr></span>').format(decimal(amount, exponent), currency)


def total(value: Money) -> Markup:
    return money(value.amount_minor, value.currency, value.exponent)


def quantity(value: int, scale: int, unit: str) -> str:
    return f"{decimal(value, scale)} ×" if unit == "each" else f"{decimal(value, scale)} {unit}"


def rate(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


def local(ms: int, tzo: int, form: str = "%H:%M:%S") -> str:
    """Shop-local time, by the record's own offset in minutes."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(max(ms + tzo * 60_000, 0), _MAX_MS))
    return moment.strftime(form)


def offset(tzo: int) -> str:
    return f"UTC{'+' if tzo >= 0 else '−'}{abs(tzo) // 60:02d}:{abs(tzo) % 60:02d}"


def ago(then_ms: int | None, now_ms: int) -> str:
    """How long ago, in words."""
    if then_ms is None:
        return "never"
    seconds = max(0, (now_ms - then_ms) // 1000)
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return "just now" if seconds < 15 else f"{seconds} s ago"
