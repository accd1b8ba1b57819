"""`hal.toml`: what is wrong is named in one line, with what is allowed."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hal.config import ConfigError, load

SCANNER = '[[device]]\nid = "s"\nkind = "scanner"\nmodel = "serial"\npath = "/dev/x"\n'
PRINTER = '[[device]]\nid = "p"\nkind = "printer"\nmodel = "escpos"\nhost = "10.0.0.2"\n'
WRONG: dict[str, tuple[str, str]] = {
    "not TOML": ("socket =", "not TOML: "),
    "unknown key": ('sockets = "/x"', 'unknown key "sockets"; allowed: socket, allowed_users, device'),
    "socket no text": ("socket = 1", 'key "socket": expected str, got int'),
    "socket relative": ('socket = "hal.sock"', 'key "socket": expected str matching regex'),
    "socket too long": (f'socket = "/{"x" * 200}"', 'key "socket": expected str of length <= 90'),
    "no such user": ('allowed_users = ["nobody-here"]', 'key "allowed_users": this machine has no user "nobody-here"'),
    "bad uid": ("allowed_users = [-1]", 'key "allowed_users[0]": expected int >= 0'),
    "no id": ('[[device]]\nkind = "scanner"\nmodel = "serial"', 'device 1: key "id" is missing'),
    "bad id": (SCANNER.replace('"s"', '"s s"'), 'device 1: key "id": expected str matching regex'),
    "same id": (SCANNER + SCANNER, 'device 2: key "id": "s" is used twice'),
    "unknown kind": (
        SCANNER.replace("scanner", "camera"),
        'device "s": key "kind": "camera" is not known; allowed: pr',
    ),
    "unknown model": (SCANNER.replace("serial", "hid"), 'device "s": key "model": "hid" is not known; allowed: serial'),
    "unknown option": (
        SCANNER + "bauds = 9600",
        'device "s": unknown key "bauds"; allowed: id, kind, model, path, baud',
    ),
    "bad option": (
        SCANNER + "baud = 9601",
        'device "s": key "baud": invalid enum value 9601; allowed: 1200, 2400, 4800',
    ),
    "no path": (SCANNER.replace('path = "/dev/x"', ""), 'device "s": key "path" is missing'),
    "port": (
        PRINTER + "port = 70000",
        'device "p": key "port": expected int <= 65535; allowed: a whole number, 1 to 65535',
    ),
    "host": (PRINTER.replace("10.0.0.2", "a b"), 'device "p": key "host": expected str matching regex'),
    "control characters": (PRINTER + '"po\\u001b[2J\\nrt" = 1', 'unknown key "po�[2J�rt"; allowed'),
    "dots": (PRINTER + "dots = 5000", 'key "dots": expected int <= 1024; allowed: a whole number, 128 to 1024'),
    "code pages": (PRINTER + 'code_pages = ["a b"]', 'key "code_pages[0]": expected str matching regex'),
    "completion": (PRINTER + 'completion = "hope"', "invalid enum value 'hope'; allowed: gs_r, process_id"),
    "devices no list": ('device = "x"', 'key "device": expected array, got str'),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_configuration_is_one_line(tmp_path: Path, case: str) -> None:
    text, line = WRONG[case]
    file = tmp_path / "hal.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(str(file))
    said = str(error.value)
    assert said.startswith(f"{file}: ")
    assert line in said
    assert "\n" not in said


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b'socket = "\xe5"')
    with pytest.raises(ConfigError, match="byte 10 is not UTF-8"):
        load(str(tmp_path / "latin.toml"))
    (tmp_path / "big.toml").write_bytes(b"#" * 1024 * 1024 + b"#")
    with pytest.raises(ConfigError, match="longer than"):
        load(str(tmp_path / "big.toml"))


def test_good_configuration(tmp_path: Path) -> None:
    file = tmp_path / "hal.toml"
    printer = PRINTER + 'dots = 384\ncolumns = 32\ncode_pages = ["CP437", "CP858"]\ncutter = false\nqr = false\n'
    printer += 'completion = "gs_r"\n'
    terminal = '[[device]]\nid = "t"\nkind = "terminal"\nmodel = "zvt"\nhost = "10.0.0.3"\nempty_codes = [100]\n'
    terminal += "confirm_window_s = 3.5\n"
    file.write_text('allowed_users = ["root", 12]\n' + SCANNER + "double_read_s = 1\n" + printer + terminal)
    config = load(str(file))
    assert config.socket == "/run/kassa-hal/hal.sock"
    assert config.allowed_uids == {0, 12}
    assert [(d.id, d.name, d.model.kind.value) for d in config.devices] == [
        ("s", "serial", "scanner"),
        ("p", "escpos", "printer"),
        ("t", "zvt", "terminal"),
    ]
    assert msgspec.structs.asdict(config.devices[1].options)["code_pages"] == ("CP437", "CP858")
    assert msgspec.structs.asdict(config.devices[2].options)["confirm_window_s"] == 3.5
    assert config.devices[0].options.watched_path == "/dev/x"


@pytest.mark.system
def test_command_line(tmp_path: Path) -> None:
    def kassa_hal(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-W", "error", "-m", "hal.main", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert "usage: kassa-hal" in kassa_hal().stdout
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(SCANNER)
    bad.write_text(SCANNER + "bauds = 1")
    checked = kassa_hal("--config", str(good), "--check")
    assert (checked.returncode, checked.stderr) == (0, "")
    for arguments in ((), ("--check",)):
        refused = kassa_hal("--config", str(bad), *arguments)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert refused.stderr.startswith(f"kassa-hal: {bad}: device ")
    unusable = tmp_path / "unusable.toml"
    unusable.write_text(f'socket = "{tmp_path}/none/hal.sock"')
    refused = kassa_hal("--config", str(unusable))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
