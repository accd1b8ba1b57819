"""The baseline of scan to paint: a server that does nothing but push a screen that is ready to a page.

`python -m tests.bench.bare_push FOLDER`: serves `FOLDER/page.html` and `FOLDER/brand.css` with the lane's own static
files on a free port of loopback, and prints the port. For every line on standard input, a JSON text with the HTML of a
screen, it pushes that and prints the CLOCK_MONOTONIC nanoseconds from just before. So the browser has the same to do as
with the lane, and the difference is the lane's. Ends with its input.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response
from waitress.server import create_server

STATIC = Path(__file__).resolve().parents[2] / "kiosk" / "web" / "static"


class Pusher:
    """The newest screen, sent to whoever listens."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._screen = ""

    def push(self, screen: str) -> int:
        before = time.monotonic_ns()
        with self._changed:
            self._number += 1
            self._screen = screen
            self._changed.notify_all()
        return before

    def events(self) -> Iterator[bytes]:
        seen = 0
        yield b"event: beat\ndata:\n\n"
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._number > seen, 1.5)  # noqa: B023 - called before it changes
                number, screen = self._number, self._screen
            if number > seen:
                lines = "".join(f"data: {line}\n" for line in screen.splitlines())
                yield f"event: screen\nid: {number}\n{lines}\n".encode()
            else:
                yield b"event: beat\ndata:\n\n"
            seen = number


def main() -> None:
    folder = Path(sys.argv[1])
    page, brand = (folder / "page.html").read_text(), (folder / "brand.css").read_text()
    pusher = Pusher()
    app = Flask(__name__, static_folder=str(STATIC), static_url_path="/static")
    app.add_url_rule("/", view_func=lambda: page)
    app.add_url_rule("/brand.css", "brand", lambda: Response(brand, mimetype="text/css"))
    app.add_url_rule("/events", "events", lambda: Response(pusher.events(), mimetype="text/event-stream"))
    server = create_server(app, host="127.0.0.1", port=0, threads=8, send_bytes=1)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    for line in sys.stdin:
        print(pusher.push(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
