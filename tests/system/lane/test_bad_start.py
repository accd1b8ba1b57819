"""Programs that cannot start: one clear line on stderr that names the file, the key and what is allowed."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.lane.harness import LaneUnderTest

pytestmark = pytest.mark.system

BIN = Path(sys.executable).parent
PROGRAMS = {
    "hal": ("kassa-hal", "--config"),
    "kiosk": ("kassa-kiosk", "run", "--config"),
    "cloud": ("kassa-cloud", "serve", "--config"),
}
DEVICE = '[[device]]\nid = "p"\nkind = "printer"\nmodel = "escpos"\nhost = "127.0.0.1"\n'

# program, configuration, what the one line says
BAD_CONFIG: dict[str, tuple[str, bytes, str]] = {
    "hal, unknown key": ("hal", b"sokcet = 1", 'unknown key "sokcet"; allowed: socket, allowed_users, device'),
    "hal, unknown option": ("hal", f"{DEVICE}prot = 1".encode(), 'device "p": unknown key "prot"; allowed: id, kind'),
    "hal, wrong type": ("hal", b"socket = 1", 'key "socket": expected str, got int; allowed: text'),
    "hal, wrong value": ("hal", f"{DEVICE}port = 0".encode(), 'key "port": expected int >= 1; allowed: a whole number'),
    "hal, unknown model": ("hal", DEVICE.replace("escpos", "x").encode(), '"x" is not known; allowed: escpos'),
    "hal, binary": ("hal", bytes(range(128, 256)), "is not UTF-8"),
    "kiosk, unknown key": ("kiosk", b"stat = 1", "unknown key 'stat'; allowed: state, hal_socket, lane_socket"),
    "kiosk, unknown key within": ("kiosk", b"[shop]\ncurency = 1", "unknown key 'shop.curency'; allowed: address"),
    "kiosk, wrong type": (
        "kiosk",
        b'port = "8080"',
        "port: expected int, got str; allowed: a whole number, 0 to 65535",
    ),
    "kiosk, wrong value": (
        "kiosk",
        b"[times]\nidle_s = 1",
        "times.idle_s: expected int >= 20; allowed: a whole number",
    ),
    "kiosk, wrong word": (
        "kiosk",
        b'[shop]\nfiscal_scheme = "x"',
        "shop.fiscal_scheme: invalid enum value 'x'; allowed",
    ),
    "kiosk, control characters": ("kiosk", rb'"\u001b[2J\n" = 1', "unknown key '�[2J�'; allowed: state"),
    "kiosk, binary": ("kiosk", bytes(range(128, 256)), "is not TOML: byte 0 is not UTF-8"),
    "cloud, unknown key": ("cloud", b"prot = 1", "unknown key 'prot'; allowed: data, host, port, database"),
    "cloud, wrong type": ("cloud", b"token_hours = 1.5", "token_hours: expected int, got float; allowed: a whole"),
    "cloud, wrong value": (
        "cloud",
        b"port = 70000",
        "port: expected int <= 65535; allowed: a whole number, 0 to 65535",
    ),
    "cloud, too many pages": ("cloud", b"threads = 6\nlive_streams = 12", "live_streams: 12; allowed: at most"),
    "cloud, binary": ("cloud", bytes(range(128, 256)), "is not TOML: byte 0 is not UTF-8"),
}


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """To its end, which must come: a program that cannot start does not linger."""
    program, *arguments = command
    return subprocess.run([str(BIN / program), *arguments], capture_output=True, text=True, timeout=30, check=False)


def says(done: "subprocess.CompletedProcess[str]", program: str, *words: str, status: int = 2) -> None:
    """One line on stderr with these words, nothing on stdout."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.startswith(f"{program}: "), done.stderr
    assert done.stderr.endswith("\n")
    assert done.stderr[:-1].isprintable(), done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("case", BAD_CONFIG)
def test_a_bad_configuration_is_one_line(tmp_path: Path, case: str) -> None:
    name, text, line = BAD_CONFIG[case]
    path = tmp_path / f"{name}.toml"
    path.write_bytes(text)
    program, *arguments = PROGRAMS[name]
    says(run(program, *arguments, str(path)), program, f"{program}: {path}: ", line)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path, name: str) -> None:
    program, *arguments = PROGRAMS[name]
    says(run(program, *arguments, str(tmp_path / "none.toml")), program, "none.toml: No such file or directory")
    says(run(program, *arguments, str(tmp_path)), program, f"{tmp_path}: Is a directory")


