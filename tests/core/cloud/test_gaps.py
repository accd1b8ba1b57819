"""The one jump in a chain that the backend accepts, and all that looks like it and is not."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import schema
from kiosk.records.gap import GAP, MAX_GAP_RECORDS, Damaged, GapNotice, rows_digest
from kiosk.records.identity import b64
from kiosk.records.journal import leaf_hash, sign
from kiosk.records.segment import SignedSegment, frame
from tests.core.cloud.lane import Answer, Backend, Device

ROT = b"\x00rot"
ROWS = [(5, ROT, b"s" * 64)]


class Damage:
    """Ten records of which 5 and 6 are damaged on the lane, 5 to bytes that are still there; the gap record is 11."""

    def __init__(self, backend: Backend, device: Device | None = None, **changes: Any) -> None:
        self.backend = backend
        self.device = device or backend.device()
        while len(self.device.records) < 10:
            self.device.append_sale(len(self.device.records) + 1)
        self.body = {
            "ep": self.device.enrolment.ep,
            "first": 5,
            "last": 6,
            "before": self.device.hash_at(4),
            "after_prev": self.device.hash_at(6),
            "sha256": rows_digest(ROWS),
            "kind": "bad_signature",
            "why": "rot",
        } | changes
        self.device.append(GAP, self.body)

    def notice(self, **changes: Any) -> GapNotice:
        device = self.device
        signature = b64(sign(device.key, device.hash_at(11)))
        rows = (Damaged(5, b64(ROT), b64(b"s" * 64)),)
        notice = GapNotice(device.records[10].decode(), signature, device.certificate, rows)
        return msgspec.structs.replace(notice, **changes)

    def segment(self, first: int = 7, last: int = 11, notice: GapNotice | None = None, **header: Any) -> SignedSegment:
        plain = self.device.segment(first, last)
        changed = msgspec.structs.replace(plain.header, gap=notice or self.notice(), **header)
        return SignedSegment(changed, plain.records)

    def upload(self, segment: SignedSegment | None = None) -> Answer:
        return self.backend.upload(self.device, segment or self.segment())

    def held(self) -> list[int]:
        return sorted(row["seq"] for row in self.backend.rows(schema.records))

    def alarms(self) -> list[tuple[str, int]]:
        return sorted((row["kind"], row["seq"]) for row in self.backend.rows(schema.alarms))


def test_the_jump_over_a_declared_gap_is_taken_once_and_no_sale_after_it_is_lost(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    for _ in range(3):
        answer = damage.upload()
        assert (answer.status, answer.json["hwm"]) == (200, 11)
        damage.device.verify(answer.ack)
    assert damage.held() == [1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert [row["sale_no"] for row in backend.rows(schema.sales)] == [1, 2, 3, 4, 7, 8, 9, 10]
    assert [(row["seq"], row["data"], row["reason"]) for row in backend.rows(schema.quarantine)] == [(5, ROT, "gap")]
    assert damage.alarms() == [("gap", 5)]
    damage.device.append()
    assert backend.upload(damage.device, damage.device.segment(12, 12)).status == 200


def test_a_later_segment_may_overlap_up_to_the_gap(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    assert damage.upload(damage.segment(7, 9)).json["hwm"] == 9
    again = backend.upload(damage.device, damage.device.segment(7, 11))
    assert (again.status, again.json["hwm"]) == (200, 11)


def test_what_comes_before_the_gap_is_asked_for_first(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 3))
    answer = damage.upload()
    assert (answer.status, answer.json["error"], answer.json["hwm"]) == (409, "gap", 3)
    assert backend.rows(schema.gaps) == []


@pytest.mark.parametrize("hwm", [5, 6, 8, 10])
def test_a_gap_among_what_is_held_here_loses_nothing(backend: Backend, hwm: int) -> None:
    """The lane sent the records whole, and they were damaged later."""
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, hwm))
    assert damage.upload().json["hwm"] == 11
    assert damage.held() == [seq for seq in range(1, 12) if seq <= hwm or seq > 6]
    [alarm] = backend.rows(schema.alarms)
    assert ("all of them are held here" in alarm["text"]) == (hwm >= 6)


def _certified_by_a_stranger(damage: Damage) -> GapNotice:
    stranger = Device(damage.device.enrolment, ec.generate_private_key(ec.SECP256R1()), damage.device.key)
    return damage.notice(certificate=stranger.certificate)


def _signed_by_another(damage: Damage) -> GapNotice:
    return damage.notice(signature=b64(sign(Ed25519PrivateKey.generate(), damage.device.hash_at(11))))


def _another_record(damage: Damage) -> GapNotice:
    device = damage.device
    return damage.notice(record=device.records[8].decode(), signature=b64(sign(device.key, device.hash_at(9))))


Notices = dict[str, Callable[[Damage], GapNotice]]
FORGED: Notices = {
    "certified by a stranger": _certified_by_a_stranger,
    "signed by another key": _signed_by_another,
    "a record that is no gap record": _another_record,
    "no record": lambda damage: damage.notice(record="{}"),
    "no base64": lambda damage: damage.notice(signature="!"),
    "a lone surrogate": lambda damage: damage.notice(record='"\\ud800"'),
    "other rows": lambda damage: damage.notice(damaged=(Damaged(5, b64(b"x"), b64(b"s" * 64)),)),
    "rows outside": lambda damage: damage.notice(damaged=(Damaged(4, b64(ROT), b64(b"s" * 64)),)),
    "rows of garbage": lambda damage: damage.notice(damaged=(Damaged(5, "!", ""),)),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_gap_record_opens_nothing(backend: Backend, case: str) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    answer = damage.upload(damage.segment(notice=FORGED[case](damage)))
    assert (answer.status, answer.json["error"]) == (422, "bad_gap"), answer.body
    assert damage.held() == [1, 2, 3, 4]
    assert backend.rows(schema.gaps) == backend.rows(schema.quarantine) == []


CLAIMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "a larger range": ({"first": 2}, 409, "fork"),
    "a smaller range": ({"first": 6}, 409, "gap"),
    "an endless range": ({"first": 1, "last": MAX_GAP_RECORDS + 9}, 422, "bad_gap"),
    "the future": ({"last": 12}, 422, "bad_gap"),
    "another end": ({"last": 7}, 422, "bad_gap"),
    "another epoch": ({"ep": 9}, 422, "bad_gap"),
    "backwards": ({"first": 7}, 422, "bad_gap"),
    "below the first": ({"first": 0}, 422, "bad_gap"),
    "another record before it": ({"before": "a" * 64}, 409, "fork"),
    "another record after it": ({"after_prev": "a" * 64}, 422, "bad_gap"),
    "no hash": ({"before": "zz"}, 422, "bad_gap"),
    "no number": ({"first": "5"}, 422, "bad_gap"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_gap_record_that_claims_what_is_not_so_moves_nothing(backend: Backend, case: str) -> None:
    changes, status, kind = CLAIMS[case]
    damage = Damage(backend, **changes)
    backend.upload(damage.device, damage.device.segment(1, 4))
    answer = damage.upload(damage.segment(notice=damage.notice(damaged=())))
    assert (answer.status, answer.json["error"]) == (status, kind), answer.body
    assert damage.held() == [1, 2, 3, 4]
    assert backend.rows(schema.gaps) == []


def test_a_gap_record_of_another_device_is_not_taken(backend: Backend) -> None:
    theirs = Damage(backend, backend.device(reg="2"))
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    answer = damage.upload(damage.segment(notice=theirs.notice()))
    assert (answer.status, answer.json["error"]) == (422, "bad_gap")


def test_a_replayed_gap_record_cannot_rewrite_what_is_held(backend: Backend) -> None:
    """The thief has the journal key: another history after the same gap is still a fork."""
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    notice = damage.notice()
    damage.upload()
    other = Device(damage.device.enrolment, damage.device.identity, damage.device.key, damage.device.records[:6])
    for n in range(6):
        other.append(body={"other": n})
    plain = other.segment(7, 12)
    answer = backend.upload(
        damage.device, SignedSegment(msgspec.structs.replace(plain.header, gap=notice), plain.records)
    )
    assert (answer.status, answer.json["error"]) == (409, "fork")
    assert damage.held() == [1, 2, 3, 4, 7, 8, 9, 10, 11]


def test_a_replayed_gap_record_opens_no_second_jump(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    damage.upload()
    for _ in range(4):
        damage.device.append()
    answer = damage.upload(damage.segment(14, 15))
    assert (answer.status, answer.json["error"]) == (422, "bad_gap")
    assert max(damage.held()) == 11


def test_the_jump_needs_its_gap_record(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    answer = backend.upload(damage.device, damage.device.segment(7, 11))
    assert (answer.status, answer.json["error"]) == (409, "gap")


def test_records_inside_a_gap_are_not_taken_afterwards(backend: Backend) -> None:
    damage = Damage(backend)
    backend.upload(damage.device, damage.device.segment(1, 4))
    damage.upload()
    answer = backend.upload(damage.device, damage.device.segment(4, 9))
    assert (answer.status, answer.json["error"]) == (409, "fork")
    assert damage.held() == [1, 2, 3, 4, 7, 8, 9, 10, 11]
    kept = {row["hash"] for row in backend.rows(schema.quarantine)}
    assert leaf_hash(damage.device.records[4]) in kept, "but they are kept apart"


def test_a_first_line_beyond_all_measure_is_refused(backend: Backend) -> None:
    damage = Damage(backend)
    rows = tuple(Damaged(5, b64(bytes(100_000)), "") for _ in range(8))
    answer = backend.upload(damage.device, frame(damage.segment(notice=damage.notice(damaged=rows))))
    assert (answer.status, answer.json["error"]) == (400, "bad_segment")
