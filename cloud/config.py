"""`cloud.toml`: what an operator may set, checked at start."""

import tomllib
from pathlib import Path

import msgspec


class BadConfig(ValueError):
    """The configuration cannot be used; the text names the file, the key and what is allowed."""


class Config(msgspec.Struct, frozen=True):
    """`database`: an SQLAlchemy URL; empty means SQLite in `data`. `token_hours`: how long an enrolment token lives.

    `threads` are shared by uploads, pages and live streams; each open page holds one, at most `live_streams`.
    """

    data: str = ".kassa/cloud"
    host: str = "127.0.0.1"
    port: int = 8090
    database: str = ""
    tenant: str = "main"
    token_hours: int = 24
    threads: int = 24
    live_streams: int = 12

    @property
    def folder(self) -> Path:
        return Path(self.data)


_RANGES = {"port": (0, 65535), "token_hours": (1, 24 * 90), "threads": (4, 256), "live_streams": (1, 128)}


def load(path: Path) -> Config:
    """Read `cloud.toml`. Raises BadConfig."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{path}: cannot be read as TOML: {error}") from None
    allowed = [field.name for field in msgspec.structs.fields(Config)]
    for key, value in found.items():
        if key not in allowed:
            raise BadConfig(f"{path}: unknown key {key!r}; allowed: {', '.join(allowed)}")
        if isinstance(value, int) and key in _RANGES:
            low, high = _RANGES[key]
            if not low <= value <= high:
                raise BadConfig(f"{path}: {key} is {value}; allowed: {low} to {high}")
    try:
        config = msgspec.convert(found, Config)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {error}") from None
    if config.live_streams > config.threads - 4:
        raise BadConfig(f"{path}: live_streams is {config.live_streams}; at most threads - 4 = {config.threads - 4}")
    return config
