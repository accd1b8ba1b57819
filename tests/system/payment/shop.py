"""A lane without a page: `kassa-hal` as a process, virtual devices, and the terminal's ledger as the truth."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hal.virtual.bench.devices import Devices
from hal.virtual.terminal.ledger import Entry
from kiosk.journal.replay import replay
from kiosk.journal.source import Source
from kiosk.journal.verify import Keys, verify
from kiosk.lane.catalogue import file_name
from kiosk.lane.config import DevicesSection, KioskConfig, ShopSection, TimesSection
from kiosk.records.catalogue import build_db
from kiosk.records.identity import Enrolment, certify, identity_public, raw_public
from kiosk.records.journal import Record, decode
from kiosk.records.sale import Product, Sale
from tests.core.catalogue.lists import manifest

ROOT = Path(__file__).resolve().parents[3]
CODE, FREE = "9521000000018", "9521000000025"
PRICE_MINOR = 2495
QUICK_PROFILE = {"auto": "approve", "t3_s": 0.4, "status_every_s": 0.3}


def products() -> list[Product]:
    def product(code: str, price: int) -> Product:
        return Product(code.zfill(14), "gtin", {"en": f"Thing {code[-3:]}"}, price, 2, "each", "S", 2500, "pantry")

    return [product(CODE, PRICE_MINOR), product(FREE, 0)]


class Shop:
    """Use as a context manager. `print_final`: what terminal and driver take for the definitive acknowledgement."""

    def __init__(self, *, print_final: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kassa-pay-"))
        self.print_final = print_final
        self.devices = Devices(self.folder / "bench", ledger=self.folder / "ledger.jsonl")
        self.terminal = self.devices.terminal
        self._cosign = Ed25519PrivateKey.generate()
        self._identity = ec.generate_private_key(ec.SECP256R1())
        self._hal: subprocess.Popen[bytes] | None = None
        self.hal_starts = 0

    def __enter__(self) -> "Shop":
        self.devices.start()
        self.profile(print_final=self.print_final, **QUICK_PROFILE)
        self._enrol()
        self._configure_hal()
        self.start_hal()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_hal()
        self.devices.stop()
        shutil.rmtree(self.folder)

    # The lane's own files

    @property
    def lane(self) -> KioskConfig:
        return KioskConfig(
            state=str(self.folder / "lane"),
            hal_socket=str(self.folder / "hal.sock"),
            lane_socket=str(self.folder / "lane.sock"),
            lane_users=[],
            shop=ShopSection(receipt_url="https://r.example/{sale_id}"),
            devices=DevicesSection(),
            times=TimesSection(idle_s=60, answer_s=60, thanks_s=60),
        )

    def _enrol(self) -> None:
        state = self.folder / "lane"
        (state / "catalogue").mkdir(parents=True)
        (state / "anchor").mkdir()
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (state / "journal-1.key").write_bytes(pem)
        identity = self._identity.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (state / "identity.key").write_bytes(identity)
        certificate = certify(self._identity, "dev1", 1, key)
        (state / "journal-1.cert.json").write_bytes(msgspec.json.encode(certificate))
        pinned = raw_public(self._cosign)
        enrolment = Enrolment("http://none", "t1", "s1", "Shop", "1", "dev1", 1, "test", "token", pinned, pinned)
        (state / "enrolment.json").write_bytes(msgspec.json.encode(enrolment))
        listed = products()
        build_db(listed, manifest(listed), state / "catalogue" / file_name(manifest(listed).version))

    # The daemon

    def _configure_hal(self) -> None:
        state = self.devices.state()
        (self.folder / "hal.toml").write_text(f"""\
socket = "{self.folder / "hal.sock"}"
[[device]]
id = "scanner"
kind = "scanner"
model = "serial"
path = "{state["scanner"]["path"]}"
double_read_s = 0.0
[[device]]
id = "printer"
kind = "printer"
model = "escpos"
host = "127.0.0.1"
port = {self.devices.printer.port}
[[device]]
id = "terminal"
kind = "terminal"
{self.terminal_options()}
""")

    def terminal_options(self) -> str:
        """Of the terminal in `hal.toml`, from its model on."""
        return f"""\
model = "zvt"
host = "127.0.0.1"
port = {self.terminal.port}
currency = "DKK"
profile = "{"print" if self.print_final else "status"}"
empty_codes = [0x83]"""

    def start_hal(self) -> None:
        command = [sys.executable, "-m", "tests.system.payment.quick_hal", "--config", str(self.folder / "hal.toml")]
        with (self.folder / "hal.log").open("ab") as log:
            self._hal = subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self.hal_starts += 1

    def kill_hal(self) -> None:
        if self._hal is not None:
            self._hal.kill()
            self._hal.wait()
            self._hal = None

    # The devices

    def profile(self, **changes: object) -> None:
        self.devices.call(lambda: self.terminal.set_profile(changes))

    def fault(self, drop_at: dict[str, object] | None) -> None:
        self.devices.call(lambda: self.terminal.set_faults({"drop_at": drop_at}))

    def scan(self, code: str = CODE) -> None:
        self.devices.scanner.scan(code)

    @contextlib.contextmanager
    def customers(self, outcome: str | None, **profile: object) -> Iterator[None]:
        """Every customer does this now; None: nobody taps by itself."""
        before = self.terminal.profile
        self.profile(auto=outcome, **profile)
        try:
            yield
        finally:
            self.profile(auto=before.auto, **{name: getattr(before, name) for name in profile})

    def captured(self) -> list[Entry]:
        """What stays charged: captures without those that were taken back."""
        entries = self.devices.call(lambda: list(self.terminal.ledger.entries))
        taken_back = {e.reverses for e in entries if e.outcome == "reversed"}
        return [e for e in entries if e.outcome == "captured" and e.receipt not in taken_back]

    def amounts(self) -> list[int]:
        return [entry.amount_minor for entry in self.captured()]

    # The journal, read from outside

    def records(self, but: int = 0) -> list[Record]:
        """`but`: the number of a record that cannot be read."""
        with Source(self.folder / "lane" / "journal.db") as source:
            return [decode(entry.data) for entry in source.entries() if entry.seq != but]

    def sealed(self) -> list[Sale]:
        """Every sale that ended, in order."""
        found = [record.body["sale"] for record in self.records() if record.body.get("sale")]
        return [msgspec.convert(sale, Sale) for sale in found]

    def verify_journal(self) -> None:
        keys = Keys(identity_public(self._identity), self._cosign.public_key())
        with Source(self.folder / "lane" / "journal.db") as source:
            report = verify(source.entries(), source.certificates, source.acknowledgements, keys)
            again = replay(source.entries())
        assert report.bad is None, report.bad
        assert again.differences == []
        assert again.sales == len(self.sealed())
        assert 0 < again.receipts <= again.sales
        assert not again.unprovable


def numbers_are_whole(sales: list[Sale]) -> None:
    """Sale numbers rise by one from 1, and so do receipt numbers, over closed sales: none reused, none skipped."""
    assert [sale.sale_no for sale in sales] == list(range(1, len(sales) + 1))
    closed = [sale.receipt_no for sale in sales if sale.state == "closed"]
    assert closed == list(range(1, len(closed) + 1))


def until(condition: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    """For what nobody announces."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)
