"""The virtual scanner seen from the driver's side of the pty, with plain os.open and os.read."""

import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.virtual.scanner import ScannerUnplugged, ScanRefused, VirtualScanner


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[VirtualScanner]:
    device = VirtualScanner(tmp_path / "dev" / "scanner")
    device.plug()
    yield device
    device.unplug()


def read(fd: int, timeout_s: float = 1.0) -> bytes:
    ready, _, _ = select.select([fd], [], [], timeout_s)
    return os.read(fd, 65536) if ready else b""


def received(scanner: VirtualScanner, text: str | bytes, aim: str | None = None) -> bytes:
    fd = os.open(scanner.path, os.O_RDWR | os.O_NOCTTY)
    try:
        scanner.scan(text, aim)
        return read(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("text", "aim", "sent"),
    [
        ("5701234567899", None, b"]E05701234567899\r"),
        ("012345678905", None, b"]E0012345678905\r"),
        ("96385074", None, b"]E496385074\r"),
        ("ABC-1234", None, b"]C0ABC-1234\r"),
        ("https://kassa.example/r/1", None, b"]Q1https://kassa.example/r/1\r"),
        ("(01)0570", "]d2", b"]d2(01)0570\r"),
        ("5701234567899", "", b"5701234567899\r"),
        (b"\x1d\x00\x03\x11\x13\x7f\xff\n", "]C1", b"]C1\x1d\x00\x03\x11\x13\x7f\xff\n\r"),
    ],
)
def test_a_scan_arrives_as_the_scanner_would_send_it(
    scanner: VirtualScanner, text: str | bytes, aim: str | None, sent: bytes
) -> None:
    assert received(scanner, text, aim) == sent


@pytest.mark.parametrize(("suffix", "end"), [("CR", b"\r"), ("LF", b"\n"), ("CRLF", b"\r\n")])
def test_suffixes(tmp_path: Path, suffix: str, end: bytes) -> None:
    scanner = VirtualScanner(tmp_path / "scanner", suffix=suffix)
    scanner.plug()
    assert received(scanner, "96385074") == b"]E496385074" + end
    scanner.unplug()


def test_the_time_of_the_write_is_told(scanner: VirtualScanner) -> None:
    before = time.monotonic_ns()
    written = scanner.scan("96385074")
    assert before <= written <= time.monotonic_ns()


def test_half_a_code_then_silence(scanner: VirtualScanner) -> None:
    fd = os.open(scanner.path, os.O_RDWR | os.O_NOCTTY)
    scanner.scan_partial("5701234567899")
    assert read(fd) == b"]E05701234"
    assert read(fd, 0.05) == b""
    os.close(fd)


def test_unplugging_hangs_up_and_plugging_is_a_new_device_behind_the_same_path(
    scanner: VirtualScanner,
) -> None:
    fd = os.open(scanner.path, os.O_RDWR | os.O_NOCTTY)
    scanner.unplug()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(1000)[0][1] & select.POLLHUP
    os.close(fd)
    assert not scanner.path.is_symlink()
    with pytest.raises(ScannerUnplugged):
        scanner.scan("96385074")
    scanner.plug()
    assert received(scanner, "96385074") == b"]E496385074\r"


def test_a_scanner_nobody_listens_to_never_blocks(scanner: VirtualScanner) -> None:
    begun = time.monotonic()
    for _ in range(2000):
        scanner.scan("5701234567899")
    scanner.scan("9" * 10_000)
    assert time.monotonic() - begun < 3.0


def test_ten_thousand_bytes_reach_a_reader(scanner: VirtualScanner) -> None:
    fd = os.open(scanner.path, os.O_RDWR | os.O_NOCTTY)
    thread = threading.Thread(target=scanner.scan, args=("x" * 10_000, ""))
    thread.start()
    got = b""
    while not got.endswith(b"\r"):
        got += read(fd)
    thread.join()
    os.close(fd)
    assert got == b"x" * 10_000 + b"\r"


@pytest.mark.parametrize(
    ("text", "aim", "names"),
    [("", None, "1 to 16384"), ("x" * 20_000, None, "1 to 16384"), ("1", "E0", "AIM"), ("1", "]\n", "AIM")],
)
def test_what_no_scanner_sends_is_refused(scanner: VirtualScanner, text: str, aim: str | None, names: str) -> None:
    with pytest.raises(ScanRefused, match=names):
        scanner.scan(text, aim)
