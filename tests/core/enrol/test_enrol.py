"""Enrolment of a state folder against the real backend, and against servers that are none."""

import contextlib
import json
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import schema
from cloud.devices import revoke
from kiosk.records.identity import Enrolment, KeyCertificate, check_certificate, identity_public
from provisioning.enrol import enrol as steps
from provisioning.enrol import files
from provisioning.enrol.backend import EnrolmentFailed, check_address
from provisioning.enrol.enrol import AlreadyEnrolled, enrol
from tests.core.cloud.lane import WALL_MS, Backend, Device, running


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    with running(tmp_path / "cloud") as found:
        yield found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def load(state: Path) -> Device:
    """The lane as its own processes will find it."""
    enrolment = msgspec.json.decode((state / "enrolment.json").read_bytes(), type=Enrolment)
    identity = serialization.load_pem_private_key((state / "identity.key").read_bytes(), None)
    key = serialization.load_pem_private_key((state / f"journal-{enrolment.ep}.key").read_bytes(), None)
    assert isinstance(identity, ec.EllipticCurvePrivateKey)
    assert isinstance(key, Ed25519PrivateKey)
    return Device(enrolment, identity, key)


def test_an_enrolled_folder_holds_what_a_lane_needs_and_can_upload(backend: Backend, state: Path) -> None:
    answer = enrol(backend.url + "/", backend.token(shop="Kiosk Ærø", reg="7"), state)
    device = load(state)
    assert (answer.shop, answer.shop_name, answer.reg, answer.ep) == ("kiosk-aero", "Kiosk Ærø", "7", 1)
    assert device.enrolment.backend == backend.url
    certificate = msgspec.json.decode((state / "journal-1.cert.json").read_bytes(), type=KeyCertificate)
    check_certificate(certificate, identity_public(device.identity))
    for name in ("identity.key", "journal-1.key", "enrolment.json"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert not list(state.glob(".*.????????")), "no temporary file is left"
    device.append()
    assert backend.upload(device, device.segment(1, 1)).status == 200


def test_no_secret_lies_in_the_database(backend: Backend, state: Path) -> None:
    token = backend.token()
    answer = enrol(backend.url, token, state)
    backend.stop()
    try:
        stored = b"".join(path.read_bytes() for path in (state.parent / "cloud").glob("cloud.db*"))
    finally:
        backend.start()
    assert token.encode() not in stored
    assert answer.device_token.encode() not in stored
    assert answer.dev.encode() in stored


def test_the_lost_answer_is_given_again_to_the_same_key_only(backend: Backend) -> None:
    identity, token = ec.generate_private_key(ec.SECP256R1()), backend.token()
    first, second = backend.ask(token, identity), backend.ask(token, identity)
    assert first.status == second.status == 200
    assert first.body == second.body
    other = backend.ask(token, ec.generate_private_key(ec.SECP256R1()))
    assert (other.status, other.json["error"]) == (403, "token_used")
    assert len(backend.rows(schema.epochs)) == 1


@pytest.mark.parametrize("step", ["identity.pub", "journal-1.key", "journal-1.cert.json", "enrolment.json"])
def test_a_crash_at_any_file_is_healed_by_the_same_command(
    backend: Backend, state: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    real = files.write

    def cut(path: Path, data: bytes, mode: int = 0o600) -> None:
        if path.name == step:
            raise PowerCut
        real(path, data, mode)

    token = backend.token()
    for module in ("files", "keys"):
        monkeypatch.setattr(f"provisioning.enrol.{module}.write", cut)
    with pytest.raises(PowerCut):
        enrol(backend.url, token, state)
    assert not (state / "enrolment.json").exists()
    monkeypatch.undo()
    assert enrol(backend.url, token, state).ep == 1
    assert load(state).certificate.key
    assert len(backend.rows(schema.epochs)) == 1


def test_the_same_command_again_changes_nothing_and_another_needs_replace(backend: Backend, state: Path) -> None:
    token = backend.token()
    first = enrol(backend.url, token, state)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    assert enrol(backend.url, token, state) == first
    with pytest.raises(AlreadyEnrolled, match="--replace"):
        enrol(backend.url, backend.token(), state)
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before


def test_replace_keeps_the_identity_and_gets_a_new_epoch(backend: Backend, state: Path) -> None:
    first = enrol(backend.url, backend.token(), state)
    old = load(state)
    old.append()
    assert backend.upload(old, old.segment(1, 1)).status == 200
    again = enrol(backend.url, backend.token(), state, replace=True)
    assert (again.dev, again.ep) == (first.dev, first.ep + 1)
    assert (state / "journal-1.key").exists()
    old.append()
    assert backend.upload(old, old.segment(2, 2)).status == 410


def test_a_replacement_device_goes_on_with_the_registers_numbers(backend: Backend, tmp_path: Path) -> None:
    first = enrol(backend.url, backend.token(), tmp_path / "one")
    assert (first.next_sale_no, first.next_receipt_no) == (1, 1)
    device = load(tmp_path / "one")
    for number in (1, 2, 3):
        device.append_sale(number)
    assert backend.upload(device, device.segment(1, 3)).status == 200
    second = enrol(backend.url, backend.token(), tmp_path / "two")
    assert second.dev != first.dev
    assert (second.reg, second.ep, second.next_sale_no, second.next_receipt_no) == (first.reg, 2, 4, 4)
    third = enrol(backend.url, backend.token(reg="2"), tmp_path / "three")
    assert (third.ep, third.next_sale_no) == (1, 1), "another register has its own numbers"


REFUSALS = {"unknown": "not known", "expired": "expired", "revoked": "revoked"}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_why(backend: Backend, state: Path, case: str) -> None:
    token = backend.token() if case != "unknown" else "AAAAA-AAAAA-AAAAA-AAAAA"
    if case == "expired":
        backend.now_ms = WALL_MS + 25 * 3_600_000
    if case == "revoked":
        revoke(backend.store, lambda: 1, enrol(backend.url, token, state).dev)
        token = backend.token()
    with pytest.raises(EnrolmentFailed, match=REFUSALS[case]):
        enrol(backend.url, token, state, replace=True)


def test_a_copied_request_is_worth_nothing_without_the_key(backend: Backend) -> None:
    from kiosk.records.identity import EnrolmentRequest, prove

    token, mine, theirs = backend.token(), *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    request = EnrolmentRequest(token, identity_public(mine), prove(theirs, token))
    answer = backend.call("POST", "/v1/enrol", msgspec.json.encode(request), Content_Type="application/json")
    assert (answer.status, answer.json["error"]) == (403, "bad_proof")
    assert backend.ask(token, mine).status == 200, "the token was not spent"


def test_guessing_is_braked(backend: Backend) -> None:
    identity = ec.generate_private_key(ec.SECP256R1())
    statuses = [backend.ask(f"AAAAA-{n}", identity).status for n in range(25)]
    assert statuses == [403] * 20 + [429] * 5
    answer = backend.ask(backend.token(), identity)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
    backend.now_ms = WALL_MS + 61_000
    assert backend.ask(backend.token(), identity).status == 200


@contextlib.contextmanager
def scripted(status: int, content_type: str, body: bytes, *, length: int | None = None) -> Iterator[str]:
    """A server that always gives the same answer, and closes; `length`: what it claims the body to be."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


STRANGE = {
    "html with 200": (200, "text/html", b"<html>Please log in to the hotel</html>", None, "text/html.*no enrolment"),
    "truncated json": (200, "application/json", b'{"backend": "x', None, "no enrolment"),
    "cut connection": (200, "application/json", b'{"backend": "x', 500, "cannot be reached"),
    "a huge answer": (200, "application/json", b" " * 100_000, None, "more than 65536 bytes"),
    "a redirect": (302, "text/html", b"", None, "HTTP 302"),
    "another service": (404, "text/html", b"not found", None, "HTTP 404 without a reason"),
    "busy": (503, "application/json", b'{"error":"busy","message":"later"}', None, "busy: later"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_server_that_is_no_backend_becomes_one_clear_line(state: Path, name: str) -> None:
    status, content_type, body, length, message = STRANGE[name]
    with scripted(status, content_type, body, length=length) as url, pytest.raises(EnrolmentFailed, match=message):
        enrol(url, "T", state)
    assert (state / "identity.key").exists()
    assert not (state / "enrolment.json").exists()


def test_an_unreachable_backend_may_be_asked_again(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EnrolmentFailed, match="cannot be reached") as caught:
        enrol(f"http://127.0.0.1:{port}", "T", state)
    assert caught.value.again


@pytest.mark.parametrize("address", ["http://kassa.example.com", "ftp://x", "kassa", "https://u:p@x", "http://[", ""])
def test_addresses_that_are_not_allowed(address: str) -> None:
    with pytest.raises(EnrolmentFailed):
        check_address(address)


@pytest.mark.parametrize("address", ["https://kassa.example.com/base/", "http://localhost:8090", "http://[::1]:80"])
def test_addresses_that_are_allowed(address: str) -> None:
    assert check_address(address) == address.rstrip("/")


def test_two_enrolments_of_one_folder_do_not_mix(state: Path) -> None:
    state.mkdir()
    with files.locked(state), pytest.raises(EnrolmentFailed, match="another enrolment"):
        steps.enrol("http://127.0.0.1:1", "T", state)


def test_the_command_prints_one_line_and_no_secret(backend: Backend, state: Path) -> None:
    command = [sys.executable, "-m", "provisioning.main", "enrol", "--backend", backend.url, "--state", str(state)]
    done = subprocess.run(
        [*command, "--token", "-", "--json"], input=backend.token(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ep"] == 1
    assert load(state).enrolment.device_token not in done.stdout + done.stderr
    wrong = subprocess.run([*command, "--token", "nope"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("kassa-provision: ")
    assert wrong.stderr.count("\n") == 1
