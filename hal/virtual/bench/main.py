"""The bench process: virtual devices and the page that operates them.

python -m hal.virtual --dir DIR [--port 8070] [--terminal-port 20007] [--printer-port 9100] [--shop FILE]
[--staff FILE] [--ledger FILE] [--print-speed MM_S].

Everything listens on 127.0.0.1; port 0 takes a free one. DIR/bench.json tells the real addresses:
{"bench": URL, "scanner": PATH, "terminal": PORT, "printer": PORT}. Ends on SIGTERM or SIGINT.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import waitress
from systemd import daemon

from hal.virtual.bench.app import create_app
from hal.virtual.bench.devices import Devices
from hal.virtual.bench.events import Streams
from hal.virtual.bench.shop import Shop

THREADS = 16


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hal.virtual", description="Virtual devices and their bench, on loopback."
    )
    parser.add_argument("--dir", type=Path, required=True, help="where scanner, bench.json and ledger live")
    parser.add_argument("--port", type=_port, default=8070, help="of the bench's page (default 8070)")
    parser.add_argument("--terminal-port", type=_port, default=20007, help="of the ZVT terminal (default 20007)")
    parser.add_argument("--printer-port", type=_port, default=9100, help="of the printer (default 9100)")
    parser.add_argument("--shop", type=Path, help="CSV of products for the shelf")
    parser.add_argument("--staff", type=Path, help="JSON of a demo attendant's badge and PIN; may come later")
    parser.add_argument("--ledger", type=Path, help="what was charged (default DIR/ledger.jsonl)")
    parser.add_argument("--print-speed", type=float, default=250.0, metavar="MM_S", help="mm/s; 0 is at once")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """0 after a signal; 1 with one line on standard error when something cannot start."""
    given = _arguments(argv)
    try:
        given.dir.mkdir(parents=True, exist_ok=True)
        shop = Shop.read(given.shop) if given.shop else None
        devices = Devices(
            given.dir.absolute(),
            terminal_port=given.terminal_port,
            printer_port=given.printer_port,
            ledger=given.ledger or given.dir / "ledger.jsonl",
            print_speed_mm_s=max(given.print_speed, 0.0),
        )
        devices.start()
    except (OSError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    try:
        return _serve(devices, shop, given)
    finally:
        devices.stop()


def _serve(devices: Devices, shop: Shop | None, given: argparse.Namespace) -> int:
    streams = Streams(devices.changes, devices.state)
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    try:
        server: Any = waitress.create_server(
            create_app(devices, streams, shop, given.staff),
            listen=f"127.0.0.1:{given.port}",
            threads=THREADS,
            ident="bench",
        )
    except OSError as error:
        print(f"bench: port {given.port}: {error.strerror}", file=sys.stderr)
        return 1
    url = f"http://127.0.0.1:{server.effective_port}/"
    threading.Thread(target=server.run, name="http", daemon=True).start()
    _tell_where(given.dir, url, devices)
    print(f"bench: {url}", flush=True)
    if os.environ.get("NOTIFY_SOCKET"):
        daemon.notify("READY=1")
    ended.wait()
    streams.close()
    server.task_dispatcher.shutdown(timeout=2)  # closing the server under its threads prints their confusion
    return 0


def _tell_where(directory: Path, url: str, devices: Devices) -> None:
    where = {
        "bench": url,
        "scanner": str(devices.scanner.path),
        "terminal": devices.terminal.port,
        "printer": devices.printer.port,
    }
    aside = directory / "bench.json.new"
    aside.write_text(json.dumps(where) + "\n", encoding="utf-8")
    aside.replace(directory / "bench.json")
