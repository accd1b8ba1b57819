"""How to reach a broker: the same sections in `sync.toml` and `cloud.toml`, checked at start.

A password is never written there: `password` names a file, or a systemd credential (systemd.exec(5), LoadCredential=).
"""

import ipaddress
import os
import ssl
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from kiosk.records.config import BadConfig

Text = Annotated[str, msgspec.Meta(max_length=200)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
_MAX_SECRET_BYTES = 4096
_TLS = ("tls", "mqtts", "https")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`password`: an absolute path, or the name of a systemd credential. `ca`: PEM file of the authorities that are
    trusted instead of the system's. `certificate` and `key`: PEM files, where the broker asks for a client's."""

    user: Text = ""
    password: Text = ""
    ca: Text = ""
    certificate: Text = ""
    key: Text = ""


class NatsLine(Line, frozen=True, forbid_unknown_fields=True):
    """`servers`: `tls://host:4222`, or `nats://` on this machine. `stream`: of JetStream, made if it is missing."""

    servers: list[Url] = msgspec.field(default_factory=lambda: ["nats://127.0.0.1:4222"])
    stream: Annotated[str, msgspec.Meta(pattern="^[0-9A-Za-z_-]{1,64}$")] = "KASSA"


class MqttLine(Line, frozen=True, forbid_unknown_fields=True):
    """`server`: `mqtts://host:8883`, or `mqtt://` on this machine."""

    server: Url = "mqtt://127.0.0.1:1883"


def check(section: str, line: NatsLine | MqttLine, file: Path) -> None:
    """Raises BadConfig for addresses and options that do not go together."""
    servers, schemes = (
        (line.servers, ("nats", "tls")) if isinstance(line, NatsLine) else ([line.server], ("mqtt", "mqtts"))
    )
    name = f"{file}: {section}"
    if not servers:
        raise BadConfig(f"{name}.servers: is empty; allowed: at least one {schemes[1]}://HOST:PORT")
    for server in servers:
        check_url(f"{name}.{'servers' if isinstance(line, NatsLine) else 'server'}", server, schemes)
        if line.password or line.key:
            check_private(name, server, schemes[1])
    if bool(line.certificate) != bool(line.key):
        raise BadConfig(f"{name}: certificate and key go together; allowed: both or neither")
    if line.user and not line.password:
        raise BadConfig(f"{name}.password: is missing; allowed: an absolute path, or a systemd credential's name")


def check_url(key: str, url: str, schemes: tuple[str, ...]) -> None:
    """Raises BadConfig. A password in an address would be seen in logs: it is refused, and not repeated."""
    allowed = " or ".join(f"{scheme}://HOST:PORT" for scheme in schemes)
    try:
        parts = urlsplit(url)
        good = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        raise BadConfig(f"{key}: is no address; allowed: {allowed}") from None
    if parts.username is not None or parts.password is not None:
        raise BadConfig(f"{key}: holds a user or password; allowed: {allowed}, with user and password as keys")
    if not good:
        raise BadConfig(f"{key}: {url!r}; allowed: {allowed}")


def check_private(key: str, url: str, scheme: str) -> None:
    """Raises BadConfig when credentials would go over a network in clear text."""
    if not _private(url):
        raise BadConfig(f"{key}: credentials would go to {url} unencrypted; allowed: {scheme}://")


def _private(url: str) -> bool:
    """Encrypted, or it does not leave this machine."""
    parts = urlsplit(url)
    if parts.scheme in _TLS or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


class Address(msgspec.Struct, frozen=True):
    host: str
    port: int
    encrypted: bool


def mqtt_address(line: MqttLine) -> Address:
    parts = urlsplit(line.server)
    encrypted = parts.scheme in _TLS
    return Address(parts.hostname or "", parts.port or (8883 if encrypted else 1883), encrypted)


def nats_options(line: NatsLine, name: str) -> dict[str, Any]:
    """For `nats.connect`. Each server is tried twice and then it fails: who calls decides when to try again, so that
    nothing is published later than its sender believes. Raises BadConfig. Blocks for the files."""
    options: dict[str, Any] = {
        "servers": line.servers,
        "name": name,
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0.1,
        "connect_timeout": 5,
    }
    if line.password:
        options |= (
            {"user": line.user, "password": secret(line.password)} if line.user else {"token": secret(line.password)}
        )
    if any(urlsplit(server).scheme in _TLS for server in line.servers):
        options["tls"] = tls(line)
    return options


def secret(name: str) -> str:
    """What the file or credential holds, without its last line feed. Blocks. Raises BadConfig; never tells content."""
    if not name:
        return ""
    path = Path(name)
    if not path.is_absolute():
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder is None or "/" in name:
            raise BadConfig(f"password {name!r}: allowed: an absolute path, or a credential that the unit loads")
        path = Path(folder) / name
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SECRET_BYTES + 1)
        text = data.decode().removesuffix("\n")
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadConfig(f"{path}: is not UTF-8") from None
    if not 1 <= len(text) <= _MAX_SECRET_BYTES or not text.isprintable():
        raise BadConfig(f"{path}: allowed: one line of 1 to {_MAX_SECRET_BYTES} printable characters")
    return text


def tls(line: Line) -> ssl.SSLContext:
    """Certificates are always verified. Blocks for the files. Raises BadConfig."""
    try:
        context = ssl.create_default_context(cafile=line.ca or None)
        if line.certificate:
            context.load_cert_chain(line.certificate, line.key)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(file for file in (line.ca, line.certificate, line.key) if file)
        raise BadConfig(f"{files or 'TLS'}: {error.strerror or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
