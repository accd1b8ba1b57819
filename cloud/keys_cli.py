"""`kassa-cloud keys`: the backend's keys, by hand."""

import json
import sys

import typer

from cloud import keys
from cloud.command import FAILURES, AsJson, ConfigFile, DataDir, configured, fail

app = typer.Typer(no_args_is_help=True, help="The backend's own keys.")


@app.callback()
def _commands() -> None:
    """The backend's own keys."""


@app.command()
def rotate(config: ConfigFile = None, data: DataDir = None, *, json_: AsJson = False) -> None:
    """Change the key that counter-signs journals. The old one signs the new one, so that lanes follow by themselves;
    restart the server to have it used."""
    try:
        change = keys.rotate_cosign(configured(config, data).folder / "keys")
    except FAILURES as error:
        fail(error)
    text = f"counter-signing key changed to {change.new}; restart the server to have it used"
    sys.stdout.write((json.dumps({"old": change.old, "new": change.new}) if json_ else text) + "\n")
