"""Compose the receipt of a sale. Pure: the moment of issue is given, all else comes from the sale and the shop."""

from urllib.parse import quote

from kiosk.core.state import Shop
from kiosk.i18n import N_, Translator, translator
from kiosk.receipt.basket import entries, items
from kiosk.receipt.blocks import (
    RENDERER,
    AnyBlock,
    Banner,
    Barcode,
    Card,
    Document,
    DocumentError,
    Heading,
    Pair,
    Qr,
    Rule,
    Space,
    TaxRow,
    TaxTable,
    Text,
    Total,
    from_json,
    to_json,
)
from kiosk.receipt.clean import clean, clean_terminal_line, masked_pan
from kiosk.receipt.figures import moment_text, number_text, percent_text
from kiosk.receipt.fiscal import mandatory_text
from kiosk.records.sale import CardReferences, Sale, Tender

__all__ = ["RENDERER", "Document", "DocumentError", "compose", "from_json", "receipt_number", "to_json"]

MAX_URL = 300
"""Longest address in a QR code, in characters; a longer one makes modules too small for 58 mm paper."""
MAX_TERMINAL_LINES = 120
_PAID = ("approved", "manual")

_TITLES = {"return": N_("Return"), "void": N_("Void"), "no_sale": N_("No sale")}
_MODES = {"training": N_("Training: not a receipt"), "test": N_("Test: not a receipt")}
TENDERS = {
    "card": N_("Card"),
    "cash": N_("Cash"),
    "gift_card": N_("Gift card"),
    "voucher": N_("Voucher"),
    "account": N_("Account"),
}


def compose(sale: Sale, shop: Shop, language: str, *, issued_wall_ms: int, tzo_min: int) -> Document:
    """The receipt in `language` (a code `kiosk.i18n` knows, or the nearest). The time printed is the sale's closing,
    or the moment of issue while it has none. `tzo_min`: minutes east of UTC."""
    words = translator(language)
    banner = mode_banner(shop, words)
    blocks: list[AnyBlock] = [
        *(part for each in banner for part in (each, Space(3))),
        *_head(sale, shop, words),
        *_numbers(sale, shop, words, sale.closed_wall_ms or issued_wall_ms, tzo_min),
        *_basket(sale, words),
        *_total(sale, words),
        *(block for tender in sale.tenders for block in _tender(tender, sale, words)),
        *_taxes(sale, words),
        *_foot(sale, shop, words),
        *banner,
    ]
    return Document(
        renderer=RENDERER,
        language=words.language,
        sale_id=sale.sale_id,
        register=shop.register,
        receipt_series=sale.receipt_series,
        receipt_no=sale.receipt_no,
        mode=shop.mode,
        currency=sale.currency.code,
        currency_exponent=sale.currency.exponent,
        total_minor=sale.total_minor,
        issued_wall_ms=issued_wall_ms,
        tzo_min=tzo_min,
        copy_mark=words.t("Copy"),
        blocks=blocks,
    )


def receipt_number(sale: Sale) -> str:
    """Series and number as people read them: `A-12`."""
    return f"{clean(sale.receipt_series)}-{sale.receipt_no}" if sale.receipt_series else str(sale.receipt_no)


def _money(amount_minor: int, sale: Sale, words: Translator) -> str:
    return number_text(amount_minor, sale.currency.exponent, words.language)


def mode_banner(shop: Shop, words: Translator) -> list[AnyBlock]:
    """What keeps training and tests from being taken for a sale; nothing on a live lane."""
    if shop.mode == "live":
        return []
    # An unknown mode is anything but live, so it must not look like a sale either.
    return [Banner(words.t(_MODES.get(shop.mode, _MODES["test"])))]


def _head(sale: Sale, shop: Shop, words: Translator) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [Heading(clean(shop.name))]
    blocks += [Text(clean(line), "center") for line in shop.address if clean(line)]
    if shop.tax_number:
        blocks.append(Text(words.t("Tax number {number}", number=clean(shop.tax_number)), "center"))
    if sale.kind in _TITLES:
        blocks += [Space(1), Text(words.t(_TITLES[sale.kind]), "center", "strong")]
    return [*blocks, Space(2)]


def _numbers(sale: Sale, shop: Shop, words: Translator, wall_ms: int, tzo_min: int) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [
        Pair(
            words.t("Receipt {number}", number=receipt_number(sale)),
            words.t("Register {register}", register=clean(shop.register)),
            "quiet",
        ),
        Text(clean(moment_text(wall_ms, tzo_min, words.language)), emphasis="quiet"),
    ]
    if sale.original:
        blocks.append(Pair(words.t("Belongs to"), clean(sale.original), "quiet"))
    return [*blocks, Space(1)]


def _basket(sale: Sale, words: Translator) -> list[AnyBlock]:
    marks = _marks(sale)
    return [Rule(), Space(1), *items(entries(sale.lines), marks, sale.currency, words.language), Space(1)]


