"""`kassa-window`: the customer's screen, locked down."""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.window.policy import origin


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kassa-window",
        description="The customer's screen: one locked-down window that shows the lane's page and nothing else.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="the page, with its token")
    where.add_argument("--url-file", metavar="FILE", help="a file that holds the page's address; read for each load")
    parser.add_argument("--size", metavar="WxH", help="size in pixels, such as 1080x1920; without it: full screen")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 after SIGTERM, 2 for bad arguments, 1 when there is no display."""
    given = _parser().parse_args(arguments)
    try:
        size = _size(given.size)
        home = _home(given.url, given.url_file)
    except ValueError as problem:
        print(f"kassa-window: {problem}", file=sys.stderr)
        return 2
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        print("kassa-window: there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set", file=sys.stderr)
        return 1
    _show(home, size)
    return 0


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{2,4})x([1-9]\d{2,4})", text)
    if match is None:
        raise ValueError(f"--size {text!r}: has to be like 1080x1920")
    return int(match[1]), int(match[2])


def _home(url: str | None, file: str | None) -> Callable[[], str]:
    """Asked for each load. A file that is not there yet gives the address that was known last."""
    known = [url or ""]

    def home() -> str:
        if file is not None:
            try:
                known[0] = Path(file).read_text(encoding="utf-8").strip() or known[0]
            except OSError:
                return known[0]
        return known[0]

    if origin(home()) is None:
        named = "--url" if file is None else f"--url-file {file}"
        raise ValueError(f"{named}: has to hold an address that begins with http:// or https://")
    return home


def _show(home: Callable[[], str], size: tuple[int, int] | None) -> None:
    os.environ.pop("GTK_DEBUG", None)
    os.environ.pop("WEBKIT_INSPECTOR_SERVER", None)
    import webview

    webview.settings.update(ALLOW_DOWNLOADS=False, ALLOW_FILE_URLS=False, OPEN_EXTERNAL_LINKS_IN_BROWSER=False)
    width, height = size or (1080, 1920)
    window = webview.create_window(
        "Kassa",
        home(),
        width=width,
        height=height,
        x=0,
        y=0,
        fullscreen=size is None,
        frameless=True,
        easy_drag=False,
        resizable=False,
        background_color="#FAF8F5",
    )
    assert window is not None
    window.events.closing += _stay
    window.events.before_show += _locked(window, home)
    webview.start(gui="gtk", debug=False, private_mode=True)


def _stay() -> bool:
    """Alt+F4 and its kin: pywebview keeps the window where a handler says no."""
    return False


def _locked(window: Any, home: Callable[[], str]) -> Callable[[], None]:
    def lock() -> None:
        """pywebview calls this on the GTK thread before the first load, and only logs what it raises: a window that
        could not be locked must not stay."""
        done = False
        try:
            from gi.repository import GLib
            from webview.platforms.gtk import BrowserView

            from kiosk.window.lock import Lock

            browser = BrowserView.instances[window.uid]
            Lock(home).apply(browser)
            for signal in (2, 15):
                GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal, browser.window.get_application().quit)
            done = True
        finally:
            if not done:
                import traceback

                traceback.print_exc()
                os._exit(70)

    return lock
