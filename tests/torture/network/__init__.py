"""The real uplink against the real backend over a hostile network, with the backend killed -9 and back.

After every session the backend's log must be a prefix of the lane's and hold all that the lane believes delivered; in
the end of each lane's life both must be equal, with every sale once. A tenth of the sessions runs on PostgreSQL.
"""

import asyncio
import contextlib
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

from cloud import keys
from cloud.store import Store
from tests import postgres
from tests.torture.network.lanes import World, life
from tests.torture.network.proxy import Proxy
from tests.torture.network.server import mortal

_LANES = 16
_SESSIONS_OF_A_LIFE = 20
_ON_POSTGRESQL = 10

Progress = Callable[[int, int], None]


def run(sessions: int, seed: int, progress: Progress) -> dict[str, int]:
    """Counters; `lost`, `doubled` and `wrong` must be 0. What was wrong is said on stderr."""
    counters: Counter[str] = Counter(lost=0, doubled=0, wrong=0)
    on_postgresql = sessions // _ON_POSTGRESQL

    def on(database: str, count: int, first: int) -> None:
        _run(database, count, first, seed, counters, lambda: progress(counters["sessions"], sessions))

    with _silent():
        on("", sessions - on_postgresql, 0)
        if on_postgresql:
            with postgres.running() as server:
                on(server.url(server.database()), on_postgresql, sessions)
    return dict(counters)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """A line for every strange answer, and for every call that a killed session left on the lane's socket, would be
    all there is to see."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.reset_defaults()
        logging.disable(before)


def _run(database: str, sessions: int, first: int, seed: int, counters: Counter[str], done: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="kassa-net-", dir=_memory()) as name:
        folder = Path(name)
        store = Store(folder / "cloud", database)
        try:
            world = (store, keys.load_or_make(folder / "cloud" / "keys"), folder, seed, counters, done)
            # On a thread of its own: the caller's may run an event loop already, as a browser's interface does.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(_all(world, database, sessions, first))).result()
        finally:
            store.close()


def _memory() -> str | None:
    """What a killed process wrote stays, on whichever disk; one in memory keeps nobody waiting."""
    shared = Path("/dev/shm")
    return str(shared) if os.access(shared, os.W_OK) else None


async def _all(
    parts: tuple[Store, keys.Keys, Path, int, Counter[str], Callable[[], None]],
    database: str,
    sessions: int,
    first: int,
) -> None:
    store, secrets, folder, seed, counters, done = parts
    async with mortal(folder / "cloud", database) as server, Proxy(server).serving() as proxy:
        world = World(store, secrets, proxy, folder, seed, counters, done)
        length = min(_SESSIONS_OF_A_LIFE, -(-sessions // _LANES))
        lives = iter(range(0, sessions, length))

        async def lives_after_lives() -> None:
            for begin in lives:
                await life(world, first + begin, min(length, sessions - begin))

        await asyncio.gather(*(lives_after_lives() for _ in range(_LANES)))
        counters["requests"] += proxy.requests
        counters["faults"] += proxy.faults.total()
        counters["kinds"] = max(counters["kinds"], len(proxy.faults))
        counters["kills"] += server.kills
