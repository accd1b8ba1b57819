"""`kiosk.toml` and the enrolment beside it: read, checked whole, and refused with one clear line."""

import pwd
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from kiosk.core.barcode import InStoreRule, InStoreRules
from kiosk.core.state import Shop
from kiosk.core.tax import CATEGORY_HALF_UP, RULES
from kiosk.i18n import LANGUAGES
from kiosk.records.config import BadConfig, load_toml
from kiosk.records.identity import Enrolment
from kiosk.records.sale import Currency

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class InStoreSection(msgspec.Struct, forbid_unknown_fields=True):
    prefix: str
    kind: Literal["price", "weight", "plain"]
    item_digits: int = 0
    value_digits: int = 0
    exponent: int = 0
    value_check: bool = False


class ShopSection(msgspec.Struct, forbid_unknown_fields=True):
    address: list[Text] = []
    tax_number: str = ""
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "DKK"
    currency_exponent: Annotated[int, msgspec.Meta(ge=0, le=4)] = 2
    prices_include_tax: bool = True
    rounding_rule: str = CATEGORY_HALF_UP
    languages: list[str] = msgspec.field(default_factory=lambda: ["da", "en", "bg", "zh-Hans", "zh-Hant"])
    receipt_series: Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{1,8}$")] = "A"
    receipt_url: str = ""
    fiscal_scheme: Literal["none"] = "none"
    accent: Annotated[str, msgspec.Meta(pattern="^#[0-9a-fA-F]{6}$")] = "#0f6b4f"
    in_store: list[InStoreSection] = []


class DevicesSection(msgspec.Struct, forbid_unknown_fields=True):
    """Ids in `hal.toml`."""

    scanner: str = "scanner"
    printer: str = "printer"
    terminal: str = "terminal"


class TimesSection(msgspec.Struct, forbid_unknown_fields=True):
    """Seconds. Nobody gets less than 20 s to answer (ux, EN 301 549 clause 9.2.2.1)."""

    idle_s: Annotated[int, msgspec.Meta(ge=20, le=600)] = 60
    answer_s: Annotated[int, msgspec.Meta(ge=20, le=300)] = 25
    thanks_s: Annotated[int, msgspec.Meta(ge=3, le=120)] = 8


class DaySection(msgspec.Struct, forbid_unknown_fields=True):
    """`close_at`: the local time at which a lane at rest closes its business day by itself; empty: never."""

    close_at: Annotated[str, msgspec.Meta(pattern="^(([01][0-9]|2[0-3]):[0-5][0-9])?$")] = ""


class KioskConfig(msgspec.Struct, forbid_unknown_fields=True):
    """`window_file`: where the page's address with this boot's token goes, for the window's group (mode 0640).
    `lane_users`: who may use `lane_socket` besides the lane's own user and root."""

    state: Text = "/var/lib/kassa"
    hal_socket: Text = "/run/kassa-hal/hal.sock"
    lane_socket: Text = "/run/kassa-lane/lane.sock"
    lane_users: list[Text] = msgspec.field(default_factory=lambda: ["kassa-sync"])
    window_file: Text = "/run/kassa-lane/window.url"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    shop: ShopSection = msgspec.field(default_factory=ShopSection)
    devices: DevicesSection = msgspec.field(default_factory=DevicesSection)
    times: TimesSection = msgspec.field(default_factory=TimesSection)
    day: DaySection = msgspec.field(default_factory=DaySection)


def load(path: Path) -> KioskConfig:
    """Raises BadConfig."""
    config = load_toml(path, KioskConfig)
    shop = config.shop
    unknown = [language for language in shop.languages if language not in LANGUAGES]
    if unknown or not shop.languages:
        raise BadConfig(f"{path}: shop.languages: {unknown or 'is empty'}; allowed: {', '.join(LANGUAGES)}")
    if shop.rounding_rule not in RULES:
        raise BadConfig(f"{path}: shop.rounding_rule: {shop.rounding_rule!r}; allowed: {', '.join(RULES)}")
    if shop.receipt_url and "{sale_id}" not in shop.receipt_url:
        raise BadConfig(f"{path}: shop.receipt_url: {shop.receipt_url!r} has no {{sale_id}} in it")
    try:
        in_store(config)
    except ValueError as error:
        raise BadConfig(f"{path}: shop.in_store: {error}") from None
    return config


def close_at_min(config: KioskConfig) -> int | None:
    """Minutes after local midnight at which the day is closed by the clock; None: never."""
    hours, _, minutes = config.day.close_at.partition(":")
    return int(hours) * 60 + int(minutes) if hours else None


def lane_uids(config: KioskConfig) -> frozenset[int]:
    """Raises BadConfig for a user that this machine does not know."""
    uids = set()
    for name in config.lane_users:
        try:
            uids.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            raise BadConfig(f"lane_users: {name!r} is no user of this machine; allowed: user names") from None
    return frozenset(uids)


def in_store(config: KioskConfig) -> InStoreRules:
    rules = [
        InStoreRule(s.prefix, s.kind, s.item_digits, s.value_digits, s.exponent, s.value_check)
        for s in config.shop.in_store
    ]
    return InStoreRules(*rules)


def shop(config: KioskConfig, enrolled: Enrolment) -> Shop:
    section, times = config.shop, config.times
    return Shop(
        name=enrolled.shop_name,
        address=tuple(section.address),
        tax_number=section.tax_number,
        currency=Currency(section.currency, section.currency_exponent),
        prices_include_tax=section.prices_include_tax,
        rounding_rule=section.rounding_rule,
        languages=tuple(section.languages),
        default_language=section.languages[0],
        register=enrolled.reg,
        mode=enrolled.mode,
        fiscal_scheme=section.fiscal_scheme,
        receipt_series=section.receipt_series,
        receipt_url=section.receipt_url,
        accent=section.accent,
        idle_s=times.idle_s,
        answer_s=times.answer_s,
        thanks_s=times.thanks_s,
    )
