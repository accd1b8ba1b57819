"""The slip of a suspended sale: what is in it, and the code by which another till takes it up. Pure."""

from kiosk.core.basket import standing
from kiosk.core.state import Shop
from kiosk.i18n import N_, translator
from kiosk.receipt.basket import entries, items
from kiosk.receipt.blocks import RENDERER, AnyBlock, Banner, Document, Heading, Pair, Qr, Rule, Space, Text, Total
from kiosk.receipt.clean import clean
from kiosk.receipt.document import mode_banner
from kiosk.receipt.figures import moment_text, number_text
from kiosk.records.sale import Sale


def compose_slip(sale: Sale, shop: Shop, language: str, code: str, *, issued_wall_ms: int, tzo_min: int) -> Document:
    """In `language`, or the nearest there is. `tzo_min`: minutes east of UTC."""
    words = translator(language)
    t = words.t
    amount = number_text(sale.total_minor, sale.currency.exponent, words.language)
    blocks: list[AnyBlock] = [
        *mode_banner(shop, words),
        Heading(clean(shop.name)),
        Space(1),
        Banner(t(N_("Not paid yet"))),
        Space(2),
        Text(t(N_("Take this slip and your things to another till, and scan the code there.")), "center", "strong"),
        Space(2),
        Qr(code, t(N_("Valid for 24 hours, once"))),
        Space(2),
        Rule(),
        Space(1),
        *items(entries(standing(sale.lines)), {}, sale.currency, words.language),
        Space(1),
        Rule("bold"),
        Space(1),
        Total(t("Total"), f"{clean(sale.currency.code)}\u00a0{amount}"),
        Space(1),
        Pair(
            t(N_("Purchase {number}"), number=f"{clean(shop.register)}-{sale.sale_no}"),
            t("Register {register}", register=clean(shop.register)),
            "quiet",
        ),
        Text(clean(moment_text(issued_wall_ms, tzo_min, words.language)), emphasis="quiet"),
        *mode_banner(shop, words),
    ]
    return Document(
        renderer=RENDERER,
        language=words.language,
        sale_id=sale.sale_id,
        register=shop.register,
        receipt_series="",
        receipt_no=0,
        mode=shop.mode,
        currency=sale.currency.code,
        currency_exponent=sale.currency.exponent,
        total_minor=sale.total_minor,
        issued_wall_ms=issued_wall_ms,
        tzo_min=tzo_min,
        copy_mark=t("Copy"),
        blocks=blocks,
    )
