"""Getting in at the brokers: passwords and certificates, right and wrong; and `sync.toml`, which names them."""

import datetime
import ipaddress
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kiosk.records import brokers
from kiosk.records.config import BadConfig
from kiosk.records.identity import Enrolment
from kiosk.sync.backend import Backend as Adapter
from kiosk.sync.backend import Denied, Unreachable
from kiosk.sync.config import load
from kiosk.sync.mqtt import MqttBackend
from kiosk.sync.nats import NatsBackend
from tests.core.cloud.lane import Backend
from tests.core.sync.brokers import PASSWD, Mosquitto, Nats, Server, running

SECRET = "correct horse battery staple"
NOBODY_THERE = "kassa-cloud consume"


@pytest.fixture(params=["nats", "mqtt"])
def locked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A broker that wants user and password."""
    if request.param == "nats":
        server: Server = Nats(tmp_path / "n", f'authorization {{ user: lane, password: "{SECRET}" }}')
    else:
        passwords = tmp_path / "passwd"
        subprocess.run([PASSWD, "-c", "-b", str(passwords), "lane", SECRET], check=True)
        server = Mosquitto(tmp_path / "m", f"allow_anonymous false\npassword_file {passwords}")
    with running(server):
        yield server


def adapter(server: Server, me: Enrolment, **line: str) -> Adapter:
    if isinstance(server, Nats):
        return NatsBackend(me, brokers.NatsLine(servers=[server.address], **line), answer_time_s=5)
    return MqttBackend(me, brokers.MqttLine(server=server.address, **line), answer_time_s=5)


def tried(made: Adapter, backend: Backend) -> object:
    device = backend.device(reg="9")
    device.append()
    try:
        return made.send(device.segment(1, 1))
    finally:
        made.close()


def test_the_right_password_from_a_file_opens(locked: Server, backend: Backend, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    answer = tried(adapter(locked, backend.device().enrolment, user="lane", password=str(file)), backend)
    assert isinstance(answer, Unreachable)
    assert NOBODY_THERE in answer.message


def test_the_right_password_as_a_credential_opens(
    locked: Server, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broker").write_text(SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    answer = tried(adapter(locked, backend.device().enrolment, user="lane", password="broker"), backend)
    assert isinstance(answer, Unreachable)
    assert NOBODY_THERE in answer.message


@pytest.mark.parametrize("line", [{}, {"user": "lane", "password": "wrong"}], ids=["none", "wrong"])
def test_without_the_right_password_it_is_denied(
    locked: Server, backend: Backend, tmp_path: Path, line: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    if line:
        (tmp_path / "wrong").write_text("not it, and secret")
        line = line | {"password": str(tmp_path / "wrong")}
    enrolment = backend.device().enrolment
    # The broker hangs up at once, and its word may be lost with the line: then the lane tries again, as here.
    answers = (tried(adapter(locked, enrolment, **line), backend) for _ in range(5))
    answer = next((answer for answer in answers if not isinstance(answer, Unreachable)), None)
    assert isinstance(answer, Denied), answer
    assert "not it" not in answer.message
    assert "not it" not in "".join(capsys.readouterr())


def authority(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """A certificate authority, and a certificate of it for 127.0.0.1: files of the authority, certificate and key."""
    now = datetime.datetime.now(datetime.UTC)

    def issue(
        subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, ca: bool
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return made.sign(signer, hashes.SHA256())

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    files = (folder / f"{name}.ca", folder / f"{name}.pem", folder / f"{name}.key")
    pem = serialization.Encoding.PEM
    files[0].write_bytes(issue(name, root, name, root, True).public_bytes(pem))
    files[1].write_bytes(issue("127.0.0.1", leaf, name, root, False).public_bytes(pem))
    files[2].write_bytes(leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


# The MQTT library leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["nats", "mqtt"])
def test_only_a_broker_of_the_trusted_authority_is_spoken_to(kind: str, backend: Backend, tmp_path: Path) -> None:
    ca, certificate, key = authority(tmp_path, "ours")
    other, *_ = authority(tmp_path, "others")
    if kind == "nats":
        server: Server = Nats(tmp_path / "n", f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}')
        server.scheme = "tls"
    else:
        server = Mosquitto(tmp_path / "m", f"certfile {certificate}\nkeyfile {key}")
        server.scheme = "mqtts"
    with running(server):
        good = tried(adapter(server, backend.device(reg="1").enrolment, ca=str(ca)), backend)
        assert isinstance(good, Unreachable)
        assert NOBODY_THERE in good.message
        bad = tried(adapter(server, backend.device(reg="2").enrolment, ca=str(other)), backend)
        assert isinstance(bad, Unreachable)
        assert NOBODY_THERE not in bad.message


BAD: dict[str, tuple[str, str]] = {
    "backend": ('backend = "kafka"', "backend: "),
    "key": ("[nats]\nserver = 1", "unknown key 'nats.server'; allowed: "),
    "scheme": ('[nats]\nservers = ["http://a:1"]', "allowed: nats://HOST:PORT or tls://HOST:PORT"),
    "none": ("[nats]\nservers = []", "nats.servers: is empty"),
    "user in the address": ('[mqtt]\nserver = "mqtts://lane:hunter2@a"', "holds a user or password"),
    "port": ('[mqtt]\nserver = "mqtts://a:99999"', "mqtt.server: is no address"),
    "clear text": (
        '[mqtt]\nserver = "mqtt://10.0.0.1"\nuser = "u"\npassword = "/p"',
        "credentials would go to mqtt://10.0.0.1 unencrypted; allowed: mqtts://",
    ),
    "half a certificate": ('[mqtt]\ncertificate = "/c"', "certificate and key go together"),
    "user alone": ('[nats]\nuser = "u"', "nats.password: is missing"),
    "stream": ('[nats]\nstream = "a.b"', "nats.stream: "),
    "events": ('[cloudevents]\nurl = "ftp://a"', "cloudevents.url"),
    "bearer": ('[cloudevents]\nurl = "http://10.0.0.1/"\nbearer = "/b"', "unencrypted; allowed: https://"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_sync_toml_is_named(case: str, tmp_path: Path) -> None:
    text, words = BAD[case]
    file = tmp_path / "sync.toml"
    file.write_text(text)
    with pytest.raises(BadConfig) as error:
        load(file)
    assert words in str(error.value)
    assert str(file) in str(error.value)
    assert "hunter2" not in str(error.value)


def test_without_a_file_the_own_http_api_is_used() -> None:
    assert load(None).backend == "http"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("{}/none", None, "No such file"),
        ("relative/path", None, "allowed: an absolute path"),
        ("credential", None, "a credential that the unit loads"),
        ("{}/empty", b"", "one line"),
        ("{}/two", b"a\nb", "one line"),
        ("{}/long", b"x" * 5000, "4096"),
        ("{}/binary", b"\xff", "is not UTF-8"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_named(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    path = name.format(tmp_path)
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(BadConfig, match=words):
        brokers.secret(path)