@pytest.mark.parametrize("program", ["kassa-hal", "kassa-kiosk", "kassa-cloud", "kassa-sync", "kassa-journal"])
def test_without_arguments_there_is_help_and_no_error(program: str) -> None:
    done = run(program)
    assert "usage" in done.stdout.lower()
    assert done.stderr == ""


def test_what_hal_and_cloud_cannot_serve_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "hal.toml"
    path.write_text('socket = "/dev/null/hal.sock"')
    says(run("kassa-hal", "--config", str(path)), "kassa-hal", "/dev/null/hal.sock: Not a directory", status=1)
    path = tmp_path / "cloud.toml"
    cases = {
        'data = "/dev/null/cloud"': "'/dev/null/cloud'",
        f'data = "{tmp_path}"\ndatabase = "nonsense"': "database: no driver for this URL (ArgumentError); allowed",
        f'data = "{tmp_path}"\ndatabase = "oracel://u:secret@h/x"': "database: no driver for this URL",
        f'data = "{tmp_path}"\nhost = "no-such-host.invalid"': "no-such-host.invalid",
    }
    for text, words in cases.items():
        path.write_text(text + "\nport = 0" * ("port" not in text))
        done = run("kassa-cloud", "serve", "--config", str(path))
        says(done, "kassa-cloud", words, status=1)
        assert "secret" not in done.stderr
    (tmp_path / "cloud.db").write_bytes(b"\xa5" * 4096)
    path.write_text(f'data = "{tmp_path}"')
    says(
        run("kassa-cloud", "serve", "--config", str(path)), "kassa-cloud", "cloud.db: file is not a database", status=1
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a lane that was enrolled, stocked and ended."""
    state = tmp_path_factory.mktemp("stopped")
    with LaneUnderTest(state) as lane:
        lane.until(lambda: list((state / "lane" / "catalogue").glob("*.db")) != [])
    with contextlib.closing(sqlite3.connect(state / "lane" / "journal.db")) as journal:
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log would bring back what a test damages
    return state / "lane"


def configured(stopped: Path, folder: Path, **settings: object) -> tuple[Path, Path]:
    """A copy of the lane's state, and a configuration for it."""
    state = folder / "lane"
    shutil.copytree(stopped, state)
    values = {
        "state": str(state),
        "hal_socket": str(folder / "hal.sock"),
        "lane_socket": str(folder / "lane.sock"),
        "lane_users": [],
        "window_file": str(folder / "window.url"),
        "port": 0,
    }
    path = folder / "kiosk.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in {**values, **settings}.items()))
    return state, path


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x01
    path.write_bytes(data)


def flip_in_record(state: Path) -> None:
    """One bit of the first record's bytes."""
    at = (state / "journal.db").read_bytes().find(b'"event":{"shop"')
    assert at >= 0
    flip(state / "journal.db", at + 13)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no enrolment": (
        lambda state: (state / "enrolment.json").unlink(),
        "enrolment.json is not there: enrol the lane first (kassa-provision enrol)",
    ),
    "enrolment, a byte": (
        lambda state: flip(state / "enrolment.json", 1),
        "enrolment.json is damaged",
    ),
    "enrolment, cut": (
        lambda state: os.truncate(state / "enrolment.json", 100),
        "enrolment.json is damaged (Input data was truncated): put back the one that enrolment wrote, or enrol",
    ),
    "key, none": (lambda state: (state / "journal-1.key").unlink(), "journal-1.key: No such file or directory"),
    "key, rubbish": (
        lambda state: (state / "journal-1.key").write_bytes(b"\xff" * 99),
        "journal-1.key is no Ed25519 private key in PEM: put it back, or enrol the lane again",
    ),
    "certificate": (
        lambda state: (state / "journal-1.cert.json").write_text("{}"),
        "journal-1.cert.json is no certificate of a journal key",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_lane_says_what_is_damaged_and_keeps_it(stopped: Path, tmp_path: Path, case: str) -> None:
    damage, line = DAMAGE[case]
    state, config = configured(stopped, tmp_path)
    damage(state)
    before = {path.name: path.read_bytes() for path in state.glob("journal.db") if path.is_file()}
    says(run("kassa-kiosk", "run", "--config", str(config)), "kassa-kiosk", line)
    assert {name: (state / name).read_bytes() for name in before} == before, "nothing was repaired or thrown away"
    if "enrolment" in case:
        says(run("kassa-sync", "--state", str(state), "--lane", str(tmp_path / "lane.sock")), "kassa-sync", line)


MENDED: dict[str, tuple[Callable[[Path], object], int, str, str]] = {
    "a byte": (flip_in_record, 3, "journal.gap", "bad_signature"),
    "no database": (lambda state: (state / "journal.db").write_bytes(b"x" * 4096), 0, "journal.epoch", "file"),
    "gone": (lambda state: [path.unlink() for path in state.glob("journal.db*")], 0, "journal.epoch", "missing"),
}


@pytest.mark.parametrize("case", MENDED)
def test_a_damaged_journal_is_gone_on_with_by_a_record_that_says_so(stopped: Path, tmp_path: Path, case: str) -> None:
    """The damaged bytes are kept: in their place, or in the file that was set aside."""
    damage, code, typ, why = MENDED[case]
    state, config = configured(stopped, tmp_path)
    damage(state)
    before = (state / "journal.db").read_bytes() if case == "no database" else b""
    comes_up_and_ends(config, tmp_path)
    shown = run("kassa-journal", "show", str(state / "journal.db"), "--json", "--last", "1000", "--typ", typ)
    [record] = [json.loads(line) for line in shown.stdout.splitlines()]
    assert why in (record["body"].get("kind"), record["body"].get("reason"))
    assert run("kassa-journal", "verify", str(state / "journal.db"), "--keys", str(state)).returncode == code
    if before:
        assert (state / record["body"]["aside"]).read_bytes() == before
    comes_up_and_ends(config, tmp_path)
    assert run("kassa-journal", "verify", str(state / "journal.db"), "--keys", str(state)).returncode == code


def comes_up_and_ends(config: Path, folder: Path) -> None:
    """The kiosk says READY=1 as to the service manager, and ends when it is told to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = folder / "notify"
        path.unlink(missing_ok=True)
        manager.bind(str(path))
        manager.settimeout(30)
        environment = {**os.environ, "NOTIFY_SOCKET": str(path)}
        kiosk = subprocess.Popen(
            [BIN / "kassa-kiosk", "run", "--config", config], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            assert manager.recv(4096).startswith(b"READY=1")
        finally:
            kiosk.terminate()
            _, said = kiosk.communicate(timeout=30)
    assert kiosk.returncode == 0, said


def test_the_damaged_record_is_named_by_the_verifier(stopped: Path, tmp_path: Path) -> None:
    state, _ = configured(stopped, tmp_path)
    flip_in_record(state)
    done = run("kassa-journal", "verify", str(state / "journal.db"), "--keys", str(state), "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["bad"]["seq"]) == (1, False, 1)


def test_places_that_cannot_be_served_or_written_end_the_kiosk(stopped: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for number, (key, value, line) in enumerate(
            [
                ("port", port, f"port: {port} on 127.0.0.1 cannot be served: Address already in use"),
                ("lane_socket", "/dev/null/lane.sock", "lane_socket: /dev/null/lane.sock: Not a directory"),
                ("lane_socket", "/tmp/" + "x" * 150, "AF_UNIX path too long"),
                ("window_file", "/dev/null/window.url", "window_file: /dev/null/window.url cannot be written: Not a"),
                ("state", "/dev/null", "/dev/null/enrolment.json"),
            ]
        ):
            folder = tmp_path / str(number)
            folder.mkdir()
            _, config = configured(stopped, folder, **{key: value})
            says(run("kassa-kiosk", "run", "--config", str(config)), "kassa-kiosk", line)


def test_a_damaged_catalogue_is_named_and_the_lane_waits_for_another(stopped: Path, tmp_path: Path) -> None:
    state, config = configured(stopped, tmp_path)
    [catalogue] = (state / "catalogue").glob("catalogue-*.db")
    catalogue.write_bytes(b"x" * 4096)
    process = subprocess.Popen(
        [str(BIN / "kassa-kiosk"), "run", "--config", str(config)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr as log:
        said = []
        for line in log:
            said.append(line)
            if "page on" in line:
                process.terminate()
        assert process.wait(20) == 0
    assert any(f"passed over: {catalogue.name}: file: is no SQLite file; allowed: " in line for line in said), said
    assert any("out of service until one comes" in line for line in said)
    assert len(said) < 12, "a daemon that is away is told once a connection, not at every try"
