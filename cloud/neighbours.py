"""Several serving processes on one PostgreSQL: what changed in one is shown by the pages of all.

LISTEN and NOTIFY on a connection of their own, at most some times a second: a NOTIFY within an upload's transaction
would make all uploads commit one after the other. A ring that is lost costs a page some seconds, no more.
"""

import threading

import psycopg
import structlog

from cloud.live import Bell
from cloud.store import Busy, Store

log = structlog.get_logger()
_STEP_S = 0.2
_AGAIN_S = 5.0


class Neighbours:
    """On SQLite there are none, and nothing runs. To be stopped before the store is closed."""

    def __init__(self, store: Store, bell: Bell) -> None:
        self._store = store
        self._bell = bell
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)
        bell.on_ring = self._rung.set

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Blocks up to a second."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                line = self._store.line()
                if line is None:
                    return
                with line:
                    self._exchange(line)
            except (Busy, psycopg.Error) as error:
                log.warning("neighbours", message=str(error))
                self._stopping.wait(_AGAIN_S)

    def _exchange(self, line: "psycopg.Connection[tuple[object, ...]]") -> None:
        line.execute("LISTEN kassa_change")
        me = line.info.backend_pid
        while not self._stopping.is_set():
            if any([notice.pid != me for notice in line.notifies(timeout=_STEP_S)]):
                self._bell.chime()
            if self._rung.is_set():
                self._rung.clear()
                line.execute("NOTIFY kassa_change")
