"""One process of the lane: started, awaited until it says READY (sd_notify(3)), restarted when it dies, ended."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_S = 10.0
RESTART_WAIT_S = 0.2
MAX_RESTARTS = 20
RESTART_WINDOW_S = 60.0


class StartFailed(Exception):
    """It ended, or did not get ready in time; the text holds its last lines."""


class Process:
    """A named child. Its output goes to `log`, its process id to `pid_file`; `on_restart` is told each time it was
    started anew."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        pid_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        on_restart: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._pid_file = pid_file
        self._environment = dict(environment or {})
        self._on_restart = on_restart
        self._ending = threading.Event()
        self._restarts: list[float] = []
        self._child: subprocess.Popen[bytes] | None = None
        # An abstract socket: no file to clean up, and no limit of 108 bytes on the checkout's path.
        self._notify_name = f"kassa-{os.getpid()}-{name}"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("\0" + self._notify_name)
        self._lock = threading.Lock()  # between a restart and the end
        self._ready = threading.Event()
        self._over = threading.Event()
        # Read for as long as the child lives: a full socket would block the child in its next sd_notify.
        self._listener = threading.Thread(target=self._listen, name=f"notify {name}", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name=f"watch {name}", daemon=True)

    def start(self) -> None:
        """Begin the process; returns at once."""
        self._listener.start()
        self._spawn()
        self._watcher.start()

    def ready(self, timeout_s: float) -> None:
        """Wait for READY=1. Raises StartFailed."""
        if not self._ready.wait(timeout_s):
            raise StartFailed(f"{self.name} was not ready within {timeout_s:.0f} s:\n{self.last_lines()}")
        if self._over.is_set():
            raise StartFailed(f"{self.name} ended at once:\n{self.last_lines()}")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after STOP_S; by pid, and only this child."""
        with self._lock:
            self._ending.set()
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._pid_file.unlink(missing_ok=True)
        self._notify.close()
        if self._watcher.is_alive():
            self._watcher.join()

    def last_lines(self, count: int = 12) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return "(no output)"

    def _spawn(self) -> None:
        environment = {**os.environ, **self._environment, "NOTIFY_SOCKET": "@" + self._notify_name}
        with self._log.open("ab") as log:
            # A group of its own, so that Ctrl-C reaches only us, and the order of ending is ours.
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, process_group=0
            )
        self._pid_file.write_text(f"{self._child.pid}\n")

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                told = self._notify.recv(4096)
            except OSError:
                return
            if b"READY=1" in told.split(b"\n"):
                if self._ready.is_set():
                    self._on_restart(f"{self.name} is ready again")
                self._ready.set()

    def _watch(self) -> None:
        while True:
            assert self._child is not None
            code = self._child.wait()
            if self._ending.is_set():
                return
            now = time.monotonic()
            self._restarts = [at for at in self._restarts if now - at < RESTART_WINDOW_S]
            if len(self._restarts) >= MAX_RESTARTS or (code == 2 and not self._restarts):
                # Exit 2 is "I cannot run with this configuration": trying again changes nothing.
                self._on_restart(f"{self.name} ended with {code} and is not started again; see {self._log}")
                self._over.set()
                self._ready.set()
                return
            self._restarts.append(now)
            self._ending.wait(RESTART_WAIT_S)
            with self._lock:
                if self._ending.is_set():
                    return
                self._on_restart(f"{self.name} ended with {code}; started again")
                self._spawn()
