"""The configuration of a desk lane, written anew at each start."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOP_NAME = "Havnens Købmand"


@dataclass(frozen=True)
class Folders:
    """Everything of a desk lane below one folder; `lane` and `cloud` hold what must outlive a run."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.etc, self.run, self.log, self.lane, self.lane / "anchor", self.cloud, self.bench):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def lane(self) -> Path:
        return self.root / "lane"

    @property
    def cloud(self) -> Path:
        return self.root / "cloud"

    @property
    def bench(self) -> Path:
        return self.root / "bench"

    @property
    def staff(self) -> Path:
        """The demo attendant's badge and PIN; beside the backend's data, since both begin anew together."""
        return self.cloud / "demo-staff.json"


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bench_state(folders: Folders) -> dict[str, Any]:
    """Where the virtual devices are, as the bench itself tells it."""
    return dict(json.loads((folders.bench / "bench.json").read_text()))


def write_hal(folders: Folders, devices: dict[str, Any]) -> Path:
    path = folders.etc / "hal.toml"
    path.write_text(f"""\
# Written by the desk at each start: the devices are the bench's.
socket = "{folders.run / "hal.sock"}"

[[device]]
id = "scanner"
kind = "scanner"
model = "serial"
path = "{devices["scanner"]}"

[[device]]
id = "printer"
kind = "printer"
model = "escpos"
host = "127.0.0.1"
port = {devices["printer"]}
code_pages = ["CP858", "CP866"]

[[device]]
id = "terminal"
kind = "terminal"
model = "zvt"
host = "127.0.0.1"
port = {devices["terminal"]}
currency = "DKK"
# What the virtual terminal answers to "repeat" when it has no transaction yet.
empty_codes = [0x83]
""")
    return path


def write_kiosk(folders: Folders, port: int, cloud_port: int) -> Path:
    path = folders.etc / "kiosk.toml"
    path.write_text(f"""\
# Written by the desk at each start.
state = "{folders.lane}"
hal_socket = "{folders.run / "hal.sock"}"
lane_socket = "{folders.run / "lane.sock"}"
lane_users = []
window_file = "{folders.run / "window.url"}"
port = {port}

[shop]
address = ["Havnegade 12", "1058 København K"]
tax_number = "DK12345674"
currency = "DKK"
receipt_url = "http://127.0.0.1:{cloud_port}/r/{{sale_id}}"
""")
    return path


def write_cloud(folders: Folders, port: int) -> Path:
    path = folders.etc / "cloud.toml"
    path.write_text(f"""\
# Written by the desk at each start.
data = "{folders.cloud}"
port = {port}
""")
    return path
