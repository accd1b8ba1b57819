"""`kassa-kiosk catalogue import FILE` and `show CODE`: a shop without a backend gives the lane its products."""

import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kiosk.lane.catalogue import Catalogue, file_name, newest
from kiosk.records.catalogue import (
    CatalogueError,
    build_db,
    from_ndjson,
    iter_csv,
    lines,
    parse_json,
    to_ndjson,
)
from kiosk.records.catalogue_gtin import gtin14
from kiosk.records.manifest import Manifest, digest
from kiosk.records.sale import Currency, Product

app = typer.Typer(no_args_is_help=True, help="The lane's product catalogue.")

_ALWAYS_MS = 2**53 - 1  # later than any valid_from_ms: versions that wait for their day count as well
_CURRENCY = re.compile(r"([A-Z]{3}):([0-4])", re.ASCII)

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, JSON (.json) or products (.ndjson)")
]
State = Annotated[Path, typer.Option("--state", envvar="KASSA_STATE", help="The lane's state folder")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines on standard output")]
Money = Annotated[str, typer.Option(help="Currency and the decimals of its minor unit, such as DKK:2 or TWD:0")]
Shop = Annotated[str, typer.Option(help="The shop that the list is for")]
Excluded = Annotated[bool, typer.Option("--tax-excluded", help="Prices are without tax")]


@app.command("import")
def import_file(
    file: File,
    state: State = Path("state"),
    *,
    currency: Money = "DKK:2",
    shop: Shop = "local",
    tax_excluded: Excluded = False,
    json: AsJson = False,
) -> None:
    """Check FILE and make it the newest catalogue version. Nothing is taken when anything in it is wrong."""
    money = _currency(currency)
    folder = state / "catalogue"
    began_s = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _progress() as progress:
            products = sorted(_read(file, money, progress), key=lambda product: product.code)
            manifest = _manifest(products, folder, money, shop, prices_include_tax=not tax_excluded)
            path = folder / file_name(manifest.version)
            task = progress.add_task("Writing", total=len(products))
            build_db(products, manifest, path, lambda done, _: progress.update(task, completed=done))
    except CatalogueError as error:
        _show_problems(error, as_json=json)
        raise typer.Exit(1) from None
    except OSError as error:
        _fail(f"the catalogue is not imported: {error}", as_json=json)
        raise typer.Exit(1) from None
    took_s = time.monotonic() - began_s
    if json:
        done = {"version": manifest.version, "sequence": manifest.sequence, "products": manifest.products}
        _echo({**done, "sha256": manifest.sha256, "path": str(path), "took_ms": round(took_s * 1000)})
    else:
        typer.echo(f"{manifest.products} products imported as version {manifest.version} in {took_s:.1f} s")


@app.command()
def show(code: str, state: State = Path("state"), *, json: AsJson = False) -> None:
    """The product with CODE in the current version: GTIN with check digit, PLU, or beginning of an in-store code."""
    path = newest(state / "catalogue")
    if path is None:
        _fail(f"there is no valid catalogue in {state / 'catalogue'}; import one first", as_json=json)
        raise typer.Exit(1)
    with Catalogue(path) as catalogue:
        product = catalogue.find(gtin14(code) or code)
        version = catalogue.version
    if product is None:
        _fail(f"there is no product with code {code!r} in version {version}", as_json=json)
        raise typer.Exit(1)
    if json:
        _echo(product)
        return
    table = Table("field", "value", title=f"version {version}")
    for field, value in msgspec.to_builtins(product).items():
        table.add_row(field, Text(str(value)))
    Console().print(table)


def _currency(text: str) -> Currency:
    match = _CURRENCY.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r}; allowed: three capital letters, a colon and 0 to 4, such as DKK:2")
    return Currency(match[1], int(match[2]))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    # Where nobody watches, even a bar that is off leaves a blank line among the errors.
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    return Progress(*columns, console=console, transient=True)


def _read(file: Path, currency: Currency, progress: Progress) -> list[Product]:
    task = progress.add_task("Reading", total=file.stat().st_size)
    match file.suffix.lower():
        case ".json":
            products = parse_json(file.read_bytes(), file.name, currency)
        case ".ndjson":
            with file.open("rb") as source:
                products = list(from_ndjson(source, file.name))
        case _:
            products = list(iter_csv(_counted(file, progress, task), file.name, currency))
    progress.update(task, completed=file.stat().st_size)
    return products


def _counted(file: Path, progress: Progress, task: TaskID) -> Iterator[str]:
    """The file's lines, telling the bar now and then: at every line it would take more time than the reading."""
    done_bytes = 0
    for number, line in enumerate(lines(file), 1):
        done_bytes += len(line.encode("utf-8", "surrogateescape"))
        if number % 2000 == 0:
            progress.update(task, completed=done_bytes)
        yield line


def _manifest(
    products: list[Product], folder: Path, currency: Currency, shop: str, *, prices_include_tax: bool
) -> Manifest:
    """An unsigned manifest after all that are there: what is imported by hand on the lane itself is the newest."""
    path = newest(folder, now_ms=_ALWAYS_MS)
    sequence = 1
    if path is not None:
        with Catalogue(path) as latest:
            sequence = latest.manifest.sequence + 1
    now = datetime.now(UTC)
    data = to_ndjson(products)
    return Manifest(
        version=f"{now:%Y%m%dT%H%M%SZ}-{sequence}",
        sequence=sequence,
        shop=shop,
        currency=currency,
        prices_include_tax=prices_include_tax,
        products=len(products),
        size_bytes=len(data),
        sha256=digest(data),
        valid_from_ms=0,
        created_ms=int(now.timestamp() * 1000),
    )


def _show_problems(error: CatalogueError, *, as_json: bool) -> None:
    if as_json:
        _echo({"error": "bad_catalogue", "file": error.source, "count": error.count, "problems": error.problems})
        return
    console = Console(stderr=True)
    noun = "problem" if error.count == 1 else "problems"
    table = Table("line", "column", "value", "what is wrong", "allowed", title=f"{error.source}: {error.count} {noun}")
    for problem in error.problems:
        place = str(problem.line) if problem.line else "-"
        table.add_row(place, *map(Text, (problem.column, problem.value, problem.message, problem.allowed)))
    console.print(table)
    if error.count > len(error.problems):
        console.print(f"and {error.count - len(error.problems)} more")
    console.print("Nothing was imported.")


def _fail(message: str, *, as_json: bool) -> None:
    if as_json:
        _echo({"error": message})
    else:
        typer.echo(message, err=True)


def _echo(value: object) -> None:
    typer.echo(msgspec.json.encode(value).decode())
