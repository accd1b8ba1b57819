"""`kassa-provision`: turn a machine into a lane."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from hal.api.scrub import guard_stderr
from provisioning.enrol.backend import EnrolmentFailed
from provisioning.enrol.enrol import AlreadyEnrolled
from provisioning.enrol.enrol import enrol as run_enrolment
from provisioning.enrol.keys import BadKey
from provisioning.enrol.rotate import NotNow, rotate

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Turn a machine into a lane."""


@app.command()
def enrol(
    *,
    backend: Annotated[str, typer.Option(help="Address of the backend, such as https://kassa.example.com")],
    token: Annotated[str, typer.Option(help="One-time token; `-` reads it from standard input.")],
    state: Annotated[Path, typer.Option(help="The lane's state folder.")],
    replace: Annotated[bool, typer.Option("--replace", help="Enrol anew though the folder is enrolled.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Make the lane's keys and enrol it at a backend. Run it again if it was interrupted."""
    secret = sys.stdin.readline() if token == "-" else token
    try:
        answer = run_enrolment(backend, secret, state, replace=replace)
    except (EnrolmentFailed, AlreadyEnrolled, BadKey, OSError) as error:
        again = " (the same command may be run again)" if isinstance(error, EnrolmentFailed) and error.again else ""
        print(f"kassa-provision: {error}{again}", file=sys.stderr)
        raise typer.Exit(1) from None
    if json_:
        names = ("tenant", "shop", "shop_name", "reg", "dev", "ep", "mode", "next_sale_no", "next_receipt_no")
        print(json.dumps({name: getattr(answer, name) for name in names}))
    else:
        print(f"enrolled as {answer.dev}: {answer.shop_name}, register {answer.reg}, epoch {answer.ep}")


@app.command(name="rotate-key")
def rotate_key(
    *,
    state: Annotated[Path, typer.Option(help="The lane's state folder.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Lay a new journal key ready. The lane goes over to it at its next start."""
    try:
        epochs = rotate(state)
    except (NotNow, BadKey, OSError) as error:
        print(f"kassa-provision: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if json_:
        print(json.dumps({"epochs": epochs}))
    else:
        print(f"a new journal key lies ready for epoch {', '.join(map(str, epochs))}; restart the lane to have it used")


def main() -> None:
    guard_stderr()
    app()


if __name__ == "__main__":
    main()
