"""Configuration and enrolment, checked at start: an error names the file, the key, and what is allowed."""

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import inspect

from kiosk.records.identity import BadIdentity, Enrolment, public_key

MAX_BYTES = 1024 * 1024
T = TypeVar("T", bound=msgspec.Struct)


class BadConfig(ValueError):
    """The configuration cannot be used; the text says why, in one line of printable characters."""

    def __init__(self, text: str) -> None:
        super().__init__("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


def load_toml(path: Path, form: type[T]) -> T:
    """The file as `form`, a Struct that forbids unknown fields. Raises BadConfig. Blocks for one small file."""
    data = _read(path)
    try:
        found = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path}: is not TOML: byte {error.start} is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfig(f"{path}: is not TOML: {' '.join(str(error).split())}") from None
    try:
        return msgspec.convert(found, form)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {_explained(str(error), form)}") from None


def load_enrolment(state: Path) -> Enrolment:
    """`enrolment.json` of a lane's state folder. Raises BadConfig when the lane is not enrolled, or the file is not as
    the enrolment wrote it."""
    path = state / "enrolment.json"
    if not path.exists():
        raise BadConfig(f"{path} is not there: enrol the lane first (kassa-provision enrol)")
    try:
        enrolment = msgspec.json.decode(_read(path), type=Enrolment)
        public_key(enrolment.cosign_key)
        public_key(enrolment.release_key)
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path} is damaged (byte {error.start} is not UTF-8): {_RENEW}") from None
    except (msgspec.MsgspecError, BadIdentity) as error:
        raise BadConfig(f"{path} is damaged ({str(error).replace('`', '')}): {_RENEW}") from None
    return enrolment


_RENEW = "put back the one that enrolment wrote, or enrol the lane again (kassa-provision enrol --replace)"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise BadConfig(f"{path}: longer than {MAX_BYTES} bytes")
    return data


def _explained(message: str, form: type[msgspec.Struct]) -> str:
    """`… - at `$.shop.tax`` as `shop.tax: …; allowed: …`; a key that is unknown or missing is named itself."""
    said, _, at = message.partition(" - at `$.")
    place = at.rstrip("`")
    wrong = inspect.type_info(form)
    for part in re.sub(r"\[.*?\]", "[]", place).replace("[]", ".[]").split("."):
        wrong = _inner(wrong, part) if part else wrong
    # `.*` must not stop at a line's end: a quoted key may hold one.
    if unknown := re.search(r"unknown field `(.*)`", said, re.DOTALL):
        return f"unknown key '{_under(place, unknown[1][:64])}'; allowed: {allowed(wrong)}"
    if missing := re.search(r"missing required field `(.*)`", said, re.DOTALL):
        return f"key '{_under(place, missing[1])}' is missing; allowed: {allowed(_inner(wrong, missing[1]))}"
    plain = said.replace("`", "")
    return f"{place or 'top level'}: {plain[:1].lower()}{plain[1:]}; allowed: {allowed(wrong)}"


def _under(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _inner(outer: inspect.Type, part: str) -> inspect.Type:
    match outer:
        case inspect.StructType(fields=fields):
            return next((field.type for field in fields if field.encode_name == part), inspect.AnyType())
        case inspect.ListType(item_type=item):
            return item
        case _:
            return inspect.AnyType()


def allowed(what: inspect.Type) -> str:
    """What a type takes, in words for a technician."""
    match what:
        case inspect.StructType(fields=fields):
            return ", ".join(field.encode_name for field in fields)
        case inspect.LiteralType(values=values):
            return ", ".join(str(value) for value in values)
        case inspect.IntType(ge=None, le=None):
            return "a whole number"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number, {least} to {most}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(pattern=str(pattern)):
            return f"text of the form {pattern}"
        case inspect.StrType(min_length=None, max_length=None):
            return "text"
        case inspect.StrType(min_length=least, max_length=most):
            return f"text of {least or 0} to {most} characters"
        case inspect.ListType(item_type=item):
            return f"a list, each of it {allowed(item)}"
        case _:
            return "nothing else"
