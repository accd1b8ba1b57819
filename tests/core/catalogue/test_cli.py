"""`catalogue import` and `catalogue show`, as a technician runs them."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from kiosk.lane.catalogue import Catalogue, newest
from kiosk.lane.catalogue_cli import app
from tests.core.catalogue.lists import ROW, SAMPLE, row, table


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_import_then_show(tmp_path: Path) -> None:
    done = run("import", SAMPLE, "--state", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    told = msgspec.json.decode(done.stdout)
    assert (told["products"], told["sequence"]) == (252, 1)
    assert newest(tmp_path / "catalogue") == Path(told["path"])
    for code in ("9521000000018", "09521000000018"):
        shown = run("show", code, "--state", tmp_path, "--json")
        assert msgspec.json.decode(shown.stdout)["name"]["da"] == "Kornvig rugbrød 900 g"
    assert "Bananas" in run("show", "4011", "--state", tmp_path).stdout


def test_a_second_import_is_then_current(tmp_path: Path) -> None:
    run("import", SAMPLE, "--state", tmp_path)
    for name, text in (("list.csv", table(row())), ("list.json", msgspec.json.encode([ROW]).decode())):
        (tmp_path / name).write_text(text)
        done = run("import", tmp_path / name, "--state", tmp_path, "--currency", "EUR:2", "--tax-excluded")
        assert "1 products imported as version" in done.stdout
    path = newest(tmp_path / "catalogue")
    assert path is not None
    with Catalogue(path) as catalogue:
        assert (catalogue.count, catalogue.manifest.sequence) == (1, 3)
        assert (catalogue.currency.code, catalogue.prices_include_tax) == ("EUR", False)


def test_a_bad_list_is_told_and_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(table(row(name_en="[red]Rye[/]", price="[x]"), row(code="1")))
    done = run("import", path, "--state", tmp_path)
    assert done.exit_code == 1
    for words in ("bad.csv: 2 problems", "[x]", "is no price", "digits with a dot", "Nothing was imported."):
        assert words in done.stderr
    assert done.stdout == ""
    machine = run("import", path, "--state", tmp_path, "--json")
    assert machine.exit_code == 1
    told = msgspec.json.decode(machine.stdout)
    assert (told["error"], told["count"]) == ("bad_catalogue", 2)
    assert told["problems"][1]["line"] == 3
    assert newest(tmp_path / "catalogue") is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "catalogue").write_text("a file in its place")
    done = run("import", SAMPLE, "--state", tmp_path)
    assert done.exit_code == 1
    assert "the catalogue is not imported" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["import"], ["import", "absent.csv"], ["import", str(SAMPLE), "--currency", "kr"]]
)
def test_bad_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_show_without(tmp_path: Path) -> None:
    assert run("show", "4011", "--state", tmp_path).exit_code == 1
    run("import", SAMPLE, "--state", tmp_path)
    done = run("show", "4012345", "--state", tmp_path)
    assert done.exit_code == 1
    assert "there is no product with code '4012345'" in done.stderr
