"""`kassa-sync`: the journal up, the catalogue down. A process of its own, which opens no journal file."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from systemd import daemon

from hal.api.scrub import guard_stderr
from kiosk.api.client import LaneGone, LaneRefused
from kiosk.records.catalogue import build_db
from kiosk.records.config import BadConfig, load_enrolment
from kiosk.records.identity import Enrolment
from kiosk.sync.backend import Backend
from kiosk.sync.check import check
from kiosk.sync.config import SyncConfig, load, name
from kiosk.sync.config import backend as choose
from kiosk.sync.downlink import Downlink
from kiosk.sync.http import HttpBackend
from kiosk.sync.report import Reporter
from kiosk.sync.uplink import Uplink

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


async def run(uplink: Uplink, downlink: Downlink, reporter: Reporter) -> None:
    """Until SIGTERM or SIGINT. Stopping in the middle of anything is safe: nothing is kept here."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    jobs = [asyncio.create_task(job.run()) for job in (uplink, downlink, reporter)]
    stop = asyncio.create_task(stopping.wait())
    daemon.notify("READY=1")
    structlog.get_logger().info("syncing", dev=uplink.enrolment.dev, ep=uplink.enrolment.ep)
    await asyncio.wait([*jobs, stop], return_when=asyncio.FIRST_COMPLETED)
    daemon.notify("STOPPING=1")
    for task in (*jobs, stop):
        task.cancel()
    results = await asyncio.gather(*jobs, stop, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def run_once(uplink: Uplink, downlink: Downlink) -> bool:
    """Everything up and one look for a catalogue. Raises LaneGone."""
    await uplink.run()
    catalogue = await downlink.once()
    return uplink.finished and catalogue


def _log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(name)s: %(message)s")


StateFolder = Annotated[Path | None, typer.Option(help="The lane's state folder, with enrolment.json.")]
LaneSocket = Annotated[Path | None, typer.Option(help="The lane's socket.")]
ConfigFile = Annotated[Path | None, typer.Option(help="sync.toml; without it the own HTTP API is used.")]


@app.callback(invoke_without_command=True, no_args_is_help=True)
def sync(
    context: typer.Context,
    *,
    state: StateFolder = None,
    lane: LaneSocket = None,
    config: ConfigFile = None,
    once: Annotated[bool, typer.Option("--once", help="Bring everything up, look for a catalogue once, end.")] = False,
    catalogue_s: Annotated[float, typer.Option(min=1, max=86400, help="Seconds between looks for a catalogue.")] = 60.0,
) -> None:
    """Carry the lane's journal to the backend, and catalogue versions to the lane."""
    if context.invoked_subcommand is not None:
        return
    _log()
    me, settings, socket, folder = _given(state, lane, config)
    with _backends(me, settings) as (backend, http):
        uplink = Uplink(me, socket, backend, once=once)
        downlink = Downlink(me, folder, socket, http, build_db, every_s=catalogue_s)
        if not once:
            asyncio.run(run(uplink, downlink, Reporter(socket, backend, uplink)))
        elif not asyncio.run(run_once(uplink, downlink)):
            _fail("not everything could be brought over; the log says why")


@app.command("check")
def check_(
    *,
    state: StateFolder = None,
    lane: LaneSocket = None,
    config: ConfigFile = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON line for each step.")] = False,
) -> None:
    """Say whether the configured backend is reachable, lets the lane in, and counter-signs by the pinned key."""
    me, settings, socket, _ = _given(state, lane, config)
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with _backends(me, settings, beside=True) as (backend, _):
        findings = asyncio.run(check(me, socket, backend, name(settings, me)))
    for finding in findings:
        told = {"step": finding.what, "standing": finding.standing, "words": finding.words}
        print(json.dumps(told) if json_ else f"{finding.what:17}  {finding.standing:7}  {finding.words}")
    if any(finding.standing != "good" for finding in findings):
        raise typer.Exit(1)


def _given(state: Path | None, lane: Path | None, config: Path | None) -> tuple[Enrolment, SyncConfig, Path, Path]:
    if state is None or lane is None:
        _fail(f"{'--state' if state is None else '--lane'} is missing; allowed: a path", 2)
    try:
        return load_enrolment(state), load(config), lane, state
    except BadConfig as error:
        _fail(error, 2)


@contextlib.contextmanager
def _backends(me: Enrolment, config: SyncConfig, *, beside: bool = False) -> Iterator[tuple[Backend, HttpBackend]]:
    """The configured one, and the one that catalogues come by. Ends the process with a line when the lane is gone."""
    http = HttpBackend(me)
    try:
        backend = choose(config, me, http, beside=beside)
    except BadConfig as error:
        _fail(error, 2)
    try:
        yield backend, http
    except (LaneGone, LaneRefused) as error:
        _fail(f"the lane does not answer: {error}")
    finally:
        backend.close()
        http.close()


def _fail(message: object, status: int = 1) -> NoReturn:
    """Exit status 2: it cannot run with this configuration, and trying again changes nothing."""
    print(f"kassa-sync: {message}", file=sys.stderr)
    raise typer.Exit(status)


def main() -> None:
    guard_stderr()
    app()


if __name__ == "__main__":
    main()
