"""TOML configuration, checked at start: an error names the file, the key, and what is allowed."""

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

MAX_BYTES = 1024 * 1024
T = TypeVar("T", bound=msgspec.Struct)


class BadConfig(ValueError):
    """The configuration cannot be used; the text says why, in one line."""


def load_toml(path: Path, form: type[T]) -> T:
    """The file as `form`, a Struct that forbids unknown fields. Raises BadConfig. Blocks for one small file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise BadConfig(f"{path}: longer than {MAX_BYTES} bytes")
        found = tomllib.loads(data.decode())
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfig(f"{path}: is not TOML: {error}") from None
    try:
        return msgspec.convert(found, form)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {_explained(str(error), form)}") from None


def _explained(message: str, form: type[msgspec.Struct]) -> str:
    """`… - at `$.shop.tax`` as `shop.tax: …`, with the known keys where a key is unknown."""
    said, _, at = message.partition(" - at `$.")
    place = at.rstrip("`")
    unknown = re.search(r"unknown field `(.*)`", said)
    if unknown is None:
        return f"{place or 'top level'}: {said.replace('`', '')}"
    allowed = ", ".join(_keys(form, place))
    key = f"{place}.{unknown[1]}" if place else unknown[1]
    return f"unknown key {key!r}; allowed: {allowed}"


def _keys(form: type[msgspec.Struct], place: str) -> list[str]:
    current: object = form
    for part in re.sub(r"\[.*?\]", "", place).split("."):
        if not part:
            continue
        field = next(f for f in msgspec.structs.fields(current) if f.encode_name == part)  # type: ignore[arg-type]
        current = field.type
        current = getattr(current, "__args__", (current,))[0]
    return [f.encode_name for f in msgspec.structs.fields(current)]  # type: ignore[arg-type]
