"""State to HTML. A state is rendered once, however many pages look at it."""

import logging
import queue
import threading
from functools import cache, lru_cache
from pathlib import Path
from zlib import crc32

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kiosk.core.screen import screen
from kiosk.i18n import html_lang, translator
from kiosk.lane.port import Published
from kiosk.web.view import context

_log = logging.getLogger("kassa.web")
TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
SPRITES = (STATIC / "products.svg", STATIC / "icons.svg")
BUILD = f"{crc32(b''.join(path.read_bytes() for path in sorted(STATIC.glob('*.*')))):08x}"
"""Of the static files: a page whose own differs from the frame's loads itself anew."""


@cache
def environment() -> Environment:
    """The templates, compiled once: autoescaping everywhere, an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters["tag"] = html_lang
    made.globals["build"] = BUILD
    for name in made.list_templates():
        made.get_template(name)
    macros = vars(made.get_template("macros.html").module)
    made.globals.update({name: macros[name] for name in ("icon", "act", "art", "pic", "countdown")})
    made.globals["basket_row"] = lru_cache(maxsize=1024)(macros["basket_row"])  # a scan changes one row or two
    return made


class Renderer:
    """Makes the frame (what is pushed and morphed) and the whole page. Safe to call from any thread."""

    def __init__(self) -> None:
        self._templates = environment()
        self._sprite = Markup("".join(path.read_text(encoding="utf-8") for path in SPRITES))
        self._lock = threading.Lock()
        self._last: tuple[Published, str] | None = None
        self._ahead: queue.SimpleQueue[Published] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ahead(self, coming: Published) -> None:
        """Render what will be asked for in a moment, on a thread of its own. Returns at once; for one caller."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="render", daemon=True)
            self._thread.start()
        self._ahead.put(coming)

    def _run(self) -> None:
        while True:
            coming = self._ahead.get()
            try:
                self.frame(coming)
            except Exception:  # noqa: BLE001 - whoever asks for this frame meets the error; the next one may be good
                _log.exception("revision %d cannot be rendered", coming.revision)

    def frame(self, published: Published) -> str:
        """The screen as one element, `#kassa`. About a millisecond for a basket of thirty rows."""
        with self._lock:
            if self._last is None or self._last[0] is not published:
                self._last = (published, self._render(published))
            return self._last[1]

    def page(self, published: Published) -> str:
        frame = Markup(self.frame(published))
        words = translator(published.state.language)
        return self._templates.get_template("page.html").render(
            frame=frame, sprite=self._sprite, lang=html_lang(words.language), shop=published.state.shop
        )

    def _render(self, published: Published) -> str:
        name = screen(published.state)
        return self._templates.get_template(f"screens/{name}.html").render(context(published))
