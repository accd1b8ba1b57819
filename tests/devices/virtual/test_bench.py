"""The bench as a process: its HTTP API, its manners on bad input, its beginning and end."""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

SHOP = """code,name_en,name_da,price,category,unit
5701234567899,Rye bread,Rugbrød,24.50,Bread,each
96385074,Milk 1 l,Mælk 1 l,13.95,Dairy,each
,No code,,1.00,Dairy,each
5700000000000,,,1.00,Dairy,each
"""


@dataclass
class Bench:
    process: subprocess.Popen[str]
    url: str
    directory: Path

    def ask(
        self, method: str, path: str, data: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and decoded JSON, or the bytes of anything else."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            text = data if isinstance(data, bytes) or data is None else json.dumps(data)
            connection.request(
                method,
                path,
                text,
                headers or ({"Content-Type": "application/json"} if method == "POST" else {}),
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content

    def post(self, path: str, data: object = None) -> tuple[int, Any]:
        return self.ask("POST", path, {} if data is None else data)

    def where(self) -> dict[str, Any]:
        where: dict[str, Any] = json.loads((self.directory / "bench.json").read_text())
        return where


@contextlib.contextmanager
def running(directory: Path, *extra: str, env: dict[str, str] | None = None) -> Iterator[Bench]:
    ports = ("--port", "0", "--terminal-port", "0", "--printer-port", "0", "--print-speed", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "hal.virtual", "--dir", str(directory), *ports, *extra],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("bench: http://127.0.0.1:")
        yield Bench(process, line.split()[1], directory)
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("bench")
    (directory / "shop.csv").write_text(SHOP, encoding="utf-8")
    with running(directory, "--shop", str(directory / "shop.csv")) as found:
        yield found


def test_it_says_when_it_is_ready_where_it_is_and_ends_on_sigterm(tmp_path: Path) -> None:
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(10)
    with notified, running(tmp_path / "lane", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as bench:
        assert b"READY=1" in notified.recv(4096)
        where = bench.where()
        assert where["bench"] == bench.url
        assert Path(where["scanner"]).is_symlink()
        for port in (where["terminal"], where["printer"]):
            socket.create_connection(("127.0.0.1", port)).close()
        begun = time.monotonic()
        bench.process.send_signal(signal.SIGTERM)
        assert bench.process.wait(10) == 0
        assert time.monotonic() - begun < 5
        assert not Path(where["scanner"]).is_symlink()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--port", "70000"], "0 to 65535"),
        (["--shop", "/nonexistent.csv"], "/nonexistent.csv"),
        (["--shop", __file__], "no column named code"),
    ],
)
def test_a_bad_start_says_why_in_one_line(tmp_path: Path, arguments: list[str], names: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hal.virtual", "--dir", str(tmp_path), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode != 0
    assert names in ended.stderr.strip().splitlines()[-1]


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "hal.virtual", "--dir", str(tmp_path), "--port", "0"),
                *("--terminal-port", str(taken.getsockname()[1]), "--printer-port", "0"),
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_scanning(bench: Bench) -> None:
    fd = os.open(bench.where()["scanner"], os.O_RDWR | os.O_NOCTTY)
    try:
        before = time.monotonic_ns()
        status, answer = bench.post("/scanner/scan", {"text": "5701234567899"})
        assert status == 200
        assert before < answer["written_mono_ns"] < time.monotonic_ns()
        assert select.select([fd], [], [], 2)[0]
        assert os.read(fd, 100) == b"]E05701234567899\r"
    finally:
        os.close(fd)


def test_a_receipt_comes_out(bench: Bench) -> None:
    with socket.create_connection(("127.0.0.1", bench.where()["printer"])) as printer:
        printer.settimeout(5)
        printer.sendall(b"Hello\n\x1dVB\x00\x1d(H\x06\x0000wxyz")
        assert printer.recv(7) == b"\x37\x22wxyz\0"
    _, listed = bench.ask("GET", "/printer/receipts")
    receipt = listed["receipts"][-1]
    assert receipt["text"] == ["Hello"]
    status, picture = bench.ask("GET", receipt["png"])
    assert (status, picture[:8]) == (200, b"\x89PNG\r\n\x1a\n")
    status, detail = bench.ask("GET", receipt["png"].replace(".png", ".json"))
    assert (status, detail["lines"][0]["text"]) == (200, "Hello")
    status, answer = bench.ask("GET", "/printer/receipts/999.png")
    assert status == 404
    assert "no receipt 999" in answer["error"]


@pytest.mark.parametrize("device", ["scanner", "terminal", "printer"])
def test_each_device_can_be_unplugged_and_plugged_again(bench: Bench, device: str) -> None:
    status, state = bench.post(f"/{device}/unplug")
    assert (status, state["plugged"]) == (200, False)
    if device == "scanner":
        assert bench.post("/scanner/scan", {"text": "1"})[0] == 409
    else:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bench.where()[device]))
    status, state = bench.post(f"/{device}/plug")
    assert (status, state["plugged"]) == (200, True)
    if device != "scanner":
        socket.create_connection(("127.0.0.1", bench.where()[device])).close()


