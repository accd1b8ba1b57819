"""Each way out is tried with real input or real script, on the lane's window and on an ordinary one.

The ordinary window must let at least something happen in each case marked so: otherwise the trap is no trap.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import pytest

from tests.system.window.display import Display, children, display
from tests.system.window.hostile import Hostile, hostile

pytestmark = pytest.mark.system

Effect = Literal["foreign", "window", "download", "gone", "none"]


class Trap(NamedTuple):
    """`html` is clicked with `button`, then `keys` are typed; or `js` runs by itself.

    `control` is what happens in an ordinary window: it goes to the foreign page, a second window opens, a file is
    downloaded, or it closes.
    """

    name: str
    control: Effect
    html: str = ""
    js: str = ""
    button: int = 1
    keys: str = ""


TRAPS = [
    Trap("link", "foreign", '<a id="trap" href="FOREIGN">x</a>'),
    Trap("blank", "none", '<a id="trap" href="FOREIGN" target="_blank">x</a>'),
    Trap("form", "foreign", '<form action="FOREIGN" method="post"><button id="trap">x</button></form>'),
    Trap("location", "foreign", js="location.href = 'FOREIGN'"),
    Trap("top", "foreign", js="top.location.assign('FOREIGN')"),
    Trap("refresh", "foreign", '<div id="trap">x<meta http-equiv="refresh" content="0;url=FOREIGN"></div>'),
    Trap("open", "none", '<div id="trap" onclick="window.open(\'FOREIGN\')">x</div>'),
    Trap("frame", "foreign", '<iframe src="FOREIGN"></iframe><div id="trap">x</div>'),
    Trap("data", "none", js="location.href = 'data:text/html,<h1>out</h1>'"),
    Trap("file", "none", js="location.href = 'file:///etc/passwd'"),
    Trap("download", "none", '<a id="trap" href="/file.zip" download>x</a>'),
    Trap("attachment", "none", '<a id="trap" href="/file.zip">x</a>'),
    Trap("chooser", "window", '<label id="trap">x<input type="file" style="opacity:0"></label>'),
    Trap("print", "window", '<div id="trap" onclick="setTimeout(() => window.print())">x</div>'),
    Trap("alert", "window", js="setTimeout(() => alert('stop'))"),
    Trap("context", "none", '<a id="trap" href="FOREIGN">x</a>', button=3, keys="Down Down Return"),
    Trap("middle", "none", '<a id="trap" href="FOREIGN">x</a>', button=2),
    Trap("devtools", "none", '<div id="trap">x</div>', keys="ctrl+shift+i F12"),
    Trap("printkey", "none", '<div id="trap">x</div>', keys="ctrl+p ctrl+o ctrl+n ctrl+t ctrl+w alt+Left F5 F11"),
    Trap("close", "none", js="window.close()"),
    Trap("altf4", "gone", '<div id="trap">x</div>', keys="alt+F4"),
]


def until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    with display() as made:
        yield made


@pytest.fixture(scope="module")
def locked(screen: Display) -> Iterator[tuple[Display, Hostile, "subprocess.Popen[bytes]"]]:
    arguments = ("-m", "kiosk.window", "--size", "600x400")
    with hostile() as page, screen.program(*arguments, "--url", page.url) as window:
        page.wait("loaded", timeout_s=60)
        yield screen, page, window


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_the_lane_s_window_stays(locked: tuple[Display, Hostile, "subprocess.Popen[bytes]"], trap: Trap) -> None:
    screen, page, window = locked
    windows = screen.windows()
    hits, zips = page.foreign_hits, page.count("zip")
    page.set(trap.name, trap.html, trap.js)
    page.wait(f"ready-{trap.name}")
    if not trap.js:
        screen.click(trap.button)
    for key in trap.keys.split():
        screen.key(key)
    if not trap.js and trap.button == 1 and trap.name != "chooser":
        page.wait(f"clicked-{trap.name}")
    page.live_on()
    assert page.foreign_hits == hits
    assert screen.windows() == windows
    assert window.poll() is None
    assert page.count("zip") == zips or trap.name in ("download", "attachment")


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.control != "none"], ids=lambda trap: trap.name)
def test_an_ordinary_window_does_not(screen: Display, trap: Trap) -> None:
    with hostile() as page, screen.program("-m", "tests.system.window.control", page.url) as window:
        page.wait("loaded", timeout_s=60)
        page.wait("alive", 2)
        windows = screen.windows()
        page.set(trap.name, trap.html, trap.js)
        if trap.control != "foreign" or not (trap.js or trap.name == "refresh"):
            page.wait(f"ready-{trap.name}")
        if not trap.js:
            screen.click(trap.button)
        for key in trap.keys.split():
            screen.key(key)
        match trap.control:
            case "foreign":
                page.wait("foreign")
            case "window":
                until(lambda: bool(screen.windows() - windows))
            case "gone":
                window.wait(20)
            case _:
                raise AssertionError(trap)


def test_a_killed_page_comes_back(locked: tuple[Display, Hostile, "subprocess.Popen[bytes]"]) -> None:
    _, page, window = locked
    page.set("calm")
    page.wait("ready-calm")
    for _ in range(2):
        loads = page.count("loaded")
        (web,) = children(window.pid, "WebKitWebProces")
        subprocess.run(["kill", "-9", str(web)], check=True)
        page.wait("loaded", loads + 1)
        page.live_on()
    assert window.poll() is None


def test_sigterm_ends_it_in_order(screen: Display) -> None:
    with hostile() as page, screen.program("-m", "kiosk.window", "--size", "600x400", "--url", page.url) as window:
        page.wait("loaded", timeout_s=60)
        window.send_signal(signal.SIGTERM)
        assert window.wait(15) == 0
