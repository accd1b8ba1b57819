"""Named sample states: every screen and every prompt, as the lane would show them."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from kiosk.core import state as core
from kiosk.core.report import Report, TaxSum, TenderSum
from kiosk.core.state import Catalogue, DeviceHealth, Health, Payment, Receipt, Shop, State
from kiosk.records.sale import (
    CardReferences,
    Currency,
    Evidence,
    Line,
    LineKind,
    Price,
    Product,
    Quantity,
    Sale,
    Tender,
)
from kiosk.records.settings import ROLES

KRONE = Currency("DKK", 2)
READY = DeviceHealth("ready", "")
WELL = Health(hal=True, scanner=READY, printer=READY, terminal=READY)

SHOP = Shop(
    name="Hav & Hede",
    address=("Strandgade 12", "9990 Skagen"),
    tax_number="DK12345678",
    currency=KRONE,
    prices_include_tax=True,
    rounding_rule="dk-1",
    languages=("da", "en", "bg", "zh-Hans", "zh-Hant"),
    default_language="da",
    register="3",
    receipt_url="https://bon.example/r/{sale_id}",
)

PRODUCTS: Mapping[str, tuple[str, str, int, dict[str, str]]] = {
    "rye": ("bread", "bakery", 2495, {"en": "Rye bread", "da": "Rugbrød", "bg": "Ръжен хляб", "zh-Hans": "黑麦面包"}),
    "milk": ("milk", "dairy", 1395, {"en": "Organic milk 1 l", "da": "Økologisk letmælk 1 l", "bg": "Био мляко 1 л"}),
    "cheese": ("cheese", "dairy", 5450, {"en": "Mature cheese", "da": "Lagret ost", "bg": "Отлежало сирене"}),
    "apple": (
        "apple",
        "fruit",
        350,
        {"en": "Apple", "da": "Æble", "bg": "Ябълка", "zh-Hans": "苹果", "zh-Hant": "蘋果"},
    ),
    "soda": (
        "soda",
        "drinks",
        1200,
        {"en": "Elderflower soda", "da": "Hyldeblomstsodavand", "zh-Hans": "接骨木花汽水"},
    ),
    "wine": ("wine", "wine", 8995, {"en": "Red wine", "da": "Rødvin", "bg": "Червено вино", "zh-Hans": "红葡萄酒"}),
    "magnet": ("", "souvenirs", 4500, {"en": "Fridge magnet", "da": "Køleskabsmagnet"}),
    "long": (
        "coffee",
        "hot_drinks",
        12995,
        {
            "en": "Slowly roasted whole bean coffee from three small farms, 1 kg",
            "da": "Langtidsristede hele kaffebønner fra tre små landbrug, 1 kg",
            "bg": "Бавно изпечено кафе на зърна от три малки ферми, 1 кг",
            "zh-Hans": "来自三家小农场的慢烘焙整颗咖啡豆，1 公斤",
        },
    ),
}
DEPOSIT = {"en": "Deposit", "da": "Pant", "bg": "Депозит", "zh-Hans": "押金", "zh-Hant": "押金"}


def line(
    number: int,
    code: str,
    name: dict[str, str],
    amount: int,
    *,
    image: str = "",
    category: str = "",
    kind: LineKind = "item",
    parent: str = "",
    voids: str = "",
    quantity: Quantity = Quantity(1),  # noqa: B008 - immutable
) -> Line:
    return Line(
        line_id=f"l{number}",
        kind=kind,
        code=code,
        name=name,
        quantity=quantity,
        price=Price("v1", amount, amount, 2),
        gross_minor=amount * quantity.value if not quantity.scale else amount * quantity.value // 1000,
        tax_category="S",
        tax_rate_bp=2500,
        parent=parent,
        voids=voids,
        image=image,
        category=category,
    )


def lines(*codes: str) -> list[Line]:
    """Lines in the order scanned; a soda brings its deposit."""
    found: list[Line] = []
    for code in codes:
        image, category, amount, name = PRODUCTS[code]
        item = line(len(found), code, name, amount, image=image, category=category)
        found.append(item)
        if code == "soda":
            found.append(line(len(found), "pant", DEPOSIT, 100, kind="deposit", parent=item.line_id))
    return found


def sale(*codes: str, tenders: tuple[Tender, ...] = ()) -> Sale:
    held = lines(*codes)
    return Sale(
        sale_id="s7Kq2mPz",
        sale_no=41,
        kind="sale",
        state="open",
        currency=KRONE,
        prices_include_tax=True,
        rounding_rule="dk-1",
        catalogue_version="v1",
        language="da",
        opened_wall_ms=1_790_000_000_000,
        lines=held,
        tenders=list(tenders),
        total_minor=sum(one.gross_minor for one in held),
    )


BASKET = ("rye", "milk", "soda", "apple", "apple", "cheese", "soda", "magnet", "apple")
THIRTY = tuple(code for _ in range(10) for code in ("rye", "long", "soda"))
FRESH = core.fresh(SHOP)
IDLE = msgspec.structs.replace(FRESH, catalogue=Catalogue("v1", 900), health=WELL)


S = TypeVar("S", bound=msgspec.Struct)


def on(base: S, **changes: object) -> S:
    return msgspec.structs.replace(base, **changes)


def health(**devices: DeviceHealth) -> Health:
    return msgspec.structs.replace(WELL, **devices)


SCAN = on(IDLE, stage="scanning")
FULL = on(SCAN, sale=sale(*BASKET), pulse=9)
PAY = on(FULL, stage="choosing")
APPROVED = Tender("t1", "card", "approved", sale(*BASKET).total_minor, sale(*BASKET).total_minor)
PAID = on(FULL, sale=sale(*BASKET, tenders=(APPROVED,)))
UNPLUGGED = DeviceHealth("absent", "unplugged")
NO_PAPER = DeviceHealth("fault", "paper_out")


def card(progress: str, text: str = "", phase: core.Phase = "charging") -> State:
    return on(FULL, stage="paying", payment=Payment("t1", phase, 1, progress, text))


REFERENCES = CardReferences("************1234", "Visa", "52500041", "000733", "0042", "A1B2C3", "06-29 12:30:05")
MANAGER = core.Attendant("a7", ("approve", "void", "payments"))
UNCLEAR = Evidence(
    *("unclear", APPROVED.requested_minor, "DKK", "unknown", "other_amount", 15000, "DKK", REFERENCES),
    asked_wall_ms=1_790_000_000_000,
    told_wall_ms=1_790_000_071_000,
)
UNREACHABLE = Evidence("unreachable", APPROVED.requested_minor, "DKK", "unreachable", asked_wall_ms=1_790_000_000_000)
OTHER_CURRENCY = msgspec.structs.replace(UNCLEAR, why="wrong_currency", said="approved", detail="", told_currency="EUR")
GIVEN_BACK = msgspec.structs.replace(
    UNCLEAR, why="reversal_refused", said="refused", detail="B5", told_minor=10000, requested_minor=10000
)
PART = Tender("t1", "card", "approved", APPROVED.requested_minor, 10000, card=REFERENCES)
PARTLY = sale(*BASKET, tenders=(PART,))


def in_doubt(evidence: Evidence, attendant: core.Attendant | None = None) -> State:
    """A tender that only staff can settle."""
    part = PART if evidence is GIVEN_BACK else APPROVED
    authorised = part.authorised_minor if evidence is GIVEN_BACK else 0
    tender = msgspec.structs.replace(part, state="manual", authorised_minor=authorised, evidence=evidence)
    held = on(sale(*BASKET, tenders=(tender,)), state="paying")
    return on(FULL, sale=held, stage="paying", payment=Payment("t1", "manual", staff=True), attendant=attendant)


def receipt(how: str, outcome: str = "", reason: str = "") -> Receipt:
    return Receipt(how, "{}", "j1", 0, outcome, reason)  # type: ignore[arg-type]


def distinct(count: int) -> Sale:
    """A basket of this many different products, for measuring."""
    held = [line(n, f"p{n}", {"en": f"Product {n}", "da": f"Vare {n}"}, 1000 + n, image="jar") for n in range(count)]
    return msgspec.structs.replace(sale(), lines=held, total_minor=sum(one.gross_minor for one in held))


STAFF = core.Attendant("a-4f09c1", ROLES)
WAITING = tuple(
    core.Waiting(
        f"w{n}",
        Product(f"p{n}", "gtin", name, 8995, 2, "each", "S", 2500, "wine", restriction="age_18"),
        None,
        "",
        "v1",
    )
    for n, name in enumerate((PRODUCTS["wine"][3], PRODUCTS["long"][3]))
)
CODE = (
    "KASSA1:7V9K2YXTV1H0Q3WZB5C8D6F4G:HBA4M:DKK:20261121T120000Z-1:"
    "21RW9GDEG.1.1XB/21RW9GDEH.3.9Q/21RW9GDEJ.2.XC/21RW9GDEK.1.47E/21RW9GDEL.1.3H0:9F8E7D6C"
)
SUSPENDED = on(FULL, stage="suspended", receipt=Receipt("print", "{}", "j1"), slip=CODE)
CHANGED = core.Change(PRODUCTS["long"][3], 11995, 12995)
DAY = Report(
    "2026-11-27", 214, "live", "DKK", 1_795_759_200_000,
    sales=187, gross_minor=4_218_350,
    taxes=(TaxSum("S", 2500, 3_358_360, 839_590, 4_197_950), TaxSum("O", 0, 20_400, 0, 20_400)),
    tenders=(TenderSum("card", 187, 4_218_350),),
    voids=6, voids_minor=14_385, suspended=2, recalled=1, cancelled=4, abandoned=3,
    first_sale_no=40_112, last_sale_no=40_308, first_receipt_no=39_801, last_receipt_no=39_987,
    grand_total_minor=913_442_075,
)  # fmt: skip
STATES: Mapping[str, State] = {
    "attract": IDLE,
    "attract_no_card": on(IDLE, health=health(terminal=UNPLUGGED)),
    "attract_no_card_no_paper": on(IDLE, health=health(terminal=UNPLUGGED, printer=NO_PAPER)),
    "attract_training": on(IDLE, shop=msgspec.structs.replace(SHOP, mode="training")),
    "out_of_service": FRESH,
    "out_of_service_basket": on(FULL, health=msgspec.structs.replace(WELL, journal="disk full")),
    "out_of_service_paid": on(PAID, stage="printing", health=msgspec.structs.replace(WELL, journal="disk full")),
    "scan": SCAN,
    "scan_scanner_gone": on(SCAN, health=health(scanner=UNPLUGGED)),
    "basket_one": on(SCAN, sale=sale("milk"), pulse=1),
    "basket": FULL,
    "basket_long": on(SCAN, sale=sale(*BASKET, *THIRTY, "wine", "long"), pulse=40),
    "basket_troubles": on(FULL, health=health(scanner=UNPLUGGED, printer=NO_PAPER, terminal=UNPLUGGED)),
    "pay": PAY,
    "pay_no_card": on(PAY, health=health(terminal=UNPLUGGED)),
    "card_connecting": card("connecting", phase="preparing"),
    "card_present": card("present_card", "Bitte Karte einstecken"),
    "card_pin": card("enter_pin"),
    "card_authorising": card("authorising", "Autorisierung läuft"),
    "card_aborting": card("please_wait", phase="aborting"),
    "card_approved": card("approved", phase="confirming"),
    "checking": on(FULL, stage="paying", payment=Payment("t1", "unknown")),
    "checking_staff": on(FULL, stage="paying", payment=Payment("t1", "unknown", staff=True)),
    "checking_giving_back": in_doubt(GIVEN_BACK),
    "evidence": in_doubt(UNCLEAR, MANAGER),
    "evidence_unreachable": in_doubt(UNREACHABLE, MANAGER),
    "evidence_other_currency": in_doubt(OTHER_CURRENCY, MANAGER),
    "evidence_giving_back": in_doubt(GIVEN_BACK, MANAGER),
    "reversing": on(in_doubt(GIVEN_BACK), payment=Payment("t1", "reversing", ending="cancelled")),
    "pay_partly_paid": on(PAY, sale=PARTLY),
    "basket_partly_paid": on(FULL, sale=PARTLY),
    "closing": on(PAID, stage="closing"),
    "receipt": on(PAID, stage="receipt"),
    "receipt_no_paper": on(PAID, stage="receipt", health=health(printer=NO_PAPER)),
    "printing": on(PAID, stage="printing", receipt=receipt("print")),
    "print_trouble": on(PAID, stage="printing", receipt=receipt("print"), health=health(printer=NO_PAPER)),
    "print_uncertain": on(PAID, stage="printing", receipt=receipt("print", "uncertain")),
    "thanks_printed": on(PAID, stage="thanks", receipt=receipt("print", "printed")),
    "thanks_qr": on(PAID, stage="thanks", receipt=receipt("qr")),
    "thanks_none": on(PAID, stage="thanks", receipt=receipt("none")),
    "prompt_not_found": on(FULL, prompt=core.ItemNotFound("5701234567899", "unknown")),
    "prompt_not_a_product": on(FULL, prompt=core.ItemNotFound("https://example.com/menu?table=12", "not_a_product")),
    "prompt_in_store": on(FULL, prompt=core.ItemNotFound("2101234012508", "in_store")),
    "prompt_restricted": on(FULL, prompt=core.Refused("restricted", "age_18", PRODUCTS["wine"][3])),
    "prompt_void": on(FULL, prompt=core.Refused("void", "", PRODUCTS["long"][3])),
    "prompt_help": on(FULL, prompt=core.HelpCalled()),
    "prompt_help_attract": on(IDLE, prompt=core.HelpCalled()),
    "prompt_still_there": on(FULL, prompt=core.StillThere(25)),
    "prompt_still_there_paid": on(PAID, stage="receipt", prompt=core.StillThere(25)),
    "prompt_cancel": on(FULL, prompt=core.CancelAsked()),
    "prompt_payment_failed": on(PAY, prompt=core.PaymentFailed("card_declined")),
    "prompt_cancel_partly_paid": on(PAY, sale=PARTLY, prompt=core.CancelAsked()),
    "prompt_charged": on(in_doubt(UNCLEAR, MANAGER), prompt=core.ResolveAsked(charged=True)),
    "prompt_not_charged": on(in_doubt(UNCLEAR, MANAGER), prompt=core.ResolveAsked(charged=False)),
    "prompt_paid_back": on(in_doubt(GIVEN_BACK, MANAGER), prompt=core.ResolveAsked(charged=False)),
    "prompt_scan_not_now": on(PAY, prompt=core.ScanNotNow()),
    "prompt_not_for_sale": on(FULL, prompt=core.NotForSale({"en": "Loose potatoes", "da": "Løse kartofler"})),
    "prompt_pin": on(FULL, prompt=core.PinAsked("a-4f09c1")),
    "prompt_pin_wrong": on(IDLE, prompt=core.PinAsked("a-4f09c1", "wrong")),
    "prompt_pin_locked": on(FULL, prompt=core.PinAsked("a-4f09c1", "locked", 280)),
    "staff_basket": on(FULL, attendant=STAFF, waiting=WAITING),
    "staff_menu": on(FULL, attendant=STAFF, prompt=core.AttendantMenu()),
    "staff_menu_waiting": on(FULL, attendant=STAFF, waiting=WAITING, prompt=core.AttendantMenu()),
    "staff_menu_idle": on(IDLE, attendant=STAFF, prompt=core.AttendantMenu()),
    "staff_void": on(FULL, attendant=STAFF, prompt=core.VoidAsked("l0", PRODUCTS["long"][3])),
    "staff_day": on(IDLE, attendant=STAFF, day=DAY, prompt=core.DayShown(DAY, "X")),
    "staff_day_closed": on(IDLE, attendant=STAFF, prompt=core.DayShown(DAY, "Z", printed=True)),
    "staff_menu_day": on(IDLE, attendant=STAFF, day=DAY, prompt=core.AttendantMenu()),
    "suspended": SUSPENDED,
    "suspended_no_paper": on(SUSPENDED, receipt=Receipt("print", "{}", "j1", outcome="failed")),
    "prompt_too_large": on(FULL, prompt=core.NotPossible("suspend_too_large")),
    "prompt_recall_taken": on(IDLE, prompt=core.NotPossible("recall_taken")),
    "prompt_recalled": on(FULL, prompt=core.Recalled((CHANGED, core.Change(PRODUCTS["rye"][3], 2295, 2495)), 1)),
    "contrast_staff_menu": on(FULL, attendant=STAFF, waiting=WAITING, prompt=core.AttendantMenu(), contrast="high"),
    "contrast_attract": on(IDLE, contrast="high"),
    "contrast_basket": on(FULL, contrast="high"),
    "contrast_prompt": on(FULL, contrast="high", prompt=core.StillThere(25)),
    "contrast_receipt": on(PAID, stage="receipt", contrast="high"),
    "contrast_thanks": on(PAID, stage="thanks", contrast="high", receipt=receipt("qr")),
}


def everywhere(*languages: str) -> Iterator[tuple[str, str, State]]:
    """(name, language, state) of every sample in these languages."""
    for name, state in STATES.items():
        for language in languages:
            yield name, language, on(state, language=language)
