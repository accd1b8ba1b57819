"""The serving process: waitress around the application, from ready to a clean stop."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import waitress
from waitress import wasyncore

from cloud import keys
from cloud.clock import Clock, now_ms
from cloud.config import Config
from cloud.neighbours import Neighbours
from cloud.store import Store
from cloud.web.api import MAX_BODY_BYTES
from cloud.web.app import make_app
from cloud.web.service import Service


class Server:
    """Bound at construction (port 0: any), serving between `start` and `stop`. Raises BadKey, OSError, Busy."""

    def __init__(self, config: Config, clock: Clock = now_ms) -> None:
        self.service = Service(
            config, Store(Path(config.data), config.database), keys.load_or_make(_keys(config)), clock
        )
        listener = socket.create_server((config.host, config.port))
        self._channels: dict[int, Any] = {}
        self._waitress: Any = waitress.create_server(
            make_app(self.service),
            map=self._channels,
            sockets=[listener],
            threads=config.threads,
            connection_limit=512,
            channel_timeout=60,
            recv_bytes=64 * 1024,  # of 8 KiB each, a segment's arrival takes as long as its storing
            max_request_body_size=MAX_BODY_BYTES + 64 * 1024,
            ident="kassa-cloud",
            clear_untrusted_proxy_headers=True,
        )
        self.port: int = listener.getsockname()[1]
        self._neighbours = Neighbours(self.service.store, self.service.bell)
        self._thread = threading.Thread(target=self._waitress.run, name="serve", daemon=True)

    def start(self) -> None:
        self._neighbours.start()
        self._thread.start()

    def stop(self) -> None:
        """Requests in hand are finished, open pages are let go. Blocks up to some 10 s."""
        self.service.bell.close()
        self._waitress.task_dispatcher.shutdown()
        if self._thread.is_alive():
            # Only the serving thread may touch its sockets; it returns when it has none left. A request that ends at
            # this moment may have woken it between the two halves of the call: then it is closed already.
            with contextlib.suppress(OSError):
                self._waitress.trigger.pull_trigger(lambda: wasyncore.close_all(self._channels))
            self._thread.join(timeout=5)
        else:
            wasyncore.close_all(self._channels)
        self._neighbours.stop()
        self.service.store.close()


def _keys(config: Config) -> Path:
    return Path(config.data) / "keys"
