"""Real brokers on free ports of loopback, started and ended by their pid, with a store that outlives a restart."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

NATS, MOSQUITTO, PASSWD = "/usr/sbin/nats-server", "/usr/sbin/mosquitto", "/usr/bin/mosquitto_passwd"
_READY_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One process on one port. `start` after `stop` is a restart on the same store."""

    scheme = ""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.extra = extra
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(_READY_S)


class Nats(Server):
    scheme = "nats"

    def _command(self) -> list[str]:
        config = self.folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{self.folder / "store"}" }}\n{self.extra}\n'
        )
        return [NATS, "-c", str(config)]


class Mosquitto(Server):
    scheme = "mqtt"

    def _command(self) -> list[str]:
        config = self.folder / "mosquitto.conf"
        access = "" if "allow_anonymous" in self.extra else "allow_anonymous true"
        # It gives up its rights to a user of its own when it is root's, who then cannot write to the test's folder.
        user = "user root" if os.getuid() == 0 else ""
        config.write_text(f"""\
{user}
persistence true
persistence_location {self.folder}/
autosave_interval 1
autosave_on_changes true
listener {self.port} 127.0.0.1
{access}
{self.extra}
""")
        return [MOSQUITTO, "-c", str(config)]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()
