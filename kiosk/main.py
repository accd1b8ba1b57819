"""`kassa-kiosk`: the lane's process, and the catalogue by hand."""

import gc
import json
import logging
import os
import secrets
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from hal.api.scrub import guard_stderr
from kiosk.lane.catalogue_cli import app as catalogue_app

MIN_TOKEN_CHARS = 16

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A self-checkout lane.")
app.add_typer(catalogue_app, name="catalogue")


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The lane's configuration, kiosk.toml.")] = Path("/etc/kassa/kiosk.toml"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Only check the configuration.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="Log as JSON lines.")] = False,
) -> None:
    """Run the lane until SIGTERM."""
    from kiosk.journal.errors import JournalError
    from kiosk.lane import config as configuration
    from kiosk.records.config import BadConfig

    _log_to_stderr(json_lines=json_lines)
    try:
        loaded = configuration.load(config)
        if check:
            print(json.dumps({"config": str(config), "ok": True}) if json_lines else f"{config}: good")
            return
        _serve(loaded, config)
    except (BadConfig, JournalError) as error:
        print(f"kassa-kiosk: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _serve(config: "object", path: Path) -> None:
    # Heavy imports stay inside: a wrong configuration is told at once.
    from systemd import daemon

    from hal.api.server import SocketTaken
    from kiosk.lane.config import KioskConfig
    from kiosk.lane.house import House
    from kiosk.records.config import BadConfig
    from kiosk.web.app import create_app
    from kiosk.web.serve import Server, listen

    assert isinstance(config, KioskConfig)
    # Short turns of the interpreter lock: a scan must not wait 5 ms for a thread that renders.
    sys.setswitchinterval(0.0005)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    house = House(config)
    try:
        listener = listen(config.port)
    except OSError as error:
        raise BadConfig(f"{path}: port: {config.port} on 127.0.0.1 cannot be served: {error.strerror}") from None
    port, address_file = listener.getsockname()[1], Path(config.window_file)
    try:
        # Before any thread is started, which a failure would leave behind. Who comes early waits at the listener.
        token = _boot_token(address_file)
        _write_address(address_file, f"http://127.0.0.1:{port}/?token={token}")
    except OSError as error:
        listener.close()
        raise BadConfig(f"{path}: window_file: {address_file} cannot be written: {error.strerror}") from None
    try:
        house.start()
    except SocketTaken as error:
        listener.close()
        raise BadConfig(f"{path}: lane_socket: {error}") from None
    page = Server(create_app(house.lane, token=token, port=port), listener)
    page_thread = threading.Thread(target=page.run, name="page")
    page_thread.start()
    logging.getLogger("kassa.kiosk").info("page on http://127.0.0.1:%d", page.port)
    # What was made at start stays: left to the collector, it would be walked through again in the middle of a scan.
    gc.collect()
    gc.freeze()
    daemon.notify("READY=1")
    interval_us = int(os.environ.get("WATCHDOG_USEC", "0"))
    if interval_us:
        house.every(interval_us / 2e6, lambda: daemon.notify("WATCHDOG=1"))
    ended.wait()
    daemon.notify("STOPPING=1")
    page.stop()
    page_thread.join()
    house.stop()


def _boot_token(path: Path) -> str:
    """This boot's secret for the window. The folder is emptied at boot, so that an address that is there is this
    boot's: its token is kept over a restart of this process, since the window goes on with it."""
    try:
        held = path.lstat()
        if stat.S_ISREG(held.st_mode) and held.st_uid == os.getuid() and held.st_mode & 0o037 == 0:
            token = path.read_text().strip().partition("?token=")[2]
            if len(token) >= MIN_TOKEN_CHARS:
                return token
    except FileNotFoundError:
        pass
    return secrets.token_urlsafe(24)


def _write_address(path: Path, address: str) -> None:
    """For the owner and the window's group, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(fd, "w") as file:
        file.write(address)
    aside.rename(path)


def _log_to_stderr(*, json_lines: bool) -> None:
    form = (
        '{"level":"%(levelname)s","name":"%(name)s","message":%(message)s}' if json_lines else "%(name)s: %(message)s"
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if json_lines else logging.Formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("waitress").setLevel(logging.ERROR)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def main() -> None:
    guard_stderr()
    app()
