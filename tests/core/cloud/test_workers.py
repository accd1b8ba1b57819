"""Two servers on one PostgreSQL: whichever is asked, there is one log per kiosk."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud import schema
from tests.core.cloud.lane import Backend, Device, running

Pair = tuple[Backend, Backend]


@pytest.fixture
def pair(tmp_path: Path, empty: Callable[[], str]) -> Iterator[Pair]:
    """They share the folder with the keys and the catalogue files, too."""
    url = empty()
    with running(tmp_path / "cloud", database=url) as one, running(tmp_path / "cloud", database=url) as other:
        yield one, other


def at_once(*work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=task) for task in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def filled(backend: Backend, count: int, reg: str = "1") -> Device:
    device = backend.device(reg=reg)
    for number in range(1, count + 1):
        device.append_sale(number)
    return device


def test_the_same_segments_sent_to_both_at_once_are_stored_once(pair: Pair) -> None:
    device = filled(pair[0], 60)
    statuses: list[int] = []

    def send(backend: Backend) -> None:
        for first in range(1, 60, 5):
            answer = backend.upload(device, device.segment(first, first + 4))
            statuses.append(answer.status)
            device.verify(answer.ack)

    at_once(*(lambda backend=backend: send(backend) for backend in pair * 2))  # type: ignore[misc]
    assert set(statuses) == {200}
    assert pair[0].held(device) == device.records
    assert len(pair[1].rows(schema.sales)) == 60


def test_two_histories_sent_at_once_leave_one_log_and_a_fork(pair: Pair) -> None:
    """Whoever comes first is the log; the other is kept apart."""
    device = filled(pair[0], 1)
    other = Device(device.enrolment, device.identity, device.key)
    other.append(body={"another": "history"})
    statuses: list[int] = []
    at_once(
        lambda: statuses.append(pair[0].upload(device, device.segment(1, 1)).status),
        lambda: statuses.append(pair[1].upload(other, other.segment(1, 1)).status),
    )
    assert sorted(statuses) == [200, 409]
    kept = [row["data"] for row in pair[0].rows(schema.quarantine)]
    assert sorted([*pair[0].held(device), *kept]) == sorted([*device.records, *other.records])


def test_kiosks_do_not_wait_for_each_other(pair: Pair) -> None:
    """While one kiosk's upload is in its transaction, another's goes through: the epoch's row is what is locked."""
    slow, quick = filled(pair[0], 1), filled(pair[0], 1, reg="2")
    with pair[0].store.write() as connection:
        table = schema.epochs
        connection.execute(table.select().where(table.c.dev == slow.enrolment.dev).with_for_update())
        assert pair[1].upload(quick, quick.segment(1, 1)).status == 200


def test_first_enrolments_of_a_new_shop_at_once_get_epochs_of_their_own(pair: Pair) -> None:
    devices: list[Device] = []
    at_once(*(lambda backend=backend: devices.append(backend.device("New", "7")) for backend in pair * 2))  # type: ignore[misc]
    assert sorted(device.enrolment.ep for device in devices) == [1, 2, 3, 4]
    assert [epoch["state"] for epoch in pair[0].rows(schema.epochs)].count("open") == 1


def test_one_token_used_at_both_at_once_makes_one_device(pair: Pair) -> None:
    token = pair[0].token()
    statuses: list[int] = []
    at_once(
        *(
            lambda backend=backend: statuses.append(  # type: ignore[misc]
                backend.ask(token, ec.generate_private_key(ec.SECP256R1())).status
            )
            for backend in pair
        )
    )
    assert sorted(statuses) == [200, 403]
    assert len(pair[0].rows(schema.kiosks)) == 1


def test_a_sale_that_one_takes_rings_at_the_pages_of_the_other(pair: Pair) -> None:
    device = filled(pair[0], 1)
    stream = http.client.HTTPConnection("127.0.0.1", pair[1].server.port, timeout=10)
    stream.request("GET", "/events")
    answer = stream.getresponse()
    assert b"hello" in answer.read1()
    changed(answer)  # by the enrolment
    pair[0].upload(device, device.segment(1, 1))
    changed(answer)
    answer.close()
    stream.close()


def changed(answer: http.client.HTTPResponse) -> None:
    began = time.monotonic()
    while b"change" not in answer.read1():
        assert time.monotonic() - began < 10, "nobody rang"
