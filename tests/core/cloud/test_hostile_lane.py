"""What a hostile or broken lane sends never raises, never blocks a chain, never spoils its register for the next."""

import msgspec
import pytest

from cloud import schema
from kiosk.records.journal import GENESIS
from kiosk.records.lifecycle import EPOCH, MAX_EPOCH
from kiosk.records.segment import frame
from tests.core.cloud.lane import Backend, Device

DEEP = b"[" * 20_000 + b"]" * 20_000


def test_a_record_that_is_too_deep_to_read_is_stored_raw(backend: Backend) -> None:
    device = backend.device()
    device.records.append(b'{"a":' + DEEP + b"}")
    assert backend.upload(device, device.segment(1, 1)).status == 200
    other = backend.device(reg="2")
    other.append(
        "receipt.issued", {"event": {"document": '{"sale_id":"abcdefgh","blocks":[],"z":' + DEEP.decode() + "}"}}
    )
    assert backend.upload(other, other.segment(1, 1)).status == 200


def test_a_request_that_is_too_deep_to_read_is_refused(backend: Backend) -> None:
    device = backend.device()
    device.append_sale(1)
    head, rest = frame(device.segment(1, 1)).split(b"\n", 1)
    assert backend.upload(device, head[:-1] + b',"x":' + DEEP + b"}\n" + rest).status == 400
    small = b'{"x":' + DEEP[5_000:-5_000] + b"}"
    assert backend.call("POST", "/v1/enrol", small, Content_Type="application/json").status == 400
    assert backend.call("POST", "/v1/events", small, Content_Type="application/cloudevents+json").status == 400


def test_a_lanes_own_words_with_a_nul_become_an_alarm(backend: Backend) -> None:
    device = backend.device()
    device.append()
    assert backend.upload(device, device.segment(1, 1)).status == 200
    later = Device(msgspec.structs.replace(device.enrolment, ep=device.enrolment.ep + 1), device.identity)
    previous = {"ep": device.enrolment.ep, "seq": 1, "hash": GENESIS}
    later.append(EPOCH, {"provisional": True, "reason": "nul\x00nul", "previous": previous, "file": {}})
    assert backend.upload(later, later.segment(1, 1)).status == 200
    assert any("\ufffd" in row["text"] for row in backend.rows(schema.alarms))


def test_a_lanes_own_epoch_number_leaves_some_for_the_registers_next_device(backend: Backend) -> None:
    device = backend.device()
    device.append()
    assert backend.upload(device, device.segment(1, 1)).status == 200
    last = Device(msgspec.structs.replace(device.enrolment, ep=MAX_EPOCH), device.identity)
    previous = {"ep": device.enrolment.ep, "seq": 1, "hash": GENESIS}
    last.append(EPOCH, {"provisional": True, "reason": "missing", "previous": previous, "file": {}})
    assert backend.upload(last, last.segment(1, 1)).status == 200
    assert backend.device().enrolment.ep < MAX_EPOCH


def test_a_sale_number_at_the_end_of_numbers_does_not_move_the_registers_series(backend: Backend) -> None:
    device = backend.device()
    device.append_sale(2**53 - 1)
    assert backend.upload(device, device.segment(1, 1)).status == 200
    assert backend.device().enrolment.next_sale_no == 1


@pytest.mark.parametrize("first", [2, 5])
def test_the_middle_of_an_epoch_that_is_not_held_is_a_gap_and_not_the_end(backend: Backend, first: int) -> None:
    device = backend.device()
    unheld = Device(msgspec.structs.replace(device.enrolment, ep=device.enrolment.ep + 1), device.identity)
    for n in range(1, 7):
        unheld.append_sale(n)
    answer = backend.upload(unheld, unheld.segment(first, 6))
    assert answer.status == 409
    assert (answer.json["error"], answer.json["hwm"]) == ("gap", 0)
