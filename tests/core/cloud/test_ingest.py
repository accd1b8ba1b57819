"""Every row of the answers to an upload, over real HTTP against the real server."""

import base64
import contextlib
import fcntl
import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import schema
from cloud.devices import revoke
from cloud.store import Store
from kiosk.records.journal import MAX_RECORD_BYTES, leaf_hash
from kiosk.records.segment import MAX_SEGMENT_BYTES, SegmentHeader, SignedSegment, frame
from tests.core.cloud.lane import Backend, Device


def filled(backend: Backend, count: int) -> Device:
    device = backend.device()
    for _ in range(count):
        device.append()
    return device


def fork_of(device: Device, after: int) -> Device:
    """The same device with another history from record `after` + 1 on."""
    other = Device(device.enrolment, device.identity, device.key, device.records[:after])
    for n in range(after, len(device.records)):
        other.append(body={"other": n})
    return other


def test_new_records_are_stored_exactly_and_counter_signed(backend: Backend) -> None:
    device = filled(backend, 5)
    first = backend.upload(device, device.segment(1, 3))
    second = backend.upload(device, device.segment(4, 5, certificate=False))
    assert (first.status, second.status) == (200, 200)
    assert (first.ack.hwm, second.ack.hwm) == (3, 5)
    device.verify(first.ack)
    device.verify(second.ack)
    assert backend.held(device) == device.records


@pytest.mark.parametrize(("first", "last", "hwm"), [(1, 4, 4), (2, 3, 4), (4, 4, 4), (1, 6, 6), (3, 5, 5)])
def test_an_overlap_of_equals_is_dropped(backend: Backend, first: int, last: int, hwm: int) -> None:
    device = filled(backend, 6)
    backend.upload(device, device.segment(1, 4))
    answer = backend.upload(device, device.segment(first, last))
    assert (answer.status, answer.ack.hwm) == (200, hwm)
    device.verify(answer.ack)
    assert backend.held(device) == device.records[:hwm]


def test_a_gap_names_the_head(backend: Backend) -> None:
    device = filled(backend, 6)
    backend.upload(device, device.segment(1, 2))
    answer = backend.upload(device, device.segment(4, 6))
    assert (answer.status, answer.json["error"], answer.json["hwm"]) == (409, "gap", 2)
    device.verify(answer.ack)
    assert backend.held(device) == device.records[:2]


def test_a_gap_before_the_first_record_names_the_empty_head(backend: Backend) -> None:
    device = filled(backend, 3)
    answer = backend.upload(device, device.segment(2, 3))
    assert (answer.status, answer.json["error"], answer.json["hwm"]) == (409, "gap", 0)
    device.verify(answer.ack)


@pytest.mark.parametrize(
    ("after", "first", "last"), [(2, 1, 6), (2, 3, 4), (2, 4, 5), (3, 5, 6), (0, 1, 1), (0, 5, 6), (3, 4, 4)]
)
def test_a_fork_is_kept_apart_and_alarmed(backend: Backend, after: int, first: int, last: int) -> None:
    device = filled(backend, 6)
    backend.upload(device, device.segment(1, 4))
    other = fork_of(device, after)
    for _ in range(2):
        answer = backend.upload(other, other.segment(first, last))
        assert (answer.status, answer.json["error"], answer.json["hwm"]) == (409, "fork", 4)
        device.verify(answer.ack)
    assert backend.held(device) == device.records[:4]
    kept = {row["seq"]: row["data"] for row in backend.rows(schema.quarantine)}
    assert kept == {n: other.records[n - 1] for n in range(max(first, after + 1), last + 1)}
    [alarm] = backend.rows(schema.alarms)
    assert (alarm["kind"], alarm["count"]) == ("fork", 2)
    assert backend.upload(device, device.segment(5, 6)).status == 200, "the history that is held goes on"


def test_a_replaced_epoch_is_stale_and_its_late_records_are_kept_apart(backend: Backend) -> None:
    old = filled(backend, 4)
    backend.upload(old, old.segment(1, 2))
    new = backend.device()
    assert (new.enrolment.reg, new.enrolment.ep) == (old.enrolment.reg, old.enrolment.ep + 1)
    answer = backend.upload(old, old.segment(2, 4))
    assert (answer.status, answer.json["error"], answer.json["hwm"]) == (410, "stale_epoch", 2)
    assert [row["data"] for row in backend.rows(schema.quarantine)] == old.records[2:]
    assert {alarm["kind"] for alarm in backend.rows(schema.alarms)} == {"replaced", "stale_epoch"}