def _marks(sale: Sale) -> dict[tuple[str, int], str]:
    """A letter per tax category, where there is more than one to tell apart."""
    if len(sale.taxes) < 2:
        return {}
    return {(tax.category, tax.rate_bp): chr(ord("A") + index) for index, tax in enumerate(sale.taxes[:26])}


def _total(sale: Sale, words: Translator) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [Rule("bold"), Space(1)]
    if not sale.prices_include_tax:
        net = sum(line.gross_minor for line in sale.lines)
        blocks.append(Pair(words.t("Subtotal"), _money(net, sale, words)))
        for tax in sale.taxes:
            label = words.t("Tax {rate}", rate=percent_text(tax.rate_bp, words.language))
            blocks.append(Pair(label, _money(tax.tax_minor, sale, words)))
        blocks.append(Space(1))
    amount = f"{clean(sale.currency.code)}\u00a0{_money(sale.total_minor, sale, words)}"
    return [*blocks, Total(words.t("Total"), amount), Space(1)]


def _tender(tender: Tender, sale: Sale, words: Translator) -> list[AnyBlock]:
    """A payment that stands. Declined and cancelled attempts are the journal's business, not the customer's."""
    if tender.state not in _PAID:
        return []
    label = words.t(TENDERS[tender.kind])
    if tender.card is not None and tender.card.scheme:
        label = clean(tender.card.scheme)
    blocks: list[AnyBlock] = [Pair(label, _money(tender.authorised_minor, sale, words))]
    for text, amount_minor in (
        (N_("of which tip"), tender.tip_minor),
        (N_("of which surcharge"), tender.surcharge_minor),
        (N_("Change"), tender.change_minor),
    ):
        if amount_minor:
            blocks.append(Pair(words.t(text), _money(amount_minor, sale, words), "quiet", 1))
    if tender.foreign is not None:
        foreign = tender.foreign
        paid = number_text(foreign.amount_minor, foreign.currency.exponent, words.language)
        blocks.append(Pair(f"{clean(foreign.currency.code)} {paid}", f"× {clean(foreign.rate)}", "quiet", 1))
    return [*blocks, *_card(tender, words), Space(1)]


def _card(tender: Tender, words: Translator) -> list[AnyBlock]:
    lines = [clean_terminal_line(line) for line in tender.receipt_lines[:MAX_TERMINAL_LINES]]
    references = _references(tender.card, words) if tender.card is not None else []
    return [Card(references, lines)] if references or any(lines) else []


def _references(card: CardReferences, words: Translator) -> list[Pair]:
    pairs = (
        (N_("Card number"), masked_pan(card.masked_pan)),
        (N_("Terminal"), clean(card.terminal_id)),
        (N_("Trace"), clean(card.trace_no)),
        (N_("Card receipt"), clean(card.receipt_no)),
        (N_("Authorisation"), clean(card.authorisation_code)),
        (N_("Terminal time"), clean(card.terminal_time)),
    )
    return [Pair(words.t(label), value, "quiet", 1) for label, value in pairs if value]


def _taxes(sale: Sale, words: Translator) -> list[AnyBlock]:
    if not sale.taxes:
        return []
    marks = _marks(sale)
    head = TaxRow(words.t("Tax rate"), words.t("Net"), words.t("Tax"), words.t("Gross"))
    rows = [
        TaxRow(
            f"{marks.get((tax.category, tax.rate_bp), '')} {percent_text(tax.rate_bp, words.language)}".strip(" "),
            _money(tax.base_minor, sale, words),
            _money(tax.tax_minor, sale, words),
            _money(tax.gross_minor, sale, words),
        )
        for tax in sale.taxes
    ]
    return [Rule(), Space(1), TaxTable(head, rows), Space(1)]


def _foot(sale: Sale, shop: Shop, words: Translator) -> list[AnyBlock]:
    blocks: list[AnyBlock] = [Space(1), Text(words.t("Thank you for your visit"), "center", "strong"), Space(1)]
    address = shop.receipt_url.replace("{sale_id}", quote(sale.sale_id, safe=""))
    if address and address.isascii() and address.isprintable() and len(address) <= MAX_URL:
        blocks += [Qr(address, words.t("Your digital receipt")), Space(1)]
        blocks.append(Barcode(f"{shop.register}-{receipt_number(sale)}"))
    else:
        number = f"{quote(sale.receipt_series, safe='')}{sale.receipt_no}"
        register = quote(shop.register, safe="")
        blocks.append(Qr(f"kassa:receipt:{register}:{number}:{sale.total_minor}:{sale.currency.code}"))
    mandatory = mandatory_text(shop.fiscal_scheme)
    if mandatory:
        blocks += [Space(1), *(Text(text, "center", "quiet") for text in mandatory)]
    return [*blocks, Space(1)]
