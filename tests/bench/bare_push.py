"""The baseline of scan to paint: a server that does nothing but push an event of the same size to a page.

`python -m tests.bench.bare_push BYTES`: serves on a free port of loopback, prints it, and for every line on standard
input pushes one event; prints the CLOCK_MONOTONIC nanoseconds from just before. Ends with its input.
"""

import sys
import threading
import time
from collections.abc import Iterator

from flask import Flask, Response
from waitress.server import create_server

PAGE = """<!doctype html><title>bare push</title><main id="stage"></main><script>
const source = new EventSource("/events");
source.onmessage = (event) => {
  const stage = document.getElementById("stage");
  stage.innerHTML = event.data;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => (document.documentElement.dataset.revision = event.lastEventId);
    channel.port2.postMessage(0);
  });
};
</script>"""


class Pusher:
    """One number, raised by `push` and sent to whoever listens."""

    def __init__(self, size: int) -> None:
        self._changed = threading.Condition()
        self._number = 0
        self._filling = "<p>" + "x" * max(0, size - 7) + "</p>"

    def push(self) -> int:
        before = time.monotonic_ns()
        with self._changed:
            self._number += 1
            self._changed.notify_all()
        return before

    def events(self) -> Iterator[bytes]:
        seen = 0
        yield b": here\n\n"
        while True:
            number = self._next(seen)
            yield f"id: {number}\ndata: {number} {self._filling}\n\n".encode() if number > seen else b": beat\n\n"
            seen = number

    def _next(self, seen: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen, 1.5)
            return self._number


def main() -> None:
    pusher = Pusher(int(sys.argv[1]))
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: PAGE)
    app.add_url_rule("/events", "events", lambda: Response(pusher.events(), mimetype="text/event-stream"))
    server = create_server(app, host="127.0.0.1", port=0, threads=8, send_bytes=1)
    threading.Thread(target=server.run, daemon=True).start()
    print(server.effective_port, flush=True)
    for _ in sys.stdin:
        print(pusher.push(), flush=True)


if __name__ == "__main__":
    main()
