"""A screen of our own: Xvfb with the openbox window manager, and hands that touch and type on it."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Display:
    def __init__(self, name: str) -> None:
        self.env = {
            **{
                key: value
                for key, value in os.environ.items()
                if key not in ("WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
            },
            "DISPLAY": name,
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "PYTHONPATH": str(ROOT),
        }

    def xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.env, capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout.strip()

    def click(self, button: int = 1) -> None:
        self.xdotool("mousemove", "300", "200", "click", str(button))

    def key(self, keys: str) -> None:
        self.xdotool("key", keys)

    def windows(self) -> set[str]:
        """Ids of the windows that the window manager manages."""
        done = subprocess.run(
            ["xprop", "-root", "_NET_CLIENT_LIST"], env=self.env, capture_output=True, text=True, timeout=20, check=True
        )
        return {word.strip(",") for word in done.stdout.split() if word.startswith("0x")}

    @contextlib.contextmanager
    def program(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        with subprocess.Popen(
            [sys.executable, *arguments], env=self.env, cwd=ROOT, stdin=subprocess.DEVNULL
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@contextlib.contextmanager
def display() -> Iterator[Display]:
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe, server:
        try:
            screen = Display(f":{pipe.readline().strip()}")
            with subprocess.Popen(
                ["openbox"], env=screen.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as manager:
                try:
                    _managed(screen)
                    yield screen
                finally:
                    manager.kill()
        finally:
            server.kill()


def _managed(screen: Display) -> None:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        done = subprocess.run(
            ["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"], env=screen.env, capture_output=True, text=True, check=False
        )
        if "0x" in done.stdout:
            return
        time.sleep(0.05)
    raise AssertionError("openbox did not come up")


def children(pid: int, name: str) -> list[int]:
    """Process ids below `pid` whose command name begins with `name`."""
    parents: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = stat.read_text()
            command = text[text.index("(") + 1 : text.rindex(")")]
            parents[int(stat.parent.name)] = (int(text[text.rindex(")") + 2 :].split()[1]), command)

    def below(one: int) -> bool:
        while one in parents:
            one = parents[one][0]
            if one == pid:
                return True
        return False

    return [one for one, (_, command) in parents.items() if command.startswith(name) and below(one)]
