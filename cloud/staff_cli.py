"""`kassa-cloud staff`: who may identify at a shop's lanes. PINs and badges come in and go out by pipe or terminal only,
so that no other user of the machine sees them among the arguments, and no log holds them."""

import getpass
import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cloud import keys, staff
from cloud.clock import now_ms
from cloud.command import FAILURES, AsJson, ConfigFile, DataDir, ShopName, configured, fail, opened
from kiosk.records.settings import ROLES

app = typer.Typer(no_args_is_help=True, help="Who of the staff may identify at a shop's lanes.")


@app.command()
def add(
    *,
    shop: ShopName,
    roles: Annotated[str, typer.Option(help=f"Comma-separated, of {', '.join(ROLES)}.")] = ",".join(ROLES),
    own_badge: Annotated[
        bool, typer.Option("--own-badge", help="Read the text of an existing badge, before the PIN.")
    ] = False,
    valid_until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD (UTC); empty: without an end.")] = "",
    config: ConfigFile = None,
    data: DataDir = None,
    json_: AsJson = False,
) -> None:
    """Add somebody: asks for the PIN (a line on standard input where that is no terminal), prints reference and
    badge text. The badge text is shown this once: only its hash is kept."""
    settings = configured(config, data)
    badge = _asked("Badge") if own_badge else staff.new_badge()
    pin = _asked("PIN, 4 to 8 digits")
    chosen = tuple(part.strip() for part in roles.split(",") if part.strip())
    store = opened(settings)
    try:
        release = keys.load_or_make(settings.folder / "keys")
        one, made = staff.add(
            store, release, now_ms, shop, badge=badge, pin=pin, roles=chosen, times=_times(valid_until)
        )
    except (staff.BadStaff, *FAILURES) as error:
        fail(error)
    finally:
        store.close()
    if json_:
        typer.echo(json.dumps({"attendant_id": one.attendant_id, "badge": badge, "version": made.version}))
    else:
        typer.echo(f"{one.attendant_id}: {', '.join(one.roles)}\nbadge: {badge}\nversion {made.version}")


@app.command("list")
def list_(*, shop: ShopName, config: ConfigFile = None, data: DataDir = None, json_: AsJson = False) -> None:
    """Who there is, by reference, with roles and times."""
    store = opened(configured(config, data))
    try:
        found = staff.settings(staff.newest(store, staff.shop_id(store, shop)))
    except FAILURES as error:
        fail(error)
    finally:
        store.close()
    for one in found.staff if found is not None else ():
        if json_:
            typer.echo(
                json.dumps({"attendant_id": one.attendant_id, "roles": one.roles, "until_ms": one.valid_until_ms})
            )
        else:
            until = f"  until {datetime.fromtimestamp(one.valid_until_ms / 1000, UTC):%F}" if one.valid_until_ms else ""
            typer.echo(f"{one.attendant_id}  {', '.join(one.roles)}{until}")


@app.command()
def remove(
    attendant_id: str, *, shop: ShopName, config: ConfigFile = None, data: DataDir = None, json_: AsJson = False
) -> None:
    """Take somebody out. Lanes take the new version as soon as they are at rest."""
    settings = configured(config, data)
    store = opened(settings)
    try:
        release = keys.load_or_make(settings.folder / "keys")
        made = staff.remove(store, release, now_ms, shop, attendant_id)
    except (staff.BadStaff, *FAILURES) as error:
        fail(error)
    finally:
        store.close()
    typer.echo(json.dumps({"version": made.version}) if json_ else f"version {made.version}, {len(made.staff)} left")


def _asked(what: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ", sys.stderr)
    return sys.stdin.readline().rstrip("\r\n")


def _times(valid_until: str) -> staff.Times:
    if not valid_until:
        return staff.Times()
    try:
        last = datetime.strptime(valid_until, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise staff.BadStaff(f"last day {valid_until[:40]!r}; allowed: a date such as 2027-01-31") from None
    return staff.Times(valid_until_ms=int(last.timestamp() * 1000) + 86_400_000)
