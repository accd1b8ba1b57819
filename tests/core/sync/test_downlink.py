"""Catalogue down: the real backend publishes, the lane gets a file that the kiosk can open, or nothing."""

import asyncio
import contextlib
import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import catalogues
from kiosk.records.catalogue import build_db, open_db
from kiosk.records.identity import Enrolment
from kiosk.records.manifest import Manifest, sign
from kiosk.records.sale import Currency, Product
from kiosk.sync.downlink import Downlink
from kiosk.sync.http import HttpBackend
from kiosk.sync.products import judge
from kiosk.sync.versions import Untrusted, in_order
from tests.core.cloud.lane import WALL_MS, Backend
from tests.core.sync.fake_lane import FakeLane

DKK = Currency("DKK", 2)


def products(count: int = 3, price: int = 1000) -> list[Product]:
    return [
        Product(
            f"{57_000_000_000_00 + n:014d}", "gtin", {"en": f"Thing {n}"}, price + n, 2, "each", "standard", 2500, "x"
        )
        for n in range(count)
    ]


def publish(backend: Backend, shop: str = "Nørrebro", **how: Any) -> Manifest:
    service = backend.server.service
    return catalogues.publish(
        service.store, service.keys, lambda: WALL_MS, shop, products(**how), catalogues.Terms(DKK)
    )


