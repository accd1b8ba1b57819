"""`kassa-provision rotate-key`: a new journal key lies ready, whole or not at all."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from kiosk.lane.keys import StateKeys
from kiosk.records.identity import Enrolment, check_certificate
from provisioning.enrol import keys
from provisioning.enrol.rotate import NotNow, rotate
from provisioning.main import app


@pytest.fixture
def state(tmp_path: Path) -> Path:
    enrolment = Enrolment("", "t", "s", "Shop", "r", "dev-1", 3, "live", "", "", "")
    (tmp_path / "enrolment.json").write_bytes(msgspec.json.encode(enrolment))
    keys.identity(tmp_path)
    keys.journal(tmp_path, 3)
    return tmp_path


def test_the_pair_is_certified_and_for_its_owner_only(state: Path) -> None:
    assert rotate(state) == [3]
    following = StateKeys(state, "dev-1").following(3)
    assert following is not None
    check_certificate(following[1], StateKeys(state, "dev-1").identity_public())
    assert (state / "journal-3.next.key").stat().st_mode & 0o777 == 0o600


def test_an_epoch_that_the_lane_began_by_itself_gets_one_too(state: Path) -> None:
    keys.journal(state, 4711)
    assert rotate(state) == [3, 4711]
    assert keys.newest_epoch(state) == 4711


def test_a_key_without_its_certificate_is_made_again(state: Path) -> None:
    (state / "journal-3.next.key").write_bytes(b"half")
    assert rotate(state) == [3]
    assert StateKeys(state, "dev-1").following(3) is not None


LACKS = {
    "no enrolment": (lambda state: (state / "enrolment.json").unlink(), "enrol the lane first"),
    "a damaged enrolment": (lambda state: (state / "enrolment.json").write_text("{"), "is no enrolment"),
    "no identity": (lambda state: (state / "identity.key").unlink(), "could not be certified"),
    "one that lies ready": (rotate, "lies ready already"),
}


@pytest.mark.parametrize("case", LACKS)
def test_what_is_missing_is_said_in_one_line(state: Path, case: str) -> None:
    spoil, words = LACKS[case]
    spoil(state)
    before = {path.name for path in state.iterdir()}
    with pytest.raises(NotNow, match=words):
        rotate(state)
    said = CliRunner().invoke(app, ["rotate-key", "--state", str(state)])
    assert said.exit_code == 1
    assert len(said.output.splitlines()) == 1
    assert {path.name for path in state.iterdir()} - {".enrol.lock"} == before - {".enrol.lock"}
