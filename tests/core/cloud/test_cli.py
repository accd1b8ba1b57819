"""`kassa-cloud` as a person uses it."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3
from typer.testing import CliRunner, Result

from cloud.config import Config, load
from cloud.main import app

EXAMPLE = Path(__file__).parents[3] / "cloud" / "cloud.toml"

PRODUCT = {
    "code": "05701234567899", "code_kind": "gtin", "name": {"en": "Rye bread"}, "price_amount": 2500,
    "price_exponent": 2, "unit": "each", "tax_category": "standard", "tax_rate_bp": 2500, "category": "bread",
}  # fmt: skip


def cloud(*arguments: str) -> Result:
    """The command within this process: an interpreter start for each line of a table would be most of the time."""
    return CliRunner().invoke(app, arguments)


def test_serve_comes_up_and_stops_cleanly(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-m", "cloud.main", "serve", "--data", str(data), "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = json.loads(process.stderr.readline())["address"]
        with urllib3.PoolManager(retries=False) as pool:
            assert pool.request("GET", address + "/").status == 200
            assert pool.request("GET", address + "/events", preload_content=False).status == 200
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            assert time.monotonic() - began < 6, "an open page does not hold it up"
    finally:
        process.kill()
        process.communicate()
    for path in (*(data / "keys").iterdir(), data / "cloud.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not (data / "cloud.db-wal").exists(), "closed: nothing is left to recover"


def test_token_and_publish(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    made = json.loads(cloud("token", "--data", data, "--shop", "Nørrebro", "--reg", "1", "--json").stdout)
    assert len(made["token"]) == 23
    file = tmp_path / "products.ndjson"
    file.write_text(json.dumps(PRODUCT) + "\n")
    done = cloud("catalogue", "publish", str(file), "--data", data, "--shop", "Nørrebro", "--json")
    assert done.exit_code == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["shop"], manifest["sequence"], manifest["products"]) == ("norrebro", 1, 1)
    assert manifest["currency"] == {"code": "DKK", "exponent": 2}


def test_the_example_says_what_holds_without_a_file() -> None:
    assert load(EXAMPLE) == Config()


BAD = {
    "an unknown key": ('[x]\n', "unknown key 'x'; allowed: data, host, port"),
    "a bad value": ("port = 99999\n", "port"),
    "no TOML": ("port =\n", "is not TOML"),
    "too many pages": ("threads = 8\nlive_streams = 8\n", "live_streams: 8"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_configuration_is_one_clear_line(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    path = tmp_path / "cloud.toml"
    path.write_text(text)
    done = cloud("serve", "--config", str(path))
    assert done.exit_code == 2
    assert done.stderr.startswith(f"kassa-cloud: {path}: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("token", "--shop", "x", "--reg", "a b"), "register 'a b'"),
        (("token", "--shop", "x", "--reg", "1", "--mode", "demo"), "allowed: live, training, test"),
        (("token", "--shop", " ", "--reg", "1"), "a shop's name"),
        (("revoke", "d1"), "no device 'd1'"),
        (("catalogue", "publish", "x.pdf", "--shop", "x"), "allowed: .csv, .json, .ndjson"),
        (("catalogue", "publish", "x.csv", "--shop", "x"), "x.csv"),
        (("catalogue", "publish", "x.csv", "--shop", "x", "--currency", "kr"), "currency 'kr'"),
        (("project",), "--rebuild"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = cloud(*arguments, "--data", str(tmp_path / "data"))
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