class Setting:
    """An enrolled lane with a state folder; `look` runs the downlink once, as a fresh process would."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self.backend = backend
        self.lane = FakeLane(backend.device())
        self.state = folder
        self.built: list[str] = []
        self.enrolment: Enrolment = self.lane.device.enrolment

    @property
    def folder(self) -> Path:
        return self.state / "catalogue"

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"sync.json"}

    def build(self, found: Any, manifest: Manifest, path: Path) -> None:
        self.built.append(manifest.version)
        build_db(found, manifest, path)

    def look(self, *, lane: bool = True) -> bool:
        return asyncio.run(self._look(lane=lane))

    async def _look(self, *, lane: bool) -> bool:
        adapter = HttpBackend(self.enrolment)
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(adapter):
            path = Path(folder) / "lane.sock"
            downlink = Downlink(self.enrolment, self.state, path, adapter, self.build)
            if not lane:
                return await downlink.once()
            async with self.lane.serving(path):
                return await downlink.once()


@pytest.fixture
def setting(backend: Backend, tmp_path: Path) -> Setting:
    return Setting(backend, tmp_path / "state")


def test_a_published_version_arrives_and_the_lane_is_told(backend: Backend, setting: Setting) -> None:
    assert setting.look(), "nothing published is no failure"
    manifest = publish(backend)
    assert setting.look()
    assert setting.lane.catalogues == [manifest.version]
    connection, held = open_db(setting.folder / f"catalogue-{manifest.version}.db", thorough=True)
    connection.close()
    assert (held.version, held.products) == (manifest.version, 3)
    assert setting.files == {f"catalogue-{manifest.version}.db"}


def test_an_unchanged_version_is_not_fetched_again(backend: Backend, setting: Setting) -> None:
    publish(backend)
    for _ in range(3):
        assert setting.look()
    assert len(setting.built) == 1
    assert len(setting.lane.catalogues) == 1


def test_the_etag_spares_the_manifest(backend: Backend, setting: Setting) -> None:
    publish(backend)
    device = setting.lane.device
    path = f"/v1/catalogue/{device.enrolment.shop}"
    first = backend.get(device, path)
    again = backend.get(device, path, If_None_Match=first.headers["ETag"])
    assert (first.status, again.status, again.body) == (200, 304, b"")
    publish(backend, price=7)
    assert backend.get(device, path, If_None_Match=first.headers["ETag"]).status == 200


def test_products_come_packed_or_plain(backend: Backend, setting: Setting) -> None:
    manifest = publish(backend)
    path = f"/v1/catalogue/{manifest.shop}/{manifest.version}"
    plain = backend.get(setting.lane.device, path, Accept_Encoding="identity")
    packed = backend.get(setting.lane.device, path, Accept_Encoding="gzip")
    assert plain.body == packed.body
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.body) + 100


def test_another_shop_and_strangers_get_nothing(backend: Backend, setting: Setting) -> None:
    manifest = publish(backend, shop="Ærø")
    for path in (f"/v1/catalogue/{manifest.shop}", f"/v1/catalogue/{manifest.shop}/{manifest.version}"):
        assert backend.get(setting.lane.device, path).status == 401
        assert backend.call("GET", path).status == 401


def test_the_lane_is_told_again_after_a_crash_before_the_word(backend: Backend, setting: Setting) -> None:
    manifest = publish(backend)
    assert not setting.look(lane=False), "the lane is away"
    assert setting.look()
    assert setting.lane.catalogues == [manifest.version]
    assert len(setting.built) == 1, "the file was there already"


def test_a_crash_while_building_is_healed(backend: Backend, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = publish(backend)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(setting, "build", full)
    assert not setting.look()
    assert setting.files == set()
    assert setting.lane.catalogues == []
    monkeypatch.undo()
    assert setting.look()
    assert setting.lane.catalogues == [manifest.version]


def test_old_versions_go_and_three_stay(backend: Backend, setting: Setting) -> None:
    versions = []
    for price in range(5):
        versions.append(publish(backend, price=100 + price).version)
        assert setting.look()
    assert setting.lane.catalogues == versions
    assert {f"catalogue-{version}.db" for version in versions[-3:]} <= setting.files
    assert len(setting.files) <= 4, "three, and the one the lane sold by a moment ago"


@pytest.mark.parametrize("damage", ["changed", "longer", "shorter", "bomb"])
def test_products_that_are_not_the_signed_ones_are_not_used(backend: Backend, setting: Setting, damage: str) -> None:
    manifest = publish(backend)
    path = catalogues.products_file(backend.store, manifest)
    plain = gzip.decompress(path.read_bytes())
    other: dict[str, Callable[[], bytes]] = {
        "changed": lambda: plain.replace(b"1000", b"0001"),
        "longer": lambda: plain + plain,
        "shorter": lambda: plain[:-1],
        "bomb": lambda: b" " * 50_000_000,
    }
    path.write_bytes(gzip.compress(other[damage](), 1))
    assert not setting.look()
    assert setting.built == []
    assert setting.files == set()
    assert setting.lane.catalogues == []


KEY = Ed25519PrivateKey.generate()
PRESENT = sign(KEY, Manifest("v5", 5, "s", DKK, True, 1, 10, "0" * 64, 0, 0))


def _signed(**change: Any) -> Manifest:
    return sign(KEY, msgspec.structs.replace(PRESENT, signature="", **change))


UNTRUSTED = {
    "unsigned": (msgspec.structs.replace(PRESENT, sequence=6), "not signed"),
    "another key": (sign(Ed25519PrivateKey.generate(), msgspec.structs.replace(PRESENT, sequence=6)), "not signed"),
    "no base64": (msgspec.structs.replace(PRESENT, sequence=6, signature="?"), "base64"),
    "another shop": (_signed(sequence=6, shop="t"), "shop"),
    "older": (_signed(sequence=4, version="v4"), "no step back"),
    "same number, other content": (_signed(sha256="1" * 64), "another catalogue"),
    "a path for a version": (_signed(sequence=6, version="../../etc/x"), "version"),
    "too large": (_signed(sequence=6, size_bytes=2**40), "bytes"),
    "empty": (_signed(sequence=6, size_bytes=0), "bytes"),
}


@pytest.mark.parametrize("name", UNTRUSTED)
def test_manifests_that_are_not_trusted(name: str) -> None:
    from kiosk.records.identity import raw_public

    me = Enrolment("http://x", "t", "s", "S", "1", "d1", 1, "live", "", "", raw_public(KEY))

    def trusted(manifest: Manifest) -> None:
        judge(manifest, me)
        in_order(manifest, PRESENT, me, "catalogue")

    trusted(_signed(sequence=6))
    trusted(PRESENT)
    manifest, message = UNTRUSTED[name]
    with pytest.raises(Untrusted, match=message):
        trusted(manifest)


def test_an_unreadable_note_of_its_own_is_no_obstacle(backend: Backend, setting: Setting) -> None:
    publish(backend)
    assert setting.look()
    (setting.folder / "sync.json").write_bytes(b"{")
    assert setting.look()
    assert len(setting.built) == 1