@pytest.mark.parametrize(
    ("path", "data", "field", "value"),
    [
        ("/printer/paper", {"state": "out"}, "paper", "out"),
        ("/printer/paper", {"state": "ok", "left_mm": 40}, "paper_left_mm", 40),
        ("/printer/paper", {"state": "ok"}, "paper", "ok"),
        ("/printer/cover", {"state": "open"}, "online", False),
        ("/printer/cover", {"state": "closed"}, "online", True),
        ("/printer/near_end", {"state": "on"}, "near_end", True),
        ("/printer/near_end", {"state": "off"}, "near_end", False),
        ("/printer/cable", {"state": "cut"}, "cable", "cut"),
        ("/printer/cable", {"state": "ok"}, "cable", "ok"),
        ("/printer/drawer", {"state": "open"}, "drawer", "open"),
        ("/printer/drawer", {"state": "closed"}, "drawer", "closed"),
        ("/printer/error", {"state": "overheat"}, "error", "overheat"),
        ("/printer/error", {"state": "none"}, "error", "none"),
        ("/terminal/card", {"outcome": "decline"}, "armed", "decline"),
        ("/terminal/profile", {"auto": None, "t3_s": 2}, "plugged", True),
        (
            "/terminal/faults",
            {"drop_at": {"direction": "out", "message": 3}},
            "drop_at",
            {"direction": "out", "message": 3, "manner": "reset"},
        ),
        ("/terminal/faults", {"drop_at": None}, "drop_at", None),
    ],
)
def test_everything_can_be_moved(bench: Bench, path: str, data: object, field: str, value: object) -> None:
    status, answer = bench.post(path, data)
    assert (status, answer[field]) == (200, value)
    device = path.split("/")[1]
    assert bench.ask("GET", "/state")[1][device][field] == value


@pytest.mark.parametrize(
    ("path", "data", "names"),
    [
        ("/scanner/scan", {}, "'text' is missing"),
        ("/scanner/scan", {"text": 5}, "not a string"),
        ("/scanner/scan", {"text": ""}, "1 to 16384"),
        ("/scanner/scan", {"text": "1", "aim": "E0"}, "AIM identifier"),
        ("/scanner/scan", {"text": "1", "colour": 1}, "allowed are text, aim"),
        ("/scanner/scan", b"{not json", "not a JSON object"),
        ("/scanner/scan", b"[1]", "not a JSON object"),
        ("/terminal/card", {"outcome": "steal"}, "approve, part, decline"),
        ("/terminal/card", {}, "approve, part, decline"),
        ("/terminal/faults", {"drop_at": {"direction": "sideways"}}, "in, out"),
        ("/terminal/profile", {"print_final": "yes"}, "true or false"),
        ("/printer/paper", {"state": "wet"}, "ok, out"),
        ("/printer/paper", {"state": "ok", "left_mm": "far"}, "number above 0"),
        ("/printer/cover", {"state": ["open"]}, "closed, open"),
        ("/printer/cover", {}, "closed, open"),
    ],
)
def test_bad_input_is_named(bench: Bench, path: str, data: object, names: str) -> None:
    status, answer = bench.post(path, data)
    assert status == 400
    assert names in answer["error"]


def test_only_json_posts_from_loopback_names(bench: Bench) -> None:
    status, answer = bench.ask("POST", "/scanner/scan", b'{"text":"1"}', {"Content-Type": "text/plain"})
    assert (status, "application/json" in answer["error"]) == (400, True)
    status, answer = bench.ask("GET", "/state", None, {"Host": "evil.example"})
    assert (status, "evil.example" in answer["error"]) == (403, True)
    status, _ = bench.ask("GET", "/state", None, {"Host": "localhost:1234"})
    assert status == 200
    status, answer = bench.post("/scanner/scan", {"text": "x" * 100_000})
    assert status == 413
    status, answer = bench.post("/toaster/plug")
    assert (status, "error" in answer) == (404, True)


def test_the_shelf(bench: Bench) -> None:
    _, shelf = bench.ask("GET", "/shop")
    assert [p["name"] for p in shelf["products"]] == ["Rye bread", "Milk 1 l"]
    assert bench.ask("GET", "/shop?q=rugbr%C3%B8d")[1]["products"][0]["code"] == "5701234567899"
    assert bench.ask("GET", "/shop?category=Dairy")[1]["total"] == 1
    assert bench.ask("GET", "/shop?q=9638")[1]["products"][0]["name"] == "Milk 1 l"


def test_events_tell_of_changes_and_places_are_limited_and_given_back(bench: Bench) -> None:
    def opened() -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(urlsplit(bench.url).netloc, timeout=10)
        connection.request("GET", "/events")
        return connection, connection.getresponse()

    def next_state(response: http.client.HTTPResponse) -> dict[str, Any]:
        while not (line := response.readline()).startswith(b"data: "):
            pass
        state: dict[str, Any] = json.loads(line[6:])
        return state

    held = [opened() for _ in range(6)]
    assert next_state(held[0][1])["printer"]["near_end"] is False
    refused = opened()
    assert refused[1].status == 503
    refused[0].close()
    bench.post("/printer/near_end", {"state": "on"})
    assert next_state(held[0][1])["printer"]["near_end"] is True
    bench.post("/printer/near_end", {"state": "off"})
    for connection, response in held:
        response.close()
        connection.close()
    for _ in range(100):
        connection, response = opened()
        status = response.status
        response.close()
        connection.close()
        if status == 200:
            return
        time.sleep(0.1)
    raise AssertionError("places were never given back")
