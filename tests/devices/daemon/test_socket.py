"""The socket against those who should not be on it, and those who do not speak its language."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hal.api.interfaces import MAX_FRAME_BYTES
from hal.api.server import MAX_CONNECTIONS, SocketTaken, listen
from hal.api.wire import Framer, WireError
from tests.devices.daemon.rig import Wire, rig

HOSTILE: dict[str, bytes] = {
    "not JSON": b"hello\0",
    "binary": bytes(range(255, 0, -1)) + b"\0",
    "empty": b"\0",
    "an array": b"[]\0",
    "deep": b"[" * 100_000 + b"\0",
    "deep object": b'{"a":' * 50_000 + b"\0",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n\0",
    "lone surrogate": b'{"method":"\xed\xa0\x80"}\0',
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no method": ({}, "org.varlink.service.InvalidParameter"),
    "method no text": ({"method": 1}, "org.varlink.service.InvalidParameter"),
    "method without interface": ({"method": "List"}, "org.varlink.service.InvalidParameter"),
    "parameters no object": ({"method": "kassa.hal.Devices.List", "parameters": []}, "InvalidParameter"),
    "unknown interface": ({"method": "kassa.hal.Scale.Read"}, "org.varlink.service.InterfaceNotFound"),
    "unknown method": ({"method": "kassa.hal.Devices.Open"}, "org.varlink.service.MethodNotFound"),
    "hidden attribute": ({"method": "kassa.hal.Devices.Errors"}, "org.varlink.service.MethodNotFound"),
    "unknown parameter": ({"method": "kassa.hal.Devices.List", "parameters": {"x": 1}}, "InvalidParameter"),
    "wrong type": ({"method": "kassa.hal.Devices.Claim", "parameters": {"device": 1}}, "InvalidParameter"),
    "missing": ({"method": "kassa.hal.Devices.Claim"}, "InvalidParameter"),
    "watch without more": ({"method": "kassa.hal.Devices.Watch"}, "org.varlink.service.ExpectedMore"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_bytes_that_are_no_varlink_end_their_connection_only(tmp_path: Path, case: str) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            good, bad = await Wire.open(house.path), await Wire.open(house.path)
            bad.writer.write(HOSTILE[case])
            assert await bad.ended()
            assert await good.error("Devices.List") == "no error"
            await good.close()
            await bad.close()

    asyncio.run(scene())


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_are_answered_by_an_error(tmp_path: Path, case: str) -> None:
    call, error = WRONG[case]

    async def scene() -> None:
        async with rig(tmp_path) as house:
            wire = await Wire.open(house.path)
            wire.writer.write(json.dumps(call).encode() + b"\0")
            assert (await wire.reply())["error"].endswith(error)
            assert await wire.error("Devices.List") == "no error", "the connection goes on"
            await wire.close()

    asyncio.run(scene())


def test_an_endless_frame_ends_its_connection_without_stalling_the_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            good, bad = await Wire.open(house.path), await Wire.open(house.path)
            flood = threading.Thread(target=_flood, args=(house.path, b"x" * 65536, 256))
            flood.start()
            worst_s = 0.0
            while flood.is_alive():
                began_s = time.monotonic()
                assert await good.error("Devices.List") == "no error"
                worst_s = max(worst_s, time.monotonic() - began_s)
            flood.join()
            assert worst_s < 1.0
            await good.close()
            await bad.close()

    asyncio.run(scene())


def _flood(path: str, chunk: bytes, count: int) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.settimeout(5)
        try:
            for _ in range(count):
                sock.sendall(chunk)
            while sock.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            return
        raise AssertionError("16 MiB were swallowed")  # seen by pytest as an unhandled thread exception


def test_the_framer_is_linear_and_bounded() -> None:
    framer = Framer(limit=10)
    assert framer.feed(b"ab") == []
    assert framer.feed(b"c\0\0de\0fghij") == [b"abc", b"", b"de"]
    assert framer.feed(b"klmno\0") == [b"fghijklmno"]
    for pieces in ((b"x" * 11,), (b"x" * 6, b"x" * 5), (b"x" * 6, b"x" * 5 + b"\0")):
        framer = Framer(limit=10)
        with pytest.raises(WireError, match="10 bytes"):
            _ = [framer.feed(piece) for piece in pieces]
    framer, began_s = Framer(), time.monotonic()
    for _ in range(MAX_FRAME_BYTES // 64):
        framer.feed(b"x" * 64)
    assert time.monotonic() - began_s < 1.0


@pytest.mark.parametrize(
    "call",
    [
        b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"kassa.hal.Devices"}}\0',
        b'{"method":"kassa.hal.Devices.Nothing"}\0',
    ],
)
def test_calls_poured_in_without_reading_are_bounded(tmp_path: Path, call: bytes) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            bad, good = await Wire.open(house.path), await Wire.open(house.path)
            bad.writer.transport.pause_reading()  # type: ignore[attr-defined]
            bad.writer.write(call * 20_000)
            for _ in range(20_000):
                await asyncio.sleep(0)  # time enough to answer them all, were it not for the bound
            assert await good.error("Devices.List") == "no error"
            (victim,) = [c for c in house.server.connections if c._frames.qsize() > 0]
            assert victim.transport is not None
            assert victim.transport.get_write_buffer_size() < 256 * 1024
            assert victim._frames.qsize() * len(call) < 512 * 1024
            bad.writer.transport.abort()
            await good.close()

    asyncio.run(scene())


def test_calls_poured_in_are_handled_in_turn_with_the_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            bad, good = await Wire.open(house.path), await Wire.open(house.path)
            assert await good.error("Devices.List") == "no error"
            bad.writer.write(b'{"oneway":true}\0' * 10_000)
            assert await good.error("Devices.List") == "no error"
            assert sum(connection._frames.qsize() for connection in house.server.connections) > 1000
            await good.close()
            await bad.close()

    asyncio.run(scene())


def test_connections_are_bounded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            wires = [await Wire.open(house.path) for _ in range(MAX_CONNECTIONS)]
            for wire in wires:
                assert await wire.error("Devices.List") == "no error"
            over = await Wire.open(house.path)
            assert await over.ended()
            await wires[0].close()
            async with asyncio.timeout(5):
                while len(house.server.connections) == MAX_CONNECTIONS:
                    await asyncio.sleep(0.001)
            again = await Wire.open(house.path)
            assert await again.error("Devices.List") == "no error"
            for wire in (*wires[1:], over, again):
                await wire.close()

    asyncio.run(scene())


_AS_NOBODY = """
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
os.setgid(65534); os.setuid(65534)
sock.connect(sys.argv[1])
sock.settimeout(5)
try:
    sock.sendall(b'{"method":"kassa.hal.Devices.List"}\\0')
    print("answered" if sock.recv(100) else "closed")
