"""Text in columns of a fixed pitch: how wide it is, where it may be broken.

Widths: East Asian Wide and Fullwidth take two columns, combining marks none (Unicode Standard Annex #11).
"""

import unicodedata
from functools import lru_cache

# Characters that must not begin a line in Chinese typesetting (GB/T 15834, clause 5.1), and that must not end one.
_NOT_FIRST = frozenset("，。、；：？！）》」』】〉”’％!),.:;?]}%")
_NOT_LAST = frozenset("（《「『【〈“‘([{")


@lru_cache(maxsize=8192)
def char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def width(text: str) -> int:
    """Columns that `text` takes."""
    return len(text) if text.isascii() else sum(char_width(char) for char in text)


def clusters(text: str) -> list[str]:
    """Base characters with the marks that belong to them: what is never torn apart."""
    out: list[str] = []
    for char in text:
        if out and char_width(char) == 0:
            out[-1] += char
        else:
            out.append(char)
    return out


def wrap(text: str, columns: int) -> list[str]:
    """`text` in lines of at most `columns`, at least one line. Breaks at blanks, after hyphens and between wide
    characters; inside a word only where the word alone is longer than a line."""
    lines: list[str] = []
    current = ""
    for piece in _pieces(text):
        fits = width(current) + width(piece.rstrip(" ")) <= columns
        if not fits and current.strip(" "):
            lines.append(current.rstrip(" "))
            current = ""
        piece = piece if current else piece.lstrip(" ")
        while width(piece.rstrip(" ")) > columns:
            head, piece = _cut(piece, columns)
            lines.append(head)
        current += piece
    if current.strip(" ") or not lines:
        lines.append(current.rstrip(" "))
    return lines


def _pieces(text: str) -> list[str]:
    """`text` in parts between which a line may break. A piece carries its trailing blanks."""
    pieces: list[str] = []
    for cluster in clusters(text):
        if not pieces or _may_break(pieces[-1], cluster):
            pieces.append(cluster)
        else:
            pieces[-1] += cluster
    return pieces


def _may_break(before: str, after: str) -> bool:
    if after == " ":
        return False
    last = before[-1]
    if last == " ":
        return True
    if after[0] in _NOT_FIRST or last in _NOT_LAST:
        return False
    if last == "-":
        return len(before) > 1 and before[-2].isalpha()
    return char_width(last) == 2 or char_width(after[0]) == 2


def _cut(text: str, columns: int) -> tuple[str, str]:
    """The first `columns` columns (at least one cluster) and the rest."""
    taken, used = "", 0
    for cluster in clusters(text):
        size = width(cluster)
        if taken and used + size > columns:
            break
        taken += cluster
        used += size
    return taken, text[len(taken) :]
