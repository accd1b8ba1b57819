"""What all commands of `kassa-cloud` share: their options, their configuration, and how they fail."""

from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from cloud import catalogues, keys, shops
from cloud.config import Config, load
from cloud.store import BadDatabase, Busy, Store
from kiosk.records.catalogue import CatalogueError
from kiosk.records.config import BadConfig

ConfigFile = Annotated[Path | None, typer.Option("--config", help="cloud.toml")]
DataDir = Annotated[Path | None, typer.Option("--data", help="Folder of the database and keys; wins over cloud.toml.")]
ShopName = Annotated[str, typer.Option("--shop", help="The shop's id or name; a new name makes a new shop.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line.")]

FAILURES = (BadConfig, shops.BadShop, catalogues.BadCatalogue, keys.BadKey, CatalogueError, BadDatabase, Busy, OSError)


def fail(message: object, status: int = 1) -> NoReturn:
    """Exit status 2: it cannot run with this configuration, and trying again changes nothing."""
    typer.echo(f"kassa-cloud: {message}", err=True)
    raise typer.Exit(status)


def configured(file: Path | None, data: Path | None, port: int | None = None) -> Config:
    try:
        config = load(file) if file is not None else Config()
    except BadConfig as error:
        fail(error, 2)
    changes: dict[str, object] = {} if data is None else {"data": str(data)}
    if port is not None:
        changes["port"] = port
    return msgspec.structs.replace(config, **changes)


def opened(config: Config) -> Store:
    try:
        return Store(config.folder, config.database)
    except FAILURES as error:
        fail(error)
