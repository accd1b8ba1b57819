"""The lane's own page in the lane's own window: it comes up late, takes a touch, and follows to a new token."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.lane.port import Start
from kiosk.web.app import create_app
from kiosk.web.serve import Server, listen
from tests.core.web.lane import HeldLane
from tests.core.web.states import FULL, IDLE
from tests.system.window.display import Display, display

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def screen() -> Iterator[Display]:
    with display() as made:
        yield made


@contextmanager
def till(lane: HeldLane, token: str, port: int) -> Iterator[int]:
    with listen(port) as listener:
        server = Server(create_app(lane, token=token, port=listener.getsockname()[1]), listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server.port
        finally:
            server.stop()
            thread.join(10)


def touched(screen: Display, lane: HeldLane, before: int) -> None:
    """Touch the middle of the screen until the page has come up and hands the wish in."""
    for _ in range(60):
        screen.click()
        try:
            assert isinstance(lane.wished(before + 1, 0.5)[-1], Start)
        except AssertionError:
            continue
        return
    raise AssertionError("no wish arrived")


def test_the_window_waits_for_the_till_and_follows_its_token(screen: Display, tmp_path: Path) -> None:
    address = tmp_path / "url"
    lane = HeldLane(IDLE)
    with listen(0) as free:
        port = free.getsockname()[1]
    address.write_text(f"http://127.0.0.1:{port}/?token=first-boot-token\n")
    arguments = ("-m", "kiosk.window", "--size", "800x600", "--url-file", str(address))
    with screen.program(*arguments) as window:
        with till(lane, "first-boot-token", port):
            touched(screen, lane, 0)
        address.write_text(f"http://127.0.0.1:{port}/?token=second-boot-token\n")
        fresh = HeldLane(IDLE)
        with till(fresh, "second-boot-token", port):
            touched(screen, fresh, 0)
            fresh.show(FULL)
        assert window.poll() is None
