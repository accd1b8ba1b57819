"""`kassa-sync`: the journal up, the catalogue down. A process of its own, which opens no journal file."""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from systemd import daemon

from hal.api.scrub import guard_stderr
from kiosk.api.client import LaneGone
from kiosk.records.catalogue import build_db
from kiosk.records.config import BadConfig, load_enrolment
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


async def run_once(uplink: Uplink, downlink: Downlink, reporter: Reporter) -> bool:
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


@app.command(no_args_is_help=True)
def sync(
    *,
    state: Annotated[Path, typer.Option(help="The lane's state folder, with enrolment.json.")],
    lane: Annotated[Path, typer.Option(help="The lane's socket.")],
    once: Annotated[bool, typer.Option("--once", help="Bring everything up, look for a catalogue once, end.")] = False,
    catalogue_s: Annotated[float, typer.Option(min=1, max=86400, help="Seconds between looks for a catalogue.")] = 60.0,
) -> None:
    """Carry the lane's journal to the backend, and catalogue versions to the lane."""
    _log()
    try:
        me = load_enrolment(state)
    except BadConfig as error:
        print(f"kassa-sync: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    backend = HttpBackend(me)
    uplink = Uplink(me, lane, backend, once=once)
    downlink = Downlink(me, state, lane, backend, build_db, every_s=catalogue_s)
    reporter = Reporter(lane, backend, uplink)
    try:
        if not once:
            asyncio.run(run(uplink, downlink, reporter))
        elif not asyncio.run(run_once(uplink, downlink, reporter)):
            print("kassa-sync: not everything could be brought over; the log says why", file=sys.stderr)
            raise typer.Exit(1)
    except LaneGone as error:
        print(f"kassa-sync: the lane does not answer: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        backend.close()


def main() -> None:
    guard_stderr()
    app()


if __name__ == "__main__":
    main()
