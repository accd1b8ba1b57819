"""A page that tries to get out, and the place where it would get to. Both count who comes."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = """<!doctype html><meta charset="utf-8"><title>hostile</title>
<style>html,body{margin:0;height:100%}#trap{display:block;width:100vw;height:100vh;background:#cde;font-size:40px}</style>
<body><div id="trap"></div><script>
let last = "";
const tell = (what) => fetch("/told/" + what, {method: "POST"}).catch(() => 0);
setInterval(async () => {
  const {name, html, js} = await (await fetch("/trap")).json().catch(() => ({}));
  if (!name || name === last) { tell("alive"); return; }
  last = name;
  document.body.innerHTML = html || '<div id="trap"></div>';
  document.body.onclick = () => { tell("clicked-" + name); };
  document.body.onkeydown = () => { tell("key-" + name); };
  requestAnimationFrame(() => requestAnimationFrame(() => tell("ready-" + name)));
  if (js) { try { eval(js); } catch (error) { tell("threw-" + name); } tell("clicked-" + name); }
}, 100);
tell("loaded");
</script>"""


class Hostile:
    """`url` is the page; `foreign` the other origin. `told` are the page's own reports, in order."""

    def __init__(self, url: str, foreign: str) -> None:
        self.url = url
        self.foreign = foreign
        self._changed = threading.Condition()
        self._told: list[str] = []
        self.foreign_hits = 0
        self.trap: dict[str, str] = {}

    def set(self, name: str, html: str = "", js: str = "") -> None:
        fill = {"name": name, "html": html.replace("FOREIGN", self.foreign), "js": js.replace("FOREIGN", self.foreign)}
        self.trap = fill

    def tell(self, what: str) -> None:
        with self._changed:
            self._told.append(what)
            self._changed.notify_all()

    def count(self, what: str) -> int:
        with self._changed:
            return self._told.count(what)

    def wait(self, what: str, count: int = 1, timeout_s: float = 20) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._told.count(what) >= count, timeout_s), (what, self._told[-20:])

    def live_on(self, beats: int = 5) -> None:
        """Until the page has reported so often again that it is there."""
        self.wait("alive", self.count("alive") + beats)


@contextlib.contextmanager
def hostile() -> Iterator[Hostile]:
    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.foreign_hits += 1
            held.tell("foreign")
            _answer(self, b"<title>foreign</title>out", "text/html")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/trap":
                _answer(self, json.dumps(held.trap).encode(), "application/json")
            elif path == "/file.zip":
                held.tell("zip")
                _answer(self, b"PK", "application/zip", "attachment; filename=file.zip")
            elif path == "/error":
                _answer(self, b"no", "text/html", status=500)
            else:
                _answer(self, PAGE.encode(), "text/html")

        def do_POST(self) -> None:
            held.tell(self.path.rpartition("/")[2])
            _answer(self, b"{}", "application/json")

        def log_message(self, *_: object) -> None:
            pass

    with _running(Foreign) as foreign, _running(Page) as page:
        held = Hostile(page + "/", foreign + "/")
        yield held


def _answer(handler: BaseHTTPRequestHandler, body: bytes, kind: str, disposition: str = "", status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    if disposition:
        handler.send_header("Content-Disposition", disposition)
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(10)
