"""One contract, four carriers: what every adapter promises, against its real server and the real ingest."""

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud import schema
from cloud.devices import revoke
from kiosk.records.identity import Enrolment
from kiosk.sync.backend import (
    Accepted,
    Denied,
    Fork,
    Gap,
    Rejected,
    Stale,
    TooLarge,
    Unreachable,
)
from kiosk.sync.backend import Backend as Adapter
from kiosk.sync.uplink import Uplink
from tests.core.cloud.lane import Backend, Device, running
from tests.core.cloud.test_ingest import fork_of
from tests.core.sync.carriers import CARRIERS, Carrier
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.test_uplink import until


@pytest.fixture(scope="module", params=CARRIERS)
def carrier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrier]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(folder / "cloud") as cloud:
        made = CARRIERS[request.param](cloud, folder)
        try:
            yield made
        finally:
            made.close()


_registers = iter(range(1, 10_000))


def filled(cloud: Backend, count: int) -> Device:
    """A device at a register of its own: the server is shared by the tests of a carrier."""
    device = cloud.device(reg=str(next(_registers)))
    for _ in range(count):
        device.append()
    return device


@contextlib.contextmanager
def adapter_of(carrier: Carrier, me: Enrolment, answer_s: float = 5.0) -> Iterator[Adapter]:
    made = carrier.adapter(me, answer_s)
    try:
        yield made
    finally:
        made.close()


def accepted(device: Device, answer: object, hwm: int) -> None:
    assert isinstance(answer, Accepted), answer
    assert answer.ack.hwm == hwm
    device.verify(answer.ack)


def test_segments_are_taken_in_order_and_counter_signed(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 9)
    with adapter_of(carrier, device.enrolment) as adapter:
        for first, last in ((1, 3), (4, 4), (5, 9)):
            accepted(device, adapter.send(device.segment(first, last, certificate=first == 1)), last)
    assert carrier.cloud.held(device) == device.records


def test_a_segment_sent_again_is_answered_again_and_held_once(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 3)
    with adapter_of(carrier, device.enrolment) as adapter:
        for _ in range(3):
            accepted(device, adapter.send(device.segment(1, 3)), 3)
    assert carrier.cloud.held(device) == device.records


def test_a_lost_answer_leaves_no_duplicate(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 3)
    carrier.lose_answers(1)
    with adapter_of(carrier, device.enrolment, 1.0) as adapter:
        assert isinstance(adapter.send(device.segment(1, 3)), Unreachable)
        assert carrier.cloud.held(device) == device.records
        answers = [adapter.send(device.segment(1, 3)) for _ in range(2)]
        accepted(device, next(answer for answer in answers if isinstance(answer, Accepted)), 3)
    assert carrier.cloud.held(device) == device.records


def test_a_gap_names_what_is_held(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 6)
    with adapter_of(carrier, device.enrolment) as adapter:
        adapter.send(device.segment(1, 2))
        answer = adapter.send(device.segment(4, 6))
        assert isinstance(answer, Gap)
        assert answer.ack.hwm == 2
        device.verify(answer.ack)
        accepted(device, adapter.send(device.segment(3, 6)), 6)


def test_another_history_is_a_fork(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 4)
    other = fork_of(device, 2)
    with adapter_of(carrier, device.enrolment) as adapter:
        adapter.send(device.segment(1, 4))
        answer = adapter.send(other.segment(1, 4))
    assert isinstance(answer, Fork)
    assert "record 3" in answer.message
    assert carrier.cloud.held(device) == device.records


def test_a_replaced_epoch_is_stale(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 2)
    carrier.cloud.device(reg=device.enrolment.reg)
    with adapter_of(carrier, device.enrolment) as adapter:
        answer = adapter.send(device.segment(1, 2))
    assert isinstance(answer, Stale)


def test_a_revoked_device_is_denied(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 1)
    revoke(carrier.cloud.store, lambda: 1, device.enrolment.dev)
    with adapter_of(carrier, device.enrolment) as adapter:
        assert isinstance(adapter.send(device.segment(1, 1)), Denied)


def test_a_wrong_token_is_denied(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 1)
    me = msgspec.structs.replace(device.enrolment, device_token="kd_" + "0" * 64)
    with adapter_of(carrier, me) as adapter:
        assert isinstance(adapter.send(device.segment(1, 1)), Denied)
    assert carrier.cloud.held(device) == []


def test_what_the_ingest_rejects_comes_with_its_word(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 2)
    with adapter_of(carrier, device.enrolment) as adapter:
        answer = adapter.send(device.segment(1, 1, certificate=False))
        assert answer == Rejected("certificate_needed", "the first segment of an epoch brings the key's certificate")


def test_a_cloud_that_was_away_is_found_again(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 3)
    carrier.away()
    try:
        with adapter_of(carrier, device.enrolment, 0.5) as adapter:
            assert isinstance(adapter.send(device.segment(1, 3)), Unreachable)
    finally:
        carrier.back()
    with adapter_of(carrier, device.enrolment, 10.0) as adapter:
        accepted(device, adapter.send(device.segment(1, 3)), 3)
    assert carrier.cloud.held(device) == device.records


def test_a_large_segment_is_carried_or_named_as_too_large(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 0)
    for _ in range(32):
        device.append(body={"pad": "x" * 120_000})
    with adapter_of(carrier, device.enrolment, 20.0) as adapter:
        answer, last = adapter.send(device.segment(1, 32)), 32
        if carrier.default_limit:
            assert answer == TooLarge()
        while isinstance(answer, TooLarge):
            last //= 2
            answer = adapter.send(device.segment(1, last))
        accepted(device, answer, last)
    assert carrier.cloud.held(device) == device.records[:last]


def test_the_status_arrives(carrier: Carrier) -> None:
    device = filled(carrier.cloud, 0)

    async def script() -> None:
        def shown() -> str:
            rows = carrier.cloud.rows(schema.kiosks)
            return next(row["status"] or "" for row in rows if row["dev"] == device.enrolment.dev)

        with adapter_of(carrier, device.enrolment) as adapter:
            adapter.status(b'{"software":"kassa 9","backlog":7}')
            await until(lambda: '"backlog":7' in shown())

    asyncio.run(script())


def test_the_whole_journal_goes_up_though_the_cloud_comes_and_goes(carrier: Carrier) -> None:
    async def script(folder: Path) -> None:
        rng = random.Random(5)
        lane = FakeLane(filled(carrier.cloud, 0))
        adapter = carrier.adapter(lane.device.enrolment, 0.5)
        path = folder / "lane.sock"
        async with lane.serving(path):
            uplink = Uplink(lane.device.enrolment, path, adapter, luck=lambda: 0.0)
            task = asyncio.create_task(uplink.run())
            try:
                for absent in (False, True, False, True, False):
                    await asyncio.to_thread(carrier.away if absent else _nothing)
                    carrier.lose_answers(rng.randrange(2))
                    await lane.append(rng.randrange(1, 40))
                    await asyncio.sleep(0.3)
                    held = carrier.cloud.held(lane.device)
                    assert held == lane.device.records[: len(held)], "a prefix"
                    assert lane.acked <= len(held), "acknowledged is held"
                    await asyncio.to_thread(carrier.back if absent else _nothing)
                await lane.until_acked(len(lane.device.records), 30)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await asyncio.to_thread(adapter.close)
        assert carrier.cloud.held(lane.device) == lane.device.records

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(script(Path(folder)))


def _nothing() -> None:
    pass
