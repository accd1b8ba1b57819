"""`kassa-cloud staff` as a person uses it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloud.main import app


def staff(tmp_path: Path, *arguments: str, given: str = "2580\n") -> Result:
    return CliRunner().invoke(app, ["staff", *arguments, "--shop", "Havnen", "--data", str(tmp_path / "d")], given)


def test_somebody_is_added_listed_and_removed_and_no_secret_is_stored(tmp_path: Path) -> None:
    added = staff(tmp_path, "add", "--roles", "void,approve", "--json")
    assert added.exit_code == 0, added.output
    one = json.loads(added.stdout)
    listed = staff(tmp_path, "list")
    assert listed.stdout == f"{one['attendant_id']}  approve, void\n"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file())
    assert one["badge"].encode() not in stored
    assert staff(tmp_path, "remove", one["attendant_id"]).exit_code == 0
    assert staff(tmp_path, "list").stdout == ""


def test_an_existing_badge_is_read_before_the_pin(tmp_path: Path) -> None:
    assert staff(tmp_path, "add", "--own-badge", given="CARD-0815-4711\n2580\n").exit_code == 0
    again = staff(tmp_path, "add", "--own-badge", given="CARD-0815-4711\n2580\n")
    assert (again.exit_code, "somebody's already" in again.output) == (1, True)


MISTAKES = {
    "a PIN with letters": (("add",), "12a4\n", "4 to 8 digits"),
    "a PIN too short": (("add",), "258\n", "4 to 8 digits"),
    "a PIN in a row": (("add",), "4567\n", "guessed"),
    "a PIN all alike": (("add",), "1111\n", "guessed"),
    "an unknown role": (("add", "--roles", "boss"), "2580\n", "allowed: approve, void"),
    "no role": (("add", "--roles", ""), "2580\n", "allowed: approve, void"),
    "a day that is none": (("add", "--valid-until", "31.1.2027"), "2580\n", "2027-01-31"),
    "a badge too short": (("add", "--own-badge"), "X1\n2580\n", "8 to 80"),
    "nobody to remove": (("remove", "a-0"), "", "staff list"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(tmp_path: Path, name: str) -> None:
    arguments, given, words = MISTAKES[name]
    result = staff(tmp_path, *arguments, given=given)
    assert result.exit_code == 1
    assert words in result.output
    assert staff(tmp_path, "list").stdout == ""
