"""`kassa-cloud keys`: the backend's keys, by hand."""

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cloud import keys
from cloud.config import Config, load
from kiosk.records.config import BadConfig

app = typer.Typer(no_args_is_help=True, help="The backend's own keys.")


@app.callback()
def _commands() -> None:
    """The backend's own keys."""


@app.command()
def rotate(
    *,
    config: Annotated[Path | None, typer.Option("--config", help="cloud.toml")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the keys; wins over cloud.toml.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Change the key that counter-signs journals. The old one signs the new one, so that lanes follow by themselves;
    restart the server to have it used."""
    try:
        settings = load(config) if config is not None else Config()
        if data is not None:
            settings = msgspec.structs.replace(settings, data=str(data))
        change = keys.rotate_cosign(settings.folder / "keys")
    except (BadConfig, keys.BadKey, OSError) as error:
        sys.stderr.write(f"kassa-cloud: {error}\n")
        raise typer.Exit(2 if isinstance(error, BadConfig) else 1) from None
    text = f"counter-signing key changed to {change.new}; restart the server to have it used"
    sys.stdout.write((json.dumps({"old": change.old, "new": change.new}) if json_ else text) + "\n")
