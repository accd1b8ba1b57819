"""A shop's product list as CSV or JSON text, read line by line; nothing is taken when anything in it is wrong.

CSV: UTF-8 (a byte order mark at the start is passed over), the first line names the columns in any order, fields stand
between commas, quotes as in RFC 4180 section 2 but without line breaks inside, so that a quote left open costs one
line and not the file. Line ends are LF or CR LF. Empty lines, and rows with nothing in any field, are passed over.
Semicolons and tabs are refused with words to that effect: with them come decimal commas, which are better not guessed.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from kiosk.records.catalogue_problems import Problems, refuse
from kiosk.records.catalogue_row import COLUMNS, NEEDED, Rows
from kiosk.records.sale import Currency, Product

MAX_LINE_CHARS = 8192
MAX_PRODUCTS = 2_000_000
MAX_JSON_BYTES = 256 * 1024 * 1024

# Controls, what turns or hides text (zero width, bidirectional, byte order mark), and the lone surrogates by which
# bytes that are no UTF-8 come in.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
_TEXT = "printable text in UTF-8, without tabs, line breaks and other controls"
_QUOTES = 'quoted fields as "...", with quotes inside doubled and no line breaks'


def decode(data: bytes) -> str:
    """Bytes of a list as text; what is no UTF-8 is kept as lone surrogates, for the parser to name its line."""
    return data.decode("utf-8", "surrogateescape")


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, in bounded memory: a line that is too long is cut there, which the parser then reports.

    Blocking. Raises OSError.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        while line := file.readline(MAX_LINE_CHARS + 2):
            yield line
            while len(line) == MAX_LINE_CHARS + 2 and not line.endswith("\n"):
                line = file.readline(MAX_LINE_CHARS + 2)


def parse_csv(text: Iterable[str] | str, source: str, currency: Currency) -> list[Product]:
    """The products in a CSV list (an iterable gives one line each). Raises CatalogueError with all problems."""
    return list(iter_csv(text, source, currency))


def iter_csv(text: Iterable[str] | str, source: str, currency: Currency) -> Iterator[Product]:
    """As `parse_csv`, one by one: nothing may be kept of it before it has ended without CatalogueError."""
    source_lines = io.StringIO(text, newline="\n") if isinstance(text, str) else text
    problems = Problems(source)
    rows = Rows(problems, currency)
    order: list[int] | None = None
    for number, line in enumerate(source_lines, 1):
        line = line.rstrip("\r\n") if line.endswith("\n") else line
        if order is None:
            line = line.removeprefix("\ufeff")
            if not line.strip() and number < 100:
                continue
            order = _heading(number, line, problems)
            width = len(order)
            order = [order.index(index) if index in order else -1 for index in range(len(COLUMNS))]
            continue
        if not line:
            continue
        fields = _fields(number, line, problems, width)
        if fields is None or not any(fields):
            continue
        if number > MAX_PRODUCTS:
            problems.add(number, "", "", "there are too many rows", f"at most {MAX_PRODUCTS}")
            break
        product = rows.take(number, [fields[index] if index >= 0 else "" for index in order])
        if product is not None and not problems.count:
            yield product
    if order is None:
        refuse(source, "is empty", f"a heading with the columns {', '.join(COLUMNS)}, and rows")
    rows.finish()
    problems.settle()


def _heading(number: int, line: str, problems: Problems) -> list[int]:
    """The column (as its place in COLUMNS) of each field. Raises CatalogueError: without it no row can be read."""
    if line.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        refuse(problems.source, "is in UTF-16", "UTF-8 (in spreadsheets: save as CSV UTF-8)")
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if mark in line and "," not in line:
            problems.add(
                number, "", line, f"separates its fields by {word}", "commas between fields, a dot before decimals"
            )
            problems.settle()
    fields = _fields(number, line, problems, 0) or []
    problems.settle()
    names = [field.lower() for field in fields]
    for name in sorted(set(names), key=names.index):
        if name not in COLUMNS:
            problems.add(number, "", name, "is an unknown column", ", ".join(COLUMNS))
        elif names.count(name) > 1:
            problems.add(number, name, "", "is there twice", "each column once")
    for name in NEEDED:
        if name not in names:
            problems.add(number, name, "", "is a missing column", "a heading with " + ", ".join(NEEDED))
    problems.settle()
    return [COLUMNS.index(name) for name in names]


def _fields(number: int, line: str, problems: Problems, width: int) -> list[str] | None:
    """The fields of a line without the spaces around them; None when a problem was noted. `width` 0: any number."""
    if len(line) > MAX_LINE_CHARS:
        problems.add(number, "", line, "is too long", f"at most {MAX_LINE_CHARS} characters a line")
        return None
    unwanted = _UNWANTED.search(line)
    if unwanted:
        _unwanted(number, line[max(0, unwanted.start() - 20) : unwanted.end() + 19], unwanted[0], problems)
        return None
    if '"' in line:
        try:
            fields = next(csv.reader([line], strict=True))
        except csv.Error as error:
            open_quote = "unexpected end" in str(error)
            message = "has a quote that is not closed" if open_quote else "has text after a closing quote"
            problems.add(number, "", line, message, _QUOTES)
            return None
    else:
        fields = line.split(",")
    if width and len(fields) != width:
        allowed = f"{width}, as in the heading (a field that holds a comma stands in quotes)"
        problems.add(number, "", line, f"has {len(fields)} fields", allowed)
        return None
    return [field.strip(" ") for field in fields]


def _unwanted(number: int, around: str, char: str, problems: Problems) -> None:
    """`around`: 40 characters of the line, for the eye to find the place by."""
    if "\udc80" <= char <= "\udcff":
        problems.add(number, "", around, f"holds the byte 0x{ord(char) - 0xDC00:02X}, which is no UTF-8", _TEXT)
    else:
        problems.add(number, "", around, f"holds the control character U+{ord(char):04X}", _TEXT)


def parse_json(text: str | bytes, source: str, currency: Currency) -> list[Product]:
    """The products in a JSON array of objects whose keys are the CSV's columns and whose values are texts.

    Numbers are refused: a price such as 12.10 is no binary fraction. Raises CatalogueError; lines count entries.
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if len(data) > MAX_JSON_BYTES:
        refuse(source, f"has {len(data)} bytes", f"at most {MAX_JSON_BYTES}")
    try:
        entries = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse(source, f"is no list of products: {error}", "a JSON array of objects, in UTF-8")
    problems = Problems(source)
    rows = Rows(problems, currency)
    products: list[Product] = []
    for number, entry in enumerate(entries, 1):
        fields = _entry(number, entry, problems)
        product = rows.take(number, fields) if fields is not None else None
        if product is not None:
            products.append(product)
    rows.finish()
    problems.settle()
    return products


def _entry(number: int, entry: dict[str, Any], problems: Problems) -> list[str] | None:
    before = problems.count
    for key, value in entry.items():
        if key not in COLUMNS:
            problems.add(number, "", key, "is an unknown column", ", ".join(COLUMNS))
        elif not isinstance(value, str):
            problems.add(number, key, str(value), "is no text", "text in quotes")
        elif unwanted := _UNWANTED.search(value):
            problems.add(number, key, value, f"holds the control character U+{ord(unwanted[0]):04X}", _TEXT)
    if problems.count != before:
        return None
    return [entry.get(column, "").strip(" ") for column in COLUMNS]
