"""Every text that the code and the templates mark for translation."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from babel.messages.extract import extract_from_file
from jinja2.ext import babel_extract

import kiosk

ROOT = Path(kiosk.__file__).parent
KEYWORDS: dict[str, tuple[int, ...] | None] = {"t": None, "n": (1, 2), "N_": None}


class Use(NamedTuple):
    """`plural` is empty for a text without one."""

    text: str
    plural: str
    where: str


def used() -> Iterator[Use]:
    for path in sorted(ROOT.rglob("*.html")):
        with path.open("rb") as template:
            options = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}
            for line, function, message, _ in babel_extract(template, tuple(KEYWORDS), (), options):
                yield _use(function, message, f"{path.name}:{line}")
    for path in sorted(ROOT.rglob("*.py")):
        for line, message, _, _ in extract_from_file("python", path, KEYWORDS):
            yield _use("n" if isinstance(message, tuple) else "t", message, f"{path.name}:{line}")


def _use(function: str | None, message: object, where: str) -> Use:
    if isinstance(message, tuple | list):
        texts = [one for one in message if isinstance(one, str)]
        return Use(texts[0], texts[1] if function == "n" else "", where)
    assert isinstance(message, str)
    return Use(message, "", where)
