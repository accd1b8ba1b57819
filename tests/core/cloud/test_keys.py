"""The backend's counter-signing key and its changes, at whatever point a change was cut off."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud import keys
from cloud.main import app
from kiosk.records.identity import changed, check_acknowledgement, raw_public
from kiosk.records.journal import Head

HEAD = Head("d1", 1, 5, "a" * 64)


def test_whoever_pinned_the_first_key_follows_every_change(tmp_path: Path) -> None:
    first = keys.load_or_make(tmp_path).cosign.public_key()
    for count in range(1, 4):
        change = keys.rotate_cosign(tmp_path)
        now = keys.load_or_make(tmp_path)
        assert (len(now.changes), change.new) == (count, raw_public(now.cosign))
        ack = now.acknowledge(HEAD)
        assert check_acknowledgement(first, "d1", 1, ack) == HEAD
        assert changed(first, ack.changes).public_bytes_raw() == now.cosign.public_key().public_bytes_raw()


def test_a_change_that_was_said_is_brought_to_its_end(tmp_path: Path) -> None:
    keys.load_or_make(tmp_path)
    before = (tmp_path / "cosign.key").read_bytes()
    change = keys.rotate_cosign(tmp_path)
    (tmp_path / "cosign.key").rename(tmp_path / "cosign.next.key")
    (tmp_path / "cosign.key").write_bytes(before)
    assert raw_public(keys.load_or_make(tmp_path).cosign) == change.new
    assert not (tmp_path / "cosign.next.key").exists()


def test_a_change_that_was_not_said_has_not_begun(tmp_path: Path) -> None:
    old = raw_public(keys.load_or_make(tmp_path).cosign)
    (tmp_path / "cosign.next.key").write_bytes((tmp_path / "release.key").read_bytes())
    assert raw_public(keys.load_or_make(tmp_path).cosign) == old
    assert keys.rotate_cosign(tmp_path).old == old


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'[{"old":"","new":"","old_signature":"","new_signature":""}]']
)
def test_a_list_of_changes_that_does_not_fit_is_named(tmp_path: Path, content: bytes) -> None:
    keys.load_or_make(tmp_path)
    (tmp_path / "cosign-changes.json").write_bytes(content)
    with pytest.raises(keys.BadKey, match="cosign"):
        keys.load_or_make(tmp_path)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["keys", "rotate", "--data", str(tmp_path), "--json"])
    assert (said.exit_code, json.loads(said.stdout)["new"]) == (
        0,
        raw_public(keys.load_or_make(tmp_path / "keys").cosign),
    )
    (tmp_path / "keys" / "cosign-changes.json").write_text("x")
    assert CliRunner().invoke(app, ["keys", "rotate", "--data", str(tmp_path)]).exit_code == 1
