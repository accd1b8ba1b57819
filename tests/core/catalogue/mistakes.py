"""A table of mistakes: a list with one in it, and the exact words that it gets."""

from kiosk.records.catalogue import decode
from kiosk.records.catalogue_row import COLUMNS
from tests.core.catalogue.lists import HEADING, row, table

GOOD = row()
GTIN = "8, 12, 13 or 14 digits"
TAX = "S:RATE or AA:RATE (above 0 to 100, at most 2 decimals), Z:0, E:0, O:0"
PRICE = "digits with a dot, such as 12.50"
TEXT = "printable text in UTF-8, without tabs, line breaks and other controls"
QUOTES = 'quoted fields as "...", with quotes inside doubled and no line breaks'
FIELDS = "15, as in the heading (a field that holds a comma stands in quotes)"
WORD = "1 to 32 of a-z, 0-9 and _"
EMBEDDED = "4 to 11 digits that begin with 02 or 20 to 29"
DEPOSIT = "the code of a row of kind deposit"
NEEDED = "a heading with code, name_en, price, tax, category, unit"
ALL = ", ".join(COLUMNS)

BAD: dict[str, tuple[str, str]] = {
    "check digit": (
        table(row(code="9521000000019")),
        "line 2, code: '9521000000019' has a wrong check digit; allowed: 9521000000018, if the other digits are right",
    ),
    "length of GTIN": (
        table(row(code="95210000000")),
        "line 2, code: '95210000000' has 11 digits; allowed: a GTIN of 8, 12, 13 or 14 digits",
    ),
    "GTIN spoilt by a spreadsheet": (
        table(row(code="9.521E+12")),
        f"line 2, code: '9.521E+12' is not made of digits alone; allowed: {GTIN}",
    ),
    "digits of another script": (
        table(row(code="٩521000000018")),
        f"line 2, code: '٩521000000018' is not made of digits alone; allowed: {GTIN}",
    ),
    "all zeros": (table(row(code="00000000")), "line 2, code: '00000000' is all zeros; allowed: a GTIN of " + GTIN),
    "no code": (table(row(code="")), f"line 2, code: is missing; allowed: {GTIN}"),
    "long PLU": (
        table(row(code="1234567", code_kind="plu")),
        "line 2, code: '1234567' has 7 digits; allowed: 1 to 6 digits",
    ),
    "embedded without its prefix": (
        table(row(code="311001", code_kind="price_embedded")),
        f"line 2, code: '311001' is no beginning of an in-store barcode; allowed: {EMBEDDED}",
    ),
    "unknown kind of code": (
        table(row(code_kind="isbn")),
        "line 2, code_kind: 'isbn' is unknown; allowed: gtin, plu, price_embedded, weight_embedded",
    ),
    "code twice": (
        table(GOOD, GOOD),
        "line 3, code: '9521000000018' stands already in line 2; allowed: each code once",
    ),
    "code twice in two lengths": (
        table(GOOD, row(code="09521000000018")),
        "line 3, code: '09521000000018' stands already in line 2; allowed: each code once",
    ),
    "price of letters": (table(row(price="cheap")), f"line 2, price: 'cheap' is no price; allowed: {PRICE}"),
    "price with comma": (table(row(price='"24,95"')), f"line 2, price: '24,95' holds a comma; allowed: {PRICE}"),
    "negative price": (table(row(price="-1.00")), f"line 2, price: '-1.00' is negative; allowed: {PRICE}"),
    "no price": (table(row(price="")), f"line 2, price: is missing; allowed: {PRICE}"),
    "zero price": (
        table(row(price="0.00")),
        "line 2, price: '0.00' is zero; allowed: more than 0 (0 for price_embedded only)",
    ),
    "five decimals": (table(row(price="1.00001")), "line 2, price: '1.00001' has 5 decimals; allowed: at most 4"),
    "large price": (
        table(row(price="100000000")),
        "line 2, price: '100000000' is too large; allowed: at most 99999999",
    ),
    "huge price": (
        table(row(price="9" * 5000)),
        f"line 2, price: '{'9' * 40}…' is too large; allowed: at most 99999999",
    ),
    "no tax": (table(row(tax="")), f"line 2, tax: is missing; allowed: {TAX}"),
    "tax without category": (table(row(tax="25")), f"line 2, tax: '25' is not CATEGORY:RATE; allowed: {TAX}"),
    "unknown tax category": (table(row(tax="X:25")), f"line 2, tax: 'X:25' has an unknown category; allowed: {TAX}"),
    "tax above 100": (
        table(row(tax="S:100.01")),
        f"line 2, tax: 'S:100.01' has a rate that its category does not allow; allowed: {TAX}",
    ),
    "zero-rated with a rate": (
        table(row(tax="Z:25")),
        f"line 2, tax: 'Z:25' has a rate that its category does not allow; allowed: {TAX}",
    ),
    "standard rate of zero": (
        table(row(tax="S:0")),
        f"line 2, tax: 'S:0' has a rate that its category does not allow; allowed: {TAX}",
    ),
    "unknown unit": (table(row(unit="box")), "line 2, unit: 'box' is unknown; allowed: each, kg, g, l, m"),
    "weight of pieces": (
        table(row(code="2711001", code_kind="weight_embedded")),
        "line 2, unit: 'each' is no weight, but the code holds one; allowed: kg, g",
    ),
    "no English name": (table(row(name_en=" ")), "line 2, name_en: is missing; allowed: 1 to 64 characters"),
    "long name": (
        table(row(name_da="å" * 65)),
        f"line 2, name_da: '{'å' * 40}…' has 65 characters; allowed: at most 64",
    ),
    "category of words": (
        table(row(category="Fruit & veg")),
        f"line 2, category: 'Fruit & veg' is no plain word; allowed: {WORD}",
    ),
    "no category": (table(row(category="")), f"line 2, category: is missing; allowed: {WORD}"),
    "image as a path": (
        table(row(image="../etc/passwd")),
        f"line 2, image: '../etc/passwd' is no plain word; allowed: {WORD}",
    ),
    "unknown restriction": (
        table(row(restriction="age_17")),
        "line 2, restriction: 'age_17' is unknown; allowed: empty, age_16, age_18, age_20, age_21",
    ),
    "unknown kind": (
        table(row(kind="tip")),
        "line 2, kind: 'tip' is unknown; allowed: empty, item, deposit, gift_card, fee",
    ),
    "deposit of nothing": (table(row(deposit="9001")), f"line 2, deposit: '9001' names no product; allowed: {DEPOSIT}"),
    "deposit that is an item": (
        table(row(deposit="4011"), row(code="4011", code_kind="plu")),
        f"line 2, deposit: '4011' names a product of another kind; allowed: {DEPOSIT}",
    ),
    "deposit on a deposit": (
        table(row(kind="deposit", deposit="9521000000018")),
        "line 2, deposit: '9521000000018' is on a deposit itself; allowed: empty",
    ),
    "too few fields": (
        table(GOOD.removesuffix(",")),
        f"line 2: '{GOOD[:40]}…' has 14 fields; allowed: {FIELDS}",
    ),
    "decimal comma without quotes": (
        table(row(price="24,95")),
        f"line 2: '{row(price='24,95')[:40]}…' has 16 fields; allowed: {FIELDS}",
    ),
    "open quote": (
        table(row(name_en='"Rye'), "") + "",
        f"line 2: '{row(name_en=chr(34) + 'Rye')[:40]}…' has a quote that is not closed; allowed: {QUOTES}",
    ),
    "text after a quote": (
        table(row(name_en='"Rye" bread')),
        f"line 2: '{row(name_en=chr(34) + 'Rye' + chr(34) + ' bread')[:40]}…' has text after a closing quote; "
        f"allowed: {QUOTES}",
    ),
    "NUL": (
        table(row(name_en="Rye\x00")),
        f"line 2: '9521000000018,,Rye\\x00,,,,,24.95,S:25,bak' holds the control character U+0000; allowed: {TEXT}",
    ),
    "tab": (
        table(row(name_en="Rye\t")),
        f"line 2: '9521000000018,,Rye\\t,,,,,24.95,S:25,bak' holds the control character U+0009; allowed: {TEXT}",
    ),
    "text that turns around": (
        table(row(name_en="Rye\u202e")),
        f"line 2: '9521000000018,,Rye\\u202e,,,,,24.95,S:25,bak' holds the control character U+202E; allowed: {TEXT}",
    ),
    "old Macintosh line ends": (
        HEADING + "\r" + GOOD + "\r",
        f"line 1: '{HEADING[-20:]}\\r{GOOD[:19]}' holds the control character U+000D; allowed: {TEXT}",
    ),
    "byte order mark inside": (
        table("\ufeff" + GOOD),
        f"line 2: '\\ufeff{GOOD[:19]}' holds the control character U+FEFF; allowed: {TEXT}",
    ),
    "Latin-1": (
        decode(table(row(name_da="Rugbrød")).encode("latin-1")),
        "line 2: '018,,Rye bread,Rugbr\\udcf8d,,,,24.95,S:25,bak' holds the byte 0xF8, which is no UTF-8; "
        f"allowed: {TEXT}",
    ),
    "UTF-16": (
        decode(table(GOOD).encode("utf-16")),
        "file: is in UTF-16; allowed: UTF-8 (in spreadsheets: save as CSV UTF-8)",
    ),
    "long line": (
        table("9" * 8193),
        f"line 2: '{'9' * 40}…' is too long; allowed: at most 8192 characters a line",
    ),
    "semicolons": (
        table(GOOD).replace(",", ";"),
        f"line 1: '{HEADING[:40].replace(',', ';')}…' separates its fields by semicolons; "
        "allowed: commas between fields, a dot before decimals",
    ),
    "tabs": (
        table(GOOD).replace(",", "\t"),
        f"line 1: '{HEADING[:40].replace(',', chr(92) + 't')}…' separates its fields by tabs; "
        "allowed: commas between fields, a dot before decimals",
    ),
    "unknown column": (
        table(GOOD).replace("image", "picture"),
        f"line 1: 'picture' is an unknown column; allowed: {ALL}",
    ),
    "missing column": (
        table(GOOD).replace("unit", "kind").replace(",kind\n", ",deposit\n", 1).replace("deposit", "name_da", 1),
        f"line 1, unit: is a missing column; allowed: {NEEDED}",
    ),
    "column twice": (
        table(GOOD).replace("image", "kind"),
        "line 1, kind: is there twice; allowed: each column once",
    ),
    "empty file": ("", f"file: is empty; allowed: a heading with the columns {ALL}, and rows"),
    "only empty lines": ("\n\r\n \n", f"file: is empty; allowed: a heading with the columns {ALL}, and rows"),
    "only a heading": (HEADING + "\n", "file: there are no products; allowed: at least one row after the heading"),
}