except (BrokenPipeError, ConnectionResetError):
    print("closed")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("allowed", "outcome"), [(frozenset[int](), "closed"), (frozenset({65534}), "answered")])
def test_only_allowed_users_are_heard(tmp_path: Path, allowed: frozenset[int], outcome: str) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            house.server._allowed_uids |= allowed
            Path(house.path).chmod(0o666)
            for folder in (tmp_path, *tmp_path.parents):
                if folder != Path("/") and not folder.stat().st_mode & 1:
                    folder.chmod(folder.stat().st_mode | 0o011)
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _AS_NOBODY, house.path, stdout=subprocess.PIPE
            )
            said, _ = await child.communicate()
            assert said.decode().strip() == outcome

    asyncio.run(scene())


def test_a_stale_socket_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "hal.sock"
    first = listen(str(path))
    with pytest.raises(SocketTaken, match="another daemon"):
        listen(str(path))
    first.close()
    assert path.exists(), "as after kill -9"
    listen(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hal.sock"]
    path.unlink()
    path.write_text("precious")
    with pytest.raises(SocketTaken, match="not a socket"):
        listen(str(path))
    assert path.read_text() == "precious"
    with pytest.raises(SocketTaken, match="No such file"):
        listen(str(tmp_path / "missing" / "hal.sock"))


_TECHNICIAN = """
import json, sys, varlink
with varlink.Client.new_with_address("unix:" + sys.argv[1]) as found:
    names = sorted(found.get_interfaces())
    described = {name: found.get_interface(name).description for name in names}
    with found.open("kassa.hal.Devices") as devices:
        listed = [device["id"] for device in devices.List()["devices"]]
        first = next(iter(devices.Watch(_more=True)))
print(json.dumps([names, described, listed, first["batch"]["instance"]]))
"""


def test_an_independent_client_introspects_and_calls(tmp_path: Path) -> None:
    async def scene() -> None:
        async with rig(tmp_path) as house:
            # A process of its own: the package warns about its own source when it is imported.
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "ignore", "-c", _TECHNICIAN, house.path, stdout=subprocess.PIPE
            )
            said, _ = await child.communicate()
            names, described, listed, instance = json.loads(said)
            assert names == [
                "kassa.hal.CardTerminal",
                "kassa.hal.Devices",
                "kassa.hal.Printer",
                "kassa.hal.Scanner",
                "org.varlink.service",
            ]
            assert "Print finished ESC/POS bytes once" in described["kassa.hal.Printer"]
            assert listed == ["scanner", "printer", "terminal"]
            assert instance == house.hub.instance

    asyncio.run(scene())
