"""One lane's life behind the proxy: sessions of the real uplink, and after each of them a look at both logs."""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from cloud import schema
from cloud.keys import Keys
from cloud.store import Store
from kiosk.sync.http import HttpBackend
from kiosk.sync.uplink import Uplink
from tests.core.cloud.lane import enrolled
from tests.core.sync.fake_lane import FakeLane
from tests.torture.network.proxy import Line, Proxy

_READ_TIMEOUT_S = 1.0
_PATIENCE_S = 30.0
_EMPTY = (schema.quarantine, schema.alarms)


@dataclass
class World:
    """What all lanes share. `store`: the backend's own database, looked into from outside."""

    store: Store
    keys: Keys
    proxy: Proxy
    folder: Path
    seed: int
    counters: Counter[str]
    done: Callable[[], None]


async def life(world: World, number: int, sessions: int) -> None:
    """A new lane, so many sessions, and a last one over a calm line: then both logs must be equal."""
    rng = random.Random(f"{world.seed}/{number}")
    address = f"http://127.0.0.1:{world.proxy.port}"
    lane = FakeLane(enrolled(world.store, world.keys, address, f"r{number}"))
    line = world.proxy.lines[lane.device.enrolment.dev] = Line(random.Random(f"{world.seed}/{number}/line"))
    path = world.folder / f"{number}.sock"
    async with lane.serving(path):
        for _ in range(sessions):
            await _session(world, lane, path, rng)
            _look(world, lane)
            world.counters["sessions"] += 1
            world.done()
        line.calm, line.late_answer = True, None
        await _session(world, lane, path, None)
    _look(world, lane, last=True)
    del world.proxy.lines[lane.device.enrolment.dev]


async def _session(world: World, lane: FakeLane, path: Path, rng: random.Random | None) -> None:
    """sync starts, sells go on beside it, and it ends: with everything up, or killed at any moment."""
    adapter = HttpBackend(lane.device.enrolment, read_timeout_s=_READ_TIMEOUT_S)
    uplink = Uplink(lane.device.enrolment, path, adapter, luck=lambda: 0.0)
    if rng is not None:
        _sell(lane, rng)
    task = asyncio.create_task(uplink.run())
    try:
        if rng is not None and rng.random() < 0.3:
            await asyncio.wait([task], timeout=rng.random() * 0.05)
        else:
            if rng is not None and rng.random() < 0.3:
                await asyncio.sleep(rng.random() * 0.01)
                _sell(lane, rng)
                await lane.wake()
            await lane.until_acked(len(lane.device.records), _PATIENCE_S)
    except TimeoutError:
        _wrong(world, "lost", lane, f"{lane.acked} of {len(lane.device.records)} acknowledged in {_PATIENCE_S:.0f} s")
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        adapter.close()
    if uplink.state.halt:
        _wrong(world, "wrong", lane, f"the line made it halt: {uplink.state.halt}")


def _sell(lane: FakeLane, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.3:
            lane.device.append_sale(len(lane.device.records) + 1)
        else:
            lane.device.append()


def _look(world: World, lane: FakeLane, *, last: bool = False) -> None:
    """The backend's log is a prefix of the lane's, and holds all that the lane believes it to hold."""
    acked, mine = lane.acked, lane.device.records
    held, sales, beside = _held(world.store, lane.device.enrolment.dev)
    world.counters["looks"] += 1
    if held != mine[: len(held)]:
        _wrong(world, "wrong", lane, f"the backend's log of {len(held)} records is no prefix of the lane's")
    if acked > len(held):
        _wrong(world, "lost", lane, f"record {acked} is acknowledged, the backend holds {len(held)}")
    closed = sum(b'"typ":"sale.closed"' in record for record in mine[: len(held)])
    if sales != closed:
        _wrong(world, "doubled" if sales > closed else "lost", lane, f"{sales} sales of {closed}")
    if beside:
        _wrong(world, "wrong", lane, f"{beside} alarms or records in quarantine")
    if last:
        world.counters["records"] += len(held)
        if len(held) != len(mine):
            _wrong(world, "lost", lane, f"the backend holds {len(held)} of {len(mine)} records in the end")


def _held(store: Store, dev: str) -> tuple[list[bytes], int, int]:
    """The log by place (a hole or a second record at one place would shift it), its sales, and what lies beside."""
    table = schema.records
    with store.read() as connection:
        rows = connection.execute(
            sa.select(table.c.seq, table.c.data).where(table.c.dev == dev).order_by(table.c.ep, table.c.seq)
        ).all()
        sales = _count(connection, schema.sales, dev)
        beside = sum(_count(connection, other, dev) for other in _EMPTY)
    return [data if seq == place else b"" for place, (seq, data) in enumerate(rows, start=1)], sales, beside


def _count(connection: sa.Connection, table: sa.Table, dev: str) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.dev == dev)) or 0)


def _wrong(world: World, kind: str, lane: FakeLane, what: str) -> None:
    world.counters[kind] += 1
    sys.stderr.write(f"network: seed {world.seed}: {lane.device.enrolment.reg}: {what}\n")
