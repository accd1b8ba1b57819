"""`kassa-cloud`: serve, hand out enrolment tokens, publish catalogues."""

import json
import logging
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import typer
from systemd import daemon

from cloud import catalogues, devices, keys, shops
from cloud.clock import now_ms
from cloud.command import FAILURES, AsJson, ConfigFile, DataDir, ShopName, configured, fail, opened
from cloud.keys_cli import app as keys_app
from cloud.rebuild import rebuild as rebuild_projection
from cloud.sources import read_products
from cloud.staff_cli import app as staff_app
from hal.api.scrub import guard_stderr
from kiosk.records.config import BadConfig

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
catalogue_app = typer.Typer(no_args_is_help=True, help="Catalogue versions.")
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(keys_app, name="keys")
app.add_typer(staff_app, name="staff")


def _log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")


@app.command()
def serve(
    config: ConfigFile = None,
    data: DataDir = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")] = None,
) -> None:
    """Serve devices and the operator's pages until SIGTERM or SIGINT."""
    from cloud.server import Server  # the web stack is of no use to the other commands, and takes 0.7 s

    settings = configured(config, data, port)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        server = Server(settings)
    except FAILURES as error:
        fail(error)
    _log()
    log = structlog.get_logger()
    server.start()
    daemon.notify("READY=1")
    log.info("serving", address=f"http://{settings.host}:{server.port}", data=settings.data)
    stopping.wait()
    daemon.notify("STOPPING=1")
    server.stop()
    log.info("stopped")


class Broker(StrEnum):
    nats = "nats"
    mqtt = "mqtt"


@app.command()
def consume(broker: Broker, config: ConfigFile = None, data: DataDir = None) -> None:
    """Take lanes' journals from a broker and answer over it, until SIGTERM or SIGINT. [nats] and [mqtt] of cloud.toml
    say where it is."""
    from cloud.consume.serve import serve as take  # the brokers' libraries are of no use to the other commands

    settings = configured(config, data)
    store = opened(settings)
    _log()
    try:
        take(settings, store, keys.load_or_make(settings.folder / "keys"), broker.value)
    except BadConfig as error:
        fail(error, 2)
    except FAILURES as error:
        fail(error)
    finally:
        store.close()


@app.command()
def token(
    *,
    shop: ShopName,
    reg: Annotated[str, typer.Option("--reg", help="The register's number or name within the shop.")],
    config: ConfigFile = None,
    data: DataDir = None,
    mode: Annotated[str, typer.Option(help="live, training or test")] = "live",
    json_: AsJson = False,
) -> None:
    """Print a one-time enrolment token for a register."""
    settings = configured(config, data)
    store = opened(settings)
    try:
        made = shops.new_token(store, now_ms, shop, reg, mode=mode, hours=settings.token_hours)
    except FAILURES as error:
        fail(error)
    finally:
        store.close()
    print(json.dumps({"token": made, "hours": settings.token_hours}) if json_ else made)


@app.command()
def revoke(dev: str, config: ConfigFile = None, data: DataDir = None) -> None:
    """Take a device out of service: it is refused from now on, its past records stay valid."""
    store = opened(configured(config, data))
    try:
        known = devices.revoke(store, now_ms, dev)
    except FAILURES as error:
        fail(error)
    finally:
        store.close()
    if not known:
        fail(f"no device {dev!r}")


@app.command()
def project(
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Required: make the sales tables again.")] = False,
    config: ConfigFile = None,
    data: DataDir = None,
    json_: AsJson = False,
) -> None:
    """Make the sales tables again from the stored records."""
    if not rebuild:
        fail("say --rebuild to make the sales tables again")
    store = opened(configured(config, data))
    try:
        sales, unknown = rebuild_projection(store)
    except FAILURES as error:
        fail(error)
    finally:
        store.close()
    print(json.dumps({"sales": sales, "unread": unknown}) if json_ else f"{sales} sales, {unknown} records not read")


@catalogue_app.command()
def publish(
    file: Path,
    *,
    shop: ShopName,
    config: ConfigFile = None,
    data: DataDir = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code, or CODE:DECIMALS.")] = "DKK",
    prices_exclude_tax: Annotated[bool, typer.Option("--prices-exclude-tax")] = False,
    json_: AsJson = False,
) -> None:
    """Publish a shop's catalogue from FILE (.csv, .json or .ndjson)."""
    settings = configured(config, data)
    store = opened(settings)
    try:
        terms = catalogues.Terms(catalogues.currency(currency), not prices_exclude_tax)
        secrets = keys.load_or_make(settings.folder / "keys")
        manifest = catalogues.publish(store, secrets, now_ms, shop, read_products(file, terms.currency), terms)
    except FAILURES as error:
        fail(error)
    finally:
        store.close()
    if json_:
        print(msgspec.json.encode(manifest).decode())
    else:
        print(f"{manifest.shop}: version {manifest.version}, {manifest.products} products")


def main() -> None:
    guard_stderr()
    app()


if __name__ == "__main__":
    main()
