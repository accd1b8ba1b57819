"""What a technician reads when a configuration is wrong: the key, and what is allowed there."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from kiosk.records.config import BadConfig, load_enrolment, load_toml


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    prefix: str
    kind: Literal["price", "weight"] = "price"


class Part(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[Rule] = []
    names: list[str] = []
    short: Annotated[str, msgspec.Meta(min_length=1, max_length=9)] = "x"
    on: bool = True


class Form(msgspec.Struct, forbid_unknown_fields=True):
    port: Annotated[int, msgspec.Meta(ge=0, le=9)] = 1
    count: int = 0
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "DKK"
    part: Part = msgspec.field(default_factory=Part)


WRONG = {
    "unknown": ("prot = 1", "unknown key 'prot'; allowed: port, count, code, part"),
    "unknown within": ("[part]\nruel = 1", "unknown key 'part.ruel'; allowed: rule, names, short, on"),
    "unknown in a list": (
        '[[part.rule]]\nprefix = "2"\n[[part.rule]]\nprefix = "2"\nx = 1',
        "unknown key 'part.rule[...].x'; allowed: prefix, kind",
    ),
    "missing": ("[[part.rule]]", "key 'part.rule[...].prefix' is missing; allowed: text"),
    "choice": (
        '[[part.rule]]\nprefix = "2"\nkind = "kilo"',
        "part.rule[...].kind: invalid enum value 'kilo'; allowed: price, weight",
    ),
    "range": ("port = 10", "port: expected int <= 9; allowed: a whole number, 0 to 9"),
    "number": ("count = 1.5", "count: expected int, got float; allowed: a whole number"),
    "pattern": ('code = "kr"', "code: expected str matching regex '^[A-Z]{3}$'; allowed: text of the form ^[A-Z]{3}$"),
    "length": ('[part]\nshort = ""', "part.short: expected str of length >= 1; allowed: text of 1 to 9 characters"),
    "flag": ("[part]\non = 1", "part.on: expected bool, got int; allowed: true or false"),
    "list": ("[part]\nnames = [1]", "part.names[...]: expected str, got int; allowed: text"),
    "no list": ("[part]\nnames = 1", "part.names: expected array, got int; allowed: a list, each of it text"),
    "no table": ("part = 1", "part: expected object, got int; allowed: rule, names, short, on"),
    "no TOML": ("port", "is not TOML: "),
    "control characters": ('"a\\nb\\u001b[2J" = 1', "unknown key 'a�b�[2J'; allowed: port"),
    "a dotted key": ('"a`.b" = 1', "unknown key 'a`.b'; allowed: port"),
    "a long key": ("k" * 9999 + " = 1", f"unknown key '{'k' * 64}'; allowed: port"),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_key_and_what_is_allowed_are_named_in_one_line(tmp_path: Path, case: str) -> None:
    text, line = WRONG[case]
    path = tmp_path / "kiosk.toml"
    path.write_text(text)
    with pytest.raises(BadConfig) as error:
        load_toml(path, Form)
    said = str(error.value).replace("[0]", "[...]").replace("[1]", "[...]")
    assert said.startswith(f"{path}: {line}")
    assert said.isprintable()


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"port = \xff")
    (tmp_path / "large.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    for name, words in {
        "none.toml": "No such file or directory",
        ".": "Is a directory",
        "binary.toml": "is not TOML: byte 7 is not UTF-8",
        "large.toml": "longer than 1048576 bytes",
    }.items():
        with pytest.raises(BadConfig, match=words):
            load_toml(tmp_path / name, Form)


def test_an_enrolment_is_whole_or_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="enrol the lane first"):
        load_enrolment(tmp_path)
    path = tmp_path / "enrolment.json"
    for damaged in (b"", b'{"dev": "d', b"\xff", b"[]", b'{"dev": 1}'):
        path.write_bytes(damaged)
        with pytest.raises(BadConfig, match=r"enrolment\.json is damaged .*: put back .* or enrol the lane again"):
            load_enrolment(tmp_path)