def _signed_by_another(device: Device) -> bytes:
    return frame(Device(device.enrolment, device.identity, Ed25519PrivateKey.generate(), device.records).segment(1, 3))


def _stranger(device: Device) -> bytes:
    """A whole segment with a certificate, but by another identity."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return frame(
        Device(device.enrolment, ec.generate_private_key(ec.SECP256R1()), device.key, device.records).segment(1, 3)
    )


def _another_device(device: Device) -> bytes:
    other = msgspec.structs.replace(device.enrolment, dev="d0000")
    records = Device(other, device.identity, device.key)
    records.append()
    return frame(
        SignedSegment(
            msgspec.structs.replace(records.segment(1, 1).header, certificate=device.certificate), records.records
        )
    )


def _swapped(device: Device) -> bytes:
    segment = device.segment(1, 3)
    return frame(SignedSegment(segment.header, [segment.records[1], segment.records[0], segment.records[2]]))


def _edited(device: Device) -> bytes:
    segment = device.segment(1, 3)
    return frame(SignedSegment(segment.header, [segment.records[0].replace(b'"n":1', b'"n":9'), *segment.records[1:]]))


def _edited_last(device: Device) -> bytes:
    segment = device.segment(1, 3)
    return frame(SignedSegment(segment.header, [*segment.records[:2], segment.records[2].replace(b'"n":3', b'"n":9')]))


REFUSED = {
    "the signed record edited": (_edited_last, "bad_signature"),
    "certified by another identity": (_stranger, "bad_certificate"),
    "of another device": (_another_device, "foreign"),
    "two records swapped": (_swapped, "bad_sequence"),
    "a record edited": (_edited, "broken_chain"),
    "the certificate missing": (lambda d: frame(d.segment(1, 3, certificate=False)), "certificate_needed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_verify_is_refused_and_leaves_nothing(backend: Backend, name: str) -> None:
    make, kind = REFUSED[name]
    device = filled(backend, 3)
    answer = backend.upload(device, make(device))
    assert (answer.status, answer.json["error"]) == (422, kind)
    assert backend.held(device) == []
    assert backend.rows(schema.quarantine) == backend.rows(schema.alarms) == []
    assert backend.upload(device, device.segment(1, 3)).status == 200


def test_a_second_journal_key_for_an_epoch_is_refused(backend: Backend) -> None:
    device = filled(backend, 3)
    backend.upload(device, device.segment(1, 2))
    answer = backend.upload(device, _signed_by_another(device))
    assert (answer.status, answer.json["error"]) == (422, "bad_certificate")


MALFORMED: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "empty": (b"", {}, 400, "bad_segment"),
    "html": (b"<html>\n", {}, 400, "bad_segment"),
    "header only": (lambda d: frame(d.segment(1, 1)).split(b"\n")[0] + b"\n", {}, 400, "bad_segment"),
    "cut off": (lambda d: frame(d.segment(1, 3))[:-1], {}, 400, "bad_segment"),
    "too many records": (
        lambda d: frame(SignedSegment(d.segment(1, 1).header, [b"{}"] * 1001)), {}, 400, "bad_segment",
    ),
    "a record too long": (
        lambda d: frame(SignedSegment(d.segment(1, 1).header, [b"x" * (MAX_RECORD_BYTES + 1)])), {}, 400, "bad_segment",
    ),
    "too large": (b"x" * (MAX_SEGMENT_BYTES + 1), {}, 413, "too_large"),
    "a gzip bomb": (gzip.compress(b"x" * (MAX_SEGMENT_BYTES * 4)), {"Content_Encoding": "gzip"}, 413, "too_large"),
    "half a gzip": (gzip.compress(b"abc" * 999)[:-9], {"Content_Encoding": "gzip"}, 400, "bad_gzip"),
    "no gzip": (b"abc\n", {"Content_Encoding": "gzip"}, 400, "bad_gzip"),
    "another encoding": (b"abc\n", {"Content_Encoding": "br"}, 415, "content_encoding"),
    "another type": (b"{}", {"Content_Type": "application/json"}, 415, "content_type"),
    "no token": (b"\n", {"Authorization": ""}, 401, "unauthorised"),
    "a wrong token": (b"\n", {"Authorization": "Bearer kd_0"}, 401, "unauthorised"),
    "a basic token": (b"\n", {"Authorization": "Basic kd_0"}, 401, "unauthorised"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_uploads_get_one_clear_answer(backend: Backend, name: str) -> None:
    body, headers, status, kind = MALFORMED[name]
    device = filled(backend, 3)
    answer = backend.upload(device, body if isinstance(body, bytes) else body(device), **headers)
    assert (answer.status, answer.json["error"]) == (status, kind)
    assert backend.held(device) == []


def test_the_token_of_one_device_does_not_open_another(backend: Backend) -> None:
    device, other = filled(backend, 1), backend.device(reg="2")
    answer = backend.upload(device, device.segment(1, 1), Authorization=f"Bearer {other.enrolment.device_token}")
    assert answer.status == 401


@pytest.mark.parametrize("ep", ["2", "99999999999999999999999"])
def test_an_epoch_that_was_never_granted_is_unknown(backend: Backend, ep: str) -> None:
    device = filled(backend, 1)
    me = device.enrolment
    answer = backend.call(
        "POST",
        f"/v1/journal/{me.dev}/{ep}",
        frame(device.segment(1, 1)),
        Content_Type="application/x-ndjson",
        Authorization=f"Bearer {me.device_token}",
    )
    assert answer.status in (404, 422)


def test_a_revoked_device_is_refused_and_its_past_stays(backend: Backend) -> None:
    device = filled(backend, 2)
    backend.upload(device, device.segment(1, 1))
    assert revoke(backend.store, lambda: 1, device.enrolment.dev)
    answer = backend.upload(device, device.segment(2, 2))
    assert (answer.status, answer.json["error"]) == (403, "revoked")
    assert backend.held(device) == device.records[:1]


def test_what_cannot_be_interpreted_is_kept_raw_and_counted(backend: Backend) -> None:
    device = filled(backend, 1)
    device.append("sale.closed", {"sale": {"of": "a later version"}})
    device.append(v=99)
    device.records.append(b"\xff\x00 no JSON at all")
    device.append()
    unknown = json.loads(device.append())
    device.records[-1] = json.dumps(unknown | {"schema": "seven"}).encode()  # spaces: not canonical either
    answer = backend.upload(device, device.segment(1, 6))
    assert (answer.status, answer.ack.hwm) == (200, 6)
    assert backend.held(device) == device.records
    [epoch] = backend.rows(schema.epochs)
    assert epoch["uninterpreted"] == 4


def test_gzip_is_taken(backend: Backend) -> None:
    device = filled(backend, 200)
    body = gzip.compress(frame(device.segment(1, 200)))
    assert backend.upload(device, body, Content_Encoding="gzip").ack.hwm == 200


def test_a_restarted_server_goes_on_with_the_same_keys(backend: Backend) -> None:
    device = filled(backend, 4)
    backend.upload(device, device.segment(1, 2))
    backend.restart()
    answer = backend.upload(device, device.segment(2, 4, certificate=False))
    device.verify(answer.ack)
    assert backend.held(device) == device.records


def test_uploads_at_the_same_time_store_each_record_once(backend: Backend) -> None:
    device = filled(backend, 60)
    results: list[int] = []

    def send() -> None:
        for first in range(1, 60, 10):
            results.append(backend.upload(device, device.segment(first, first + 9)).status)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == {200}
    assert backend.held(device) == device.records


def test_a_lock_that_is_not_given_makes_the_server_ask_for_patience(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = filled(backend, 1)
    monkeypatch.setattr("cloud.engines.LOCK_TIMEOUT_S", 0.05)
    backend.restart()
    with held_by_another(backend):
        answer = backend.upload(device, device.segment(1, 1))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert backend.upload(device, device.segment(1, 1)).status == 200


@contextlib.contextmanager
def held_by_another(backend: Backend) -> Iterator[None]:
    """As another server process on the same data would hold it."""
    if not backend.config.database:
        with (backend.store.folder / "write.lock").open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    other = Store(backend.store.folder, backend.config.database)
    with other.write() as connection:
        connection.execute(schema.epochs.select().with_for_update())
        yield
    other.close()


def test_the_head_signature_is_kept_for_every_segment(backend: Backend) -> None:
    device = filled(backend, 4)
    backend.upload(device, device.segment(1, 2))
    backend.upload(device, device.segment(3, 4))
    kept = {row["seq"]: row["signature"] for row in backend.rows(schema.signatures)}
    assert kept == {n: base64.b64decode(device.segment(n, n).header.signature) for n in (2, 4)}
    assert leaf_hash(device.records[3]) == device.hash_at(4)
    assert isinstance(device.segment(1, 1).header, SegmentHeader)
