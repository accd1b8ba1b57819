"""Common form of the drivers' options in `hal.toml`, and the value ranges several of them share."""

from typing import Annotated

import msgspec
from msgspec import Meta

Host = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:_-]+$")]
Port = Annotated[int, Meta(ge=1, le=65535)]
AbsolutePath = Annotated[str, Meta(max_length=4096, pattern="^/")]


class DeviceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields are the keyword arguments of the driver; ranges are stated with `msgspec.Meta`."""

    @property
    def watched_path(self) -> str | None:
        """File whose appearance means that the device was plugged in, if there is one."""
        return None
