"""The shop's settings down: what the real backend signs arrives as it is, never an older or a foreign one."""

from pathlib import Path

import msgspec
import pytest

from cloud import staff
from kiosk.records.identity import public_key
from kiosk.records.settings import Settings, SignedSettings, file_name, read_file
from tests.core.cloud.lane import WALL_MS, Backend
from tests.core.sync.test_downlink import Setting

SHOP = "Nørrebro"


@pytest.fixture
def setting(backend: Backend, tmp_path: Path) -> Setting:
    return Setting(backend, tmp_path / "state")


def hire(backend: Backend, shop: str = SHOP) -> Settings:
    service = backend.server.service
    badge = staff.new_badge()
    return staff.add(
        service.store, service.keys, lambda: WALL_MS, shop, badge=badge, pin="2580", roles=("approve", "void")
    )[1]


def test_a_version_arrives_signed_as_it_was_and_the_lane_is_told(backend: Backend, setting: Setting) -> None:
    made = hire(backend)
    assert setting.look()
    assert setting.lane.settings == [made.version]
    path = setting.state / "settings" / file_name(made.version)
    assert read_file(path, public_key(setting.enrolment.release_key)) == made


def test_an_unchanged_version_is_told_once(backend: Backend, setting: Setting) -> None:
    hire(backend)
    for _ in range(3):
        assert setting.look()
    assert len(setting.lane.settings) == 1


def test_a_version_of_another_key_or_an_older_one_is_not_taken(backend: Backend, setting: Setting) -> None:
    first = hire(backend)
    second = hire(backend)
    assert setting.look()
    service = backend.server.service
    from cloud import schema

    table = schema.settings
    with service.store.write() as connection:
        connection.execute(table.delete().where(table.c.sequence == second.sequence))
    assert not setting.look(), "a step back"
    forged = staff.newest(service.store, first.shop)
    assert forged is not None
    changed = SignedSettings(forged.document.replace('"sequence":1', '"sequence":9'), forged.signature)
    with service.store.write() as connection:
        connection.execute(
            table.insert().values(shop=first.shop, sequence=9, signed=msgspec.json.encode(changed).decode())
        )
    assert not setting.look(), "signed by nobody"
    assert setting.lane.settings == [second.version]
    assert {path.name for path in (setting.state / "settings").glob("settings-*")} == {file_name(second.version)}


def test_settings_do_not_wait_for_a_catalogue_that_cannot_be_taken(backend: Backend, setting: Setting) -> None:
    from tests.core.sync.test_downlink import publish

    publish(backend)
    made = hire(backend)
    (setting.state / "catalogue").parent.mkdir(parents=True, exist_ok=True)
    (setting.state / "catalogue").write_text("in the way")
    assert not setting.look()
    assert setting.lane.settings == [made.version]


def test_other_shops_and_strangers_get_nothing(backend: Backend, setting: Setting) -> None:
    made = hire(backend, "Ærø")
    assert backend.get(setting.lane.device, f"/v1/config/{made.shop}").status == 401
    assert backend.call("GET", f"/v1/config/{made.shop}").status == 401
