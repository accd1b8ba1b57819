"""The server as it runs: events arrive, silence is filled, too many listeners make the oldest go, and it stops."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from kiosk.web import stream
from kiosk.web.app import create_app
from kiosk.web.serve import Server, listen
from tests.core.web.lane import HeldLane
from tests.core.web.states import FULL, IDLE, on

TOKEN = "a-token-for-one-boot"


@pytest.fixture
def lane() -> HeldLane:
    return HeldLane(IDLE)


@pytest.fixture
def port(lane: HeldLane, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(stream, "BEAT_S", 0.25)
    with listen(0) as listener:
        server = Server(create_app(lane, token=TOKEN, port=listener.getsockname()[1]), listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        yield server.port
        server.stop()
        thread.join(10)
    assert not thread.is_alive()


class Listener:
    """One open event stream."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        self._connection.request("GET", "/events", headers={"Cookie": f"kassa_{port}={TOKEN}"})
        self.answer = self._connection.getresponse()

    def event(self) -> dict[str, str]:
        """The next event: its fields, the data joined; empty at the end of the stream."""
        fields: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        return fields

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def test_a_listener_gets_the_present_screen_then_each_change(port: int, lane: HeldLane) -> None:
    with contextlib.closing(Listener(port)) as listener:
        assert listener.answer.headers["Content-Type"].startswith("text/event-stream")
        first = listener.event()
        assert (first["event"], first["id"]) == ("screen", "1")
        assert first["data"].startswith('<div id="kassa"')
        lane.show(FULL)
        second = next(event for event in iter(listener.event, {}) if event["event"] == "screen")
        assert second["id"] == "2"
        assert 'data-screen="basket"' in second["data"]


def test_silence_is_filled_with_beats(port: int) -> None:
    with contextlib.closing(Listener(port)) as listener:
        listener.event()
        assert [listener.answer.readline() for _ in range(3)] == [b"event: beat\n", b"data:\n", b"\n"]


def test_one_listener_too_many_sends_the_oldest_away(port: int, lane: HeldLane) -> None:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(contextlib.closing(Listener(port))) for _ in range(stream.CLIENTS)]
        for listener in listeners:
            assert listener.event()["event"] == "screen"
        newest = stack.enter_context(contextlib.closing(Listener(port)))
        assert newest.event()["event"] == "screen"
        kinds = [event["event"] for event in iter(listeners[0].event, {})]
        assert kinds[-1] == "displaced"
        lane.show(FULL)
        for listener in [*listeners[1:], newest]:
            assert any(event.get("id") == "2" for event in iter(listener.event, {}))


def test_a_listener_that_left_makes_room(port: int, lane: HeldLane) -> None:
    for turn in range(3 * stream.CLIENTS):
        with contextlib.closing(Listener(port)) as listener:
            assert listener.event()["event"] == "screen"
        lane.show(on(FULL, pulse=turn))
    with contextlib.closing(Listener(port)) as listener:
        assert listener.event()["event"] == "screen"


def test_stopping_ends_the_streams(lane: HeldLane) -> None:
    with listen(0) as listener:
        server = Server(create_app(lane, token=TOKEN, port=listener.getsockname()[1]), listener)
        thread = threading.Thread(target=server.run)
        thread.start()
        with contextlib.closing(Listener(server.port)) as stayed:
            assert stayed.event()["event"] == "screen"
            begin_s = time.monotonic()
            server.stop()
            assert [event["event"] for event in iter(stayed.event, {}) if event.get("event") == "displaced"] == []
            thread.join(10)
            assert not thread.is_alive()
            assert time.monotonic() - begin_s < 5
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", server.port), timeout=1):
        pass
