"""The issued receipt as a document: what is said, in which order, with which weight; nothing about paper or pixels.

It is journaled as JSON when the receipt is issued, so its words, numbers and order are what the customer was given,
whichever width or device it comes out on later. `renderer` names the rules by which it was composed.
"""

from typing import Literal

import msgspec

RENDERER = "kassa-receipt/1"
MAX_JSON_BYTES = 2_000_000
MAX_BLOCKS = 10_000

Emphasis = Literal["normal", "strong", "quiet"]
Align = Literal["left", "center"]


class DocumentError(ValueError):
    """The text is not a receipt document of this renderer; the message says what is wrong."""


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """Base of all parts of a document."""


class Heading(Block, frozen=True, tag="heading"):
    """The shop's name, centred and large."""

    text: str


class Text(Block, frozen=True, tag="text"):
    text: str
    align: Align = "left"
    emphasis: Emphasis = "normal"


class Pair(Block, frozen=True, tag="pair"):
    """Left and right on one line where they fit. `right` is never cut."""

    left: str
    right: str
    emphasis: Emphasis = "normal"
    level: int = 0


class Item(Block, frozen=True, tag="item"):
    """One thing sold. `mark` is the letter of its tax category, `detail` such as `2 × 12,50`; level 1 hangs below."""

    name: str
    amount: str
    mark: str = ""
    detail: str = ""
    level: int = 0


class Total(Block, frozen=True, tag="total"):
    label: str
    amount: str


class TaxRow(Block, frozen=True):
    label: str
    base: str
    tax: str
    gross: str


class TaxTable(Block, frozen=True, tag="tax_table"):
    """`head` names the four columns."""

    head: TaxRow
    rows: list[TaxRow]


class Card(Block, frozen=True, tag="card"):
    """A card payment: our references, or the terminal's own receipt lines, kept in their columns."""

    references: list[Pair]
    terminal_lines: list[str]


class Qr(Block, frozen=True, tag="qr"):
    data: str
    caption: str = ""


class Barcode(Block, frozen=True, tag="barcode"):
    """Code 128 with its text below."""

    data: str


class Rule(Block, frozen=True, tag="rule"):
    weight: Literal["hair", "bold"] = "hair"


class Space(Block, frozen=True, tag="space"):
    """White space of `halves` half lines."""

    halves: int = 1


class Banner(Block, frozen=True, tag="banner"):
    """White on black, over the whole width: not to be overlooked."""

    text: str


AnyBlock = Heading | Text | Pair | Item | Total | TaxTable | Card | Qr | Barcode | Rule | Space | Banner


class Document(Block, frozen=True):
    """An issued receipt. `copy_mark` is what stands on top of a reprint, in the document's language."""

    renderer: str
    language: str
    sale_id: str
    register: str
    receipt_series: str
    receipt_no: int
    mode: str
    currency: str
    currency_exponent: int
    total_minor: int
    issued_wall_ms: int
    tzo_min: int
    copy_mark: str
    blocks: list[AnyBlock]


def to_json(document: Document) -> str:
    return msgspec.json.encode(document, order="deterministic").decode()


def from_json(text: str) -> Document:
    """The document in `text`. Raises DocumentError: unknown field, wrong type, other renderer, or too large."""
    if len(text) > MAX_JSON_BYTES:
        raise DocumentError(f"receipt document: {len(text)} characters; allowed: {MAX_JSON_BYTES}")
    try:
        document = msgspec.json.decode(text.encode(), type=Document, strict=True)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise DocumentError(f"receipt document: {error}") from None
    if document.renderer != RENDERER:
        raise DocumentError(f"receipt document: renderer {document.renderer!r}; allowed: {RENDERER!r}")
    if len(document.blocks) > MAX_BLOCKS:
        raise DocumentError(f"receipt document: {len(document.blocks)} blocks; allowed: {MAX_BLOCKS}")
    return document
