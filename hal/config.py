"""`hal.toml`: read, checked whole, and refused with one line that names the file, the key and what is allowed."""

import pwd
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, inspect

from hal.drivers.options import DeviceOptions
from hal.drivers.registry import MODELS, Model

MAX_FILE_BYTES = 1024 * 1024
MAX_DEVICES = 32
MAX_SOCKET_PATH_BYTES = 90
"""sun_path holds 108 bytes (unix(7)), and the socket is bound under a longer name before it is renamed."""
_HEAD = ("id", "kind", "model")

T = TypeVar("T", bound=msgspec.Struct)


class ConfigError(Exception):
    """One line of printable characters for the technician."""

    def __init__(self, text: str) -> None:
        super().__init__("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


@dataclass(frozen=True)
class DeviceConfig:
    id: str
    name: str
    """Name of the model."""
    model: Model
    options: DeviceOptions


@dataclass(frozen=True)
class HalConfig:
    socket: str
    allowed_uids: frozenset[int]
    """Besides the daemon's own uid and root."""
    devices: tuple[DeviceConfig, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    socket: Annotated[str, Meta(max_length=MAX_SOCKET_PATH_BYTES, pattern="^/")] = "/run/kassa-hal/hal.sock"
    allowed_users: list[str | Annotated[int, Meta(ge=0, le=2**32 - 2)]] = []
    device: Annotated[list[dict[str, Any]], Meta(max_length=MAX_DEVICES)] = []


class _Head(msgspec.Struct):
    id: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]
    kind: str
    model: str


def load(path: str) -> HalConfig:
    """Read and check a configuration. Raises ConfigError. Blocks for one small file."""
    file = _convert(_read(path), _File, path)
    seen: set[str] = set()
    devices = []
    for number, table in enumerate(file.device, 1):
        device = _device(table, f"{path}: device {number}", path)
        if device.id in seen:
            raise ConfigError(f'{path}: device {number}: key "id": "{device.id}" is used twice; each id once')
        seen.add(device.id)
        devices.append(device)
    return HalConfig(file.socket, frozenset(_uid(user, path) for user in file.allowed_users), tuple(devices))


def _read(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: longer than {MAX_FILE_BYTES} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {' '.join(str(error).split())}") from None


def _device(table: dict[str, Any], where: str, path: str) -> DeviceConfig:
    head = _convert({key: table[key] for key in _HEAD if key in table}, _Head, where)
    where = f'{path}: device "{head.id}"'
    kinds = sorted({kind for kind, _ in MODELS})
    if head.kind not in kinds:
        raise ConfigError(_not_allowed(where, "kind", head.kind, kinds))
    models = sorted(model for kind, model in MODELS if kind == head.kind)
    if head.model not in models:
        raise ConfigError(_not_allowed(where, "model", head.model, models))
    model = MODELS[head.kind, head.model]
    options = {key: value for key, value in table.items() if key not in _HEAD}
    return DeviceConfig(head.id, head.model, model, _convert(options, model.options, where, known=_HEAD))


def _convert(table: dict[str, Any], form: type[T], where: str, known: Collection[str] = ()) -> T:
    fields = form.__struct_fields__
    for key in table:
        if key not in fields:
            raise ConfigError(f'{where}: unknown key "{key[:64]}"; allowed: {", ".join((*known, *fields))}')
    try:
        return msgspec.convert(table, form)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explained(str(error), form)}") from None


def _explained(message: str, form: type[msgspec.Struct]) -> str:
    """`Expected `int`, got `str` - at `$.baud`` as `key "baud": expected int, got str; allowed: …`."""
    said, _, at = message.partition(" - at `$")
    said = said.replace("`", "")
    missing = re.fullmatch(r"Object missing required field (\w+)", said)
    if missing:
        return f'key "{missing[1]}" is missing; allowed: {_allowed(form, missing[1])}'
    key = at.rstrip("`").lstrip(".")
    return f'key "{key}": {said[:1].lower()}{said[1:]}; allowed: {_allowed(form, key)}' if key else said


def _allowed(form: type[msgspec.Struct], key: str) -> str:
    """What a key takes, in words; options are flat, but for lists."""
    name = re.sub(r"\[.*", "", key)
    fields = inspect.type_info(form).fields  # type: ignore[attr-defined]  # a Struct's is a StructType
    return next((_words(field.type) for field in fields if field.encode_name == name), "nothing else")


def _words(what: inspect.Type) -> str:
    match what:
        case inspect.LiteralType(values=values):
            return ", ".join(str(value) for value in values)
        case inspect.IntType(ge=least, le=most) if least is not None:
            return f"a whole number, {least} to {most}"
        case inspect.FloatType(ge=least, le=most) if least is not None:
            return f"a number, {least} to {most}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType(pattern=str(pattern)):
            return f"text of the form {pattern}"
        case inspect.StrType():
            return "text"
        case inspect.UnionType(types=types):
            return " or ".join(_words(each) for each in types)
        case (
            inspect.ListType(item_type=item)
            | inspect.FrozenSetType(item_type=item)
            | inspect.VarTupleType(item_type=item)
        ):
            return f"a list of {_words(item)}"
        case _:
            return "a table"


def _not_allowed(where: str, key: str, value: str, allowed: Collection[str]) -> str:
    return f'{where}: key "{key}": "{value[:64]}" is not known; allowed: {", ".join(allowed)}'


def _uid(user: str | int, path: str) -> int:
    if isinstance(user, int):
        return user
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        raise ConfigError(f'{path}: key "allowed_users": this machine has no user "{user[:64]}"') from None
