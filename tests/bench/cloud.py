"""The real backend as a process of its own, on a durable PostgreSQL, and a device's uploads to it."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cloud import keys
from cloud.store import Store
from kiosk.records.identity import Enrolment
from kiosk.records.segment import CONTENT_TYPE
from tests import postgres
from tests.core.cloud.lane import Device, enrolled


class Cloud:
    """`database`: the server's own, for a look from outside; `postgres`: where it is, with room for more."""

    def __init__(self, folder: Path, server: postgres.Postgres, url: str, address: str) -> None:
        self.postgres = server
        self.folder = folder
        self.address = address
        self.store = Store(folder, url)
        self._keys = keys.load_or_make(folder / "keys")

    def device(self, reg: str) -> Device:
        return enrolled(self.store, self._keys, self.address, reg)

    def close(self) -> None:
        self.store.close()


@contextlib.contextmanager
def running(folder: Path | None = None) -> Iterator[Cloud]:
    """`folder`: on the disk in question."""
    with tempfile.TemporaryDirectory(dir=folder) as name, postgres.running(durable=True, folder=folder) as server:
        data, url = Path(name) / "cloud", server.url(server.database())
        (Path(name) / "cloud.toml").write_text(f'data = "{data}"\ndatabase = "{url}"\nport = 0\n')
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud.main", "serve", "--config", str(Path(name) / "cloud.toml")],
            stderr=subprocess.PIPE,
        )
        try:
            assert process.stderr is not None
            cloud = Cloud(data, server, url, json.loads(process.stderr.readline())["address"])
            try:
                yield cloud
            finally:
                cloud.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


class Uploader:
    """One kept connection. `enrolments` may change from upload to upload. Raises AssertionError for a refusal."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)

    def upload(self, me: Enrolment, body: bytes) -> bytes:
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {me.device_token}"}
        self._connection.request("POST", f"/v1/journal/{me.dev}/{me.ep}", body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
        return said

    def close(self) -> None:
        self._connection.close()
