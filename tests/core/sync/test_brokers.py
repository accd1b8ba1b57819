"""What only a broker can do wrong: others write to the lane's places, what was acknowledged is not what is held."""

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records import brokers, carried
from kiosk.records.identity import BadIdentity, CosignChange, change_cosign, public_key
from kiosk.records.segment import frame
from kiosk.sync.backend import Accepted, Busy, Rejected, Strange, TooLarge, Unreachable
from kiosk.sync.mqtt import MqttBackend
from kiosk.sync.nats import NatsBackend
from tests.core.cloud.lane import Backend, Device, running
from tests.core.sync.brokers import Mosquitto, Nats
from tests.core.sync.brokers import running as serving
from tests.core.sync.carriers import OverBroker, OverMqtt, OverNats
from tests.core.sync.test_contract import accepted, adapter_of, filled
from tests.core.sync.test_uplink import until

BROKERS = {"nats": OverNats, "mqtt": OverMqtt}


@pytest.fixture(scope="module", params=BROKERS)
def carrier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverBroker]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(folder / "cloud") as cloud:
        made = BROKERS[request.param](cloud, folder)
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def again_and_again(carrier: OverBroker, device: Device, data: bytes) -> Iterator[None]:
    """Somebody writes the bytes where the lane's answers come, while the block runs."""
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            carrier.inject(carried.Place("answer", device.enrolment.dev), data)
            ended.wait(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_replayed_answer_moves_nothing(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 4)
    with adapter_of(carrier, device.enrolment, 1.0) as adapter:
        accepted(device, adapter.send(device.segment(1, 2)), 2)
        early = carrier.letters.answers[-1]
        carrier.lose_answers(1)
        with again_and_again(carrier, device, early):
            assert isinstance(adapter.send(device.segment(3, 4)), Unreachable)
        answers = [adapter.send(device.segment(3, 4)) for _ in range(2)]
        accepted(device, next(answer for answer in answers if isinstance(answer, Accepted)), 4)


def test_a_foreign_answer_is_dropped_and_counted(carrier: OverBroker) -> None:
    device, stranger = filled(carrier.cloud, 2), filled(carrier.cloud, 1)
    with adapter_of(carrier, stranger.enrolment) as other:
        accepted(stranger, other.send(stranger.segment(1, 1)), 1)
    theirs = carrier.letters.answers[-1]
    forged = carried.sign_answer(device.key, carried.Answer("0" * 32, device.enrolment.dev, 1, 410, "stale_epoch"))
    with adapter_of(carrier, device.enrolment) as adapter:
        accepted(device, adapter.send(device.segment(1, 1)), 1)
        for data in (b"", b"<html>", theirs, forged):
            carrier.inject(carried.Place("answer", device.enrolment.dev), data)
        # Beyond what the lane takes; an MQTT broker keeps it back by itself.
        carrier.inject(carried.Place("answer", device.enrolment.dev), b"\xff" * 100_000)
        accepted(device, adapter.send(device.segment(2, 2, certificate=False)), 2)
        asyncio.run(until(lambda: adapter.dropped >= 4))  # type: ignore[attr-defined]  # both count them


def test_hostile_letters_are_dropped_and_counted_and_the_next_lane_is_served(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 1)
    here = carried.Place("journal", device.enrolment.dev, 1)
    before = sum(carrier.letters.dropped.values())
    carrier.inject(here, b"\x00" * 1000)
    carrier.inject(here, b"x", kassa_id="not hex", kassa_seal="s" * 50)
    carrier.inject(carried.Place("journal", "d0", 1), b"x", kassa_id="0" * 32)
    carrier.inject(carried.Place("status", device.enrolment.dev), b"{", kassa_id="0" * 32, kassa_seal="0" * 64)
    asyncio.run(until(lambda: sum(carrier.letters.dropped.values()) - before == 4))
    with adapter_of(carrier, device.enrolment) as adapter:
        accepted(device, adapter.send(device.segment(1, 1)), 1)


def test_an_unsealed_letter_takes_no_record_in(carrier: OverBroker) -> None:
    """The segment is genuine and the address right: only that the device sent it now is not shown."""
    device = filled(carrier.cloud, 1)
    taken = carrier.letters.taken
    place = carried.Place("journal", device.enrolment.dev, device.enrolment.ep)
    carrier.inject(place, frame(device.segment(1, 1)), kassa_id="0" * 32, kassa_seal="0" * 64)
    asyncio.run(until(lambda: carrier.letters.taken > taken))
    assert carrier.cloud.held(device) == []


def test_the_token_never_reaches_the_broker(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 1)
    carrier.away()
    try:
        with adapter_of(carrier, device.enrolment, 0.5) as adapter:
            adapter.send(device.segment(1, 1))
    finally:
        carrier.back()
    stored = b"".join(path.read_bytes() for path in carrier.server.folder.rglob("*") if path.is_file())
    assert device.enrolment.device_token.encode() not in stored


def test_a_restarted_broker_is_found_again(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 4)
    with adapter_of(carrier, device.enrolment, 2.0) as adapter:
        accepted(device, adapter.send(device.segment(1, 2)), 2)
        carrier.server.stop()
        assert isinstance(adapter.send(device.segment(3, 4)), Unreachable)
        carrier.server.start()

        async def script() -> None:
            async with asyncio.timeout(30):
                while not isinstance(await asyncio.to_thread(adapter.send, device.segment(3, 4)), Accepted):
                    await asyncio.sleep(0.1)

        asyncio.run(script())
    assert carrier.cloud.held(device) == device.records


def test_an_answer_opens_only_with_the_backends_key(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 1)
    data = carried.sign_answer(device.key, carried.Answer("0" * 32, device.enrolment.dev, 1, 200))
    with pytest.raises(BadIdentity, match="pinned key"):
        carried.open_answer(public_key(device.enrolment.cosign_key), data)


def test_nats_holds_a_repeated_letter_once(tmp_path: Path, backend: Backend) -> None:
    """What `deduplicating` means: seen in the broker's own store while the cloud is away."""
    device = filled(backend, 1)
    carrier = OverNats(backend, tmp_path)
    try:
        carrier.away()
        with adapter_of(carrier, device.enrolment, 0.5) as adapter:
            assert adapter.capabilities.deduplicating
            for expected in (1, 1, 2, 2):
                assert isinstance(adapter.send(device.segment(1, 1)), Unreachable)
                assert carrier.held() == expected, "a letter goes out twice under one id"
        carrier.back()
        asyncio.run(until(lambda: backend.held(device) == device.records))
    finally:
        carrier.close()


def test_nats_takes_a_letter_only_right_after_the_last_one(tmp_path: Path, backend: Backend) -> None:
    device = filled(backend, 3)
    carrier = OverNats(backend, tmp_path)
    place = carried.Place("journal", device.enrolment.dev, 1)
    try:
        with adapter_of(carrier, device.enrolment) as adapter:
            assert adapter.capabilities.conditional
            accepted(device, adapter.send(device.segment(1, 1)), 1)
            carrier.store(place, b"another sender")
            answer = adapter.send(device.segment(2, 2))
            assert isinstance(answer, Busy)
            assert "another sender" in answer.message
            accepted(device, adapter.send(device.segment(2, 3)), 3)
    finally:
        carrier.close()


def test_nats_carries_a_whole_segment_where_the_server_allows_it(tmp_path: Path, backend: Backend) -> None:
    device = filled(backend, 0)
    for _ in range(32):
        device.append(body={"pad": "x" * 120_000})
    carrier = OverNats(backend, tmp_path, "max_payload: 8MB")
    try:
        with adapter_of(carrier, device.enrolment, 20.0) as adapter:
            accepted(device, adapter.send(device.segment(1, 32)), 32)
    finally:
        carrier.close()


def test_mqtt_names_a_packet_that_the_broker_would_not_take(tmp_path: Path, backend: Backend) -> None:
    device = filled(backend, 0)
    for _ in range(4):
        device.append(body={"pad": "x" * 30_000})
    carrier = OverMqtt(backend, tmp_path, "max_packet_size 65536")
    try:
        with adapter_of(carrier, device.enrolment) as adapter:
            assert adapter.send(device.segment(1, 4)) == TooLarge()
            accepted(device, adapter.send(device.segment(1, 2)), 2)
    finally:
        carrier.close()


def test_without_a_consumer_the_brokers_say_so(tmp_path: Path, backend: Backend) -> None:
    device = filled(backend, 1)
    with serving(Nats(tmp_path / "n")) as server:
        alone = NatsBackend(device.enrolment, brokers.NatsLine(servers=[server.address]))
        answer = alone.send(device.segment(1, 1))
        alone.close()
        assert isinstance(answer, Unreachable)
        assert "kassa-cloud consume" in answer.message
    with serving(Mosquitto(tmp_path / "m")) as server:
        lonely = MqttBackend(device.enrolment, brokers.MqttLine(server=server.address))
        answer = lonely.send(device.segment(1, 1))
        lonely.close()
        assert isinstance(answer, Unreachable)
        assert "kassa-cloud consume" in answer.message


def test_an_answer_of_a_changed_key_is_believed_by_its_cross_signature(carrier: OverBroker) -> None:
    """A lane has pinned the first key; the changes that lead to the present one come with the answer."""
    device = filled(carrier.cloud, 2)
    first, second = carrier.cloud.server.service.keys.cosign, Ed25519PrivateKey.generate()
    with (
        adapter_of(carrier, device.enrolment) as adapter,
        answering_with(carrier, second, change_cosign(first, second)),
    ):
        answer = adapter.send(device.segment(1, 2))
    accepted(device, answer, 2)
    assert isinstance(answer, Accepted)
    assert len(answer.ack.changes) == 1


def test_an_answer_of_a_key_that_nothing_leads_to_is_dropped(carrier: OverBroker) -> None:
    device = filled(carrier.cloud, 1)
    other, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    with (
        adapter_of(carrier, device.enrolment, 1.0) as adapter,
        answering_with(carrier, second, change_cosign(other, second)),
    ):
        assert isinstance(adapter.send(device.segment(1, 1)), Unreachable)
        assert adapter.dropped == 1  # type: ignore[attr-defined]  # both count them


@contextlib.contextmanager
def answering_with(carrier: OverBroker, key: Ed25519PrivateKey, change: CosignChange) -> Iterator[None]:
    """The cloud goes on with another counter-signing key, as after its restart with one."""
    before = carrier.letters.keys
    carrier.letters.keys = dataclasses.replace(before, cosign=key, changes=(change,))
    try:
        yield
    finally:
        carrier.letters.keys = before


def test_the_epoch_of_a_segment_is_its_own_not_that_of_the_enrolment(carrier: OverBroker) -> None:
    """A lane that has begun an epoch by itself, or still carries an older one, names it in the segment's header."""
    device = filled(carrier.cloud, 1)
    segment = device.segment(1, 1)
    foreign = msgspec.structs.replace(segment, header=msgspec.structs.replace(segment.header, ep=7))
    with adapter_of(carrier, device.enrolment) as adapter:
        answer = adapter.send(foreign)
        assert isinstance(answer, Rejected | Strange), "the cloud looked at epoch 7"
        accepted(device, adapter.send(segment), 1)
