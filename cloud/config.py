"""`cloud.toml`: what an operator may set, checked at start."""

from pathlib import Path
from typing import Annotated

import msgspec

from kiosk.records import brokers
from kiosk.records.config import BadConfig, load_toml

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_RESERVED_THREADS = 4


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`database`: a PostgreSQL URL; empty means SQLite in `data`. `token_hours`: how long an enrolment token lives.

    `nats` and `mqtt`: the brokers that `kassa-cloud consume` takes lanes' journals from.

    `threads` are shared by uploads, pages and live streams; each open page holds one, at most `live_streams`.
    """

    data: Text = ".kassa/cloud"
    host: Text = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8090
    database: Annotated[str, msgspec.Meta(max_length=500)] = ""
    tenant: Text = "main"
    token_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 90)] = 24
    threads: Annotated[int, msgspec.Meta(ge=6, le=256)] = 24
    live_streams: Annotated[int, msgspec.Meta(ge=1, le=128)] = 12
    nats: brokers.NatsLine = msgspec.field(default_factory=brokers.NatsLine)
    mqtt: brokers.MqttLine = msgspec.field(default_factory=brokers.MqttLine)

    @property
    def folder(self) -> Path:
        return Path(self.data)


def load(path: Path) -> Config:
    """Read `cloud.toml`. Raises BadConfig."""
    config = load_toml(path, Config)
    most = config.threads - _RESERVED_THREADS
    if config.live_streams > most:
        raise BadConfig(f"{path}: live_streams: {config.live_streams}; allowed: at most threads - 4, which is {most}")
    brokers.check("nats", config.nats, path)
    brokers.check("mqtt", config.mqtt, path)
    return config
