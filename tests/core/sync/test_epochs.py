"""Real journals against the real backend: epochs that follow each other, damage, restored and copied lanes."""

import asyncio
import random
import shutil
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloud import schema
from cloud.devices import revoke
from cloud.keys import rotate_cosign
from kiosk.api.client import LaneClient
from kiosk.core.state import State
from kiosk.journal.errors import Damaged
from kiosk.records.journal import Record
from kiosk.records.lifecycle import EPOCH, read_epoch
from kiosk.sync.http import HttpBackend
from kiosk.sync.uplink import Uplink
from provisioning.enrol.rotate import NotNow, rotate
from tests.core.checkout.script import Script
from tests.core.cloud.lane import Backend, Device
from tests.core.sync.real_lane import RealLane

AT = 2**40


@pytest.fixture
def lane(backend: Backend, tmp_path: Path) -> RealLane:
    return RealLane.enrolled(backend, tmp_path / "lane")


def seqs(lane: RealLane, ep: int) -> list[int]:
    return [seq for seq, _ in lane.held(ep)]


def test_a_new_enrolment_leaves_the_older_epochs_backlog_and_goes_on(lane: RealLane, tmp_path: Path) -> None:
    lane.write(3)
    assert lane.sync()
    lane.write(2, "never taken: the register was given to the next epoch")
    again = lane.backend.device(identity=lane.keys.identity()).enrolment
    lane.keys.make(again.ep)
    lane.enrolment = again
    lane.write(4)
    assert not lane.sync(), "the older epoch is left"
    assert (seqs(lane, 1), seqs(lane, 2)) == ([1, 2, 3], [1, 2, 3, 4])
    with lane.open() as journal:
        ack = journal.acknowledged(2)
        assert ack is not None
        assert ack.hwm == 4
        assert [(r.ep, r.seq) for r in journal.backward()][:5] == [(2, 4), (2, 3), (2, 2), (2, 1), (1, 5)]


def test_damage_in_the_middle_is_named_and_no_record_after_it_is_lost(lane: RealLane) -> None:
    lane.write(3)
    assert lane.sync()
    lane.write(6)
    lane.edit(
        f"UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'sync', 'SYNC') AS BLOB) WHERE place = {AT + 5}",
        f"DELETE FROM records WHERE place = {AT + 6}",
    )
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 3, 4, 7, 8, 9, 10]
    [gap] = lane.backend.rows(schema.gaps)
    assert (gap["ep"], gap["first_seq"], gap["last_seq"]) == (1, 5, 6)
    assert lane.held(1)[-1][1]["typ"] == "journal.gap"
    assert [row["seq"] for row in lane.backend.rows(schema.quarantine)] == [5], "the bytes that were still there"
    assert lane.alarms() == {("gap", 1)}
    lane.write(2)
    assert lane.sync()
    assert seqs(lane, 1)[-2:] == [11, 12]
    with lane.open() as journal:
        assert [record.seq for record in journal.backward()] == [12, 11, 10, 9, 8, 7, 4, 3, 2, 1]
        assert [record.seq for record in journal.tail()] == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12]


def test_damage_among_acknowledged_records_costs_the_backend_nothing(lane: RealLane) -> None:
    lane.write(5)
    assert lane.sync()
    lane.edit(f"UPDATE records SET data = x'00' WHERE place = {AT + 5}")
    lane.write(1)
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 3, 4, 5, 6, 7]
    assert lane.alarms() == {("gap", 1)}


def test_a_damaged_last_record_is_followed_by_its_gap_record(lane: RealLane) -> None:
    lane.write(2)
    assert lane.sync()
    lane.write(3)
    (lane.folder / "anchor").unlink()
    lane.edit(f"UPDATE records SET signature = x'00' WHERE place = {AT + 5}")
    lane.write(2)
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 3, 4, 6, 7, 8]


def test_a_gap_within_a_gap_record_is_declared_again(lane: RealLane) -> None:
    lane.write(6)
    lane.edit(f"DELETE FROM records WHERE place = {AT + 3}")
    lane.write(1)
    lane.edit(f"UPDATE records SET data = x'01' WHERE place = {AT + 7}")
    lane.write(1)
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 4, 5, 6, 8, 9, 10, 11]


def test_without_leave_to_mend_the_same_file_is_refused_and_left_alone(lane: RealLane) -> None:
    lane.write(4)
    lane.edit(f"DELETE FROM records WHERE place = {AT + 2}")
    before = lane.path.read_bytes()
    with pytest.raises(Damaged):
        lane.open(mend=False)
    assert lane.path.read_bytes() == before


def test_an_older_copy_put_back_sells_on_in_an_epoch_of_its_own(lane: RealLane) -> None:
    lane.write(3)
    copy = lane.path.read_bytes()
    lane.write(4)
    assert lane.sync()
    lane.path.write_bytes(copy)
    for rest in ("journal.db-wal", "journal.db-shm"):
        (lane.folder / rest).unlink(missing_ok=True)
    lane.write(2)
    with lane.open() as journal:
        ep = journal.head().ep
        first = [record for record in journal.backward() if record.ep == ep][-1]
    assert ep == 1 + 1 + lane.jump
    begun = read_epoch(first)
    assert begun is not None
    assert (begun.reason, begun.previous.seq, begun.file.seq) == ("cut_tail", 7, 3)
    assert begun.skip == 1004, "four records are known to be lost, and there may be more"
    assert lane.sync()
    assert (seqs(lane, 1), seqs(lane, ep)) == ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3])
    assert lane.alarms() == {("restored", 1)}
    lane.write(1)
    assert lane.sync(), "and it goes on there after every restart"
    assert seqs(lane, ep) == [1, 2, 3, 4]


def test_an_unsynced_rest_of_the_old_epoch_goes_up_before_it_is_fenced(lane: RealLane) -> None:
    lane.write(3)
    assert lane.sync()
    lane.write(2)
    copy = lane.path.read_bytes()
    lane.write(2)
    lane.path.write_bytes(copy)
    for rest in ("journal.db-wal", "journal.db-shm"):
        (lane.folder / rest).unlink(missing_ok=True)
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 3, 4, 5]
    assert seqs(lane, 43) == [1]


LOSSES = {
    "the file is gone": ("missing", lambda lane: [p.unlink() for p in lane.folder.glob("journal.db*")]),
    "a page is torn": ("file", lambda lane: _overwrite(lane.path, 1024, b"\xff" * 512, alone=True)),
    "the first page is torn": ("file", lambda lane: _overwrite(lane.path, 0, b"\xff" * 512, alone=True)),
    "the log's middle is torn": ("file", lambda lane: _overwrite(lane.folder / "journal.db-wal", 32 + 24, b"\xff" * 9)),
}


def _overwrite(path: Path, at: int, data: bytes, *, alone: bool = False) -> None:
    """`alone`: the log is carried over and gone, so that nothing heals the page."""
    for rest in ("-wal", "-shm") if alone else ():
        path.with_name(path.name + rest).unlink()
    raw = bytearray(path.read_bytes())
    raw[at : at + len(data)] = data
    path.write_bytes(raw)


@pytest.mark.parametrize("case", LOSSES)
def test_a_lost_or_broken_file_is_kept_aside_and_the_lane_sells_on(lane: RealLane, tmp_path: Path, case: str) -> None:
    with lane.open():
        lane.fill(40)
        if case == "the log's middle is torn":  # as a killed process leaves it
            shutil.copytree(lane.folder, tmp_path / "killed")
    if case == "the log's middle is torn":
        lane.folder = tmp_path / "killed"
    reason, lose = LOSSES[case]
    lose(lane)
    lane.write(2)
    with lane.open() as journal:
        first = list(journal.backward())[-1]
        assert journal.epochs == [43]
    begun = read_epoch(first)
    assert begun is not None
    assert (begun.reason, begun.previous.ep, begun.previous.seq) == (reason, 1, 40)
    aside = lane.folder / begun.aside
    assert (reason == "file") == bool(begun.aside)
    assert aside.exists()
    assert lane.sync()
    assert seqs(lane, 43) == [1, 2, 3]
    assert lane.alarms() == {("restored", 1)}


def test_a_whole_machine_put_back_learns_of_it_from_the_backend(lane: RealLane, tmp_path: Path) -> None:
    lane.write(3)
    image = lane.clone(tmp_path / "image")
    lane.write(4)
    assert lane.sync()
    image.write(1, "after the restore")
    before = image.checkout.state.next_sale_no
    image.sync()
    with image.open() as journal:
        ep = journal.head().ep
        first = [record for record in journal.backward() if record.ep == ep][-1]
    begun = read_epoch(first)
    assert begun is not None
    assert (begun.reason, begun.previous.seq, begun.file.seq) == ("fork", 7, 4)
    assert image.checkout.state.next_sale_no == before + begun.skip
    image.write(1)
    image.sync()
    assert seqs(image, ep) == [1, 2]
    assert {("fork", 1), ("restored", 1)} <= lane.alarms()


def test_the_fork_waits_until_no_sale_is_open(lane: RealLane, tmp_path: Path) -> None:
    lane.write(3)
    image = lane.clone(tmp_path / "image")
    lane.write(1)
    assert lane.sync()
    image.write(1, "other")
    idle, image.checkout.state = image.checkout.state, _selling()
    with image.open() as journal:
        asyncio.run(image.synced())
        assert journal.head().ep == 1
        image.checkout.state = idle
        for listener in image.checkout.rest:
            listener()
        assert journal.head().ep > 1


def _selling() -> State:
    script = Script()
    script.scan()
    return script.state


def test_of_two_copies_the_first_goes_on_and_the_second_ends_its_service(lane: RealLane, tmp_path: Path) -> None:
    lane.write(3)
    clone = lane.clone(tmp_path / "clone")
    lane.write(3)
    assert lane.sync()
    clone.write(1, "the clone's")
    clone.sync()
    clone.sync()
    lane.write(2)
    assert not lane.sync()
    assert "given to another device" in lane.checkout.barred
    assert ("cloned", 1) in lane.alarms()
    with lane.open() as journal:
        assert "given to another device" in journal.fenced, "a restart does not forget it"
    again = lane.backend.device(identity=lane.keys.identity()).enrolment
    lane.keys.make(again.ep)
    lane.enrolment, lane.checkout.barred = again, ""
    lane.write(1)
    with lane.open() as journal:
        assert journal.fenced == ""


def test_a_second_copy_that_began_an_epoch_too_is_refused(lane: RealLane, tmp_path: Path) -> None:
    lane.write(2)
    clones = [lane.clone(tmp_path / "a"), lane.clone(tmp_path / "b")]
    clones[1].jump = 900
    for clone in clones:
        clone.path.unlink()
        clone.write(1)
        clone.sync()
    assert [len(lane.held(ep)) for ep in (1 + 1 + clones[0].jump, 1 + 1 + 900)] == [2, 0]
    assert "given to another device" in clones[1].checkout.barred
    assert ("cloned", 902) in lane.alarms()


def test_a_replaced_device_cannot_begin_an_epoch(lane: RealLane) -> None:
    lane.write(2)
    lane.sync()
    lane.backend.device()
    lane.path.unlink()
    lane.write(1)
    assert not lane.sync()
    assert lane.held(43) == []
    assert "given to another device" in lane.checkout.barred


def test_a_revoked_device_cannot_begin_an_epoch_and_says_why(lane: RealLane) -> None:
    lane.write(2)
    lane.sync()
    revoke(lane.backend.store, lambda: 1, lane.enrolment.dev)
    lane.path.unlink()

    async def script() -> str:
        async with lane.serving() as path:
            adapter = HttpBackend(lane.enrolment)
            await Uplink(lane.enrolment, path, adapter, once=True).run()
            adapter.close()
            async with await LaneClient.connect(path) as client:
                return (await client.status()).upload

    with lane.open():
        said = asyncio.run(script())
    assert said == "denied: this device is revoked"
    assert lane.held(43) == []
    assert lane.held(1), "past records stay"


def stranger_of(lane: RealLane, identity: ec.EllipticCurvePrivateKey) -> Device:
    """Signs as the device in epoch 77, which was never granted."""
    return Device(msgspec.structs.replace(lane.enrolment, ep=77), identity)


def test_an_epoch_that_begins_without_saying_so_is_unknown(lane: RealLane) -> None:
    device = stranger_of(lane, lane.keys.identity())
    device.append()
    answer = lane.backend.upload(device, device.segment(1, 1))
    assert (answer.status, answer.json["error"]) == (404, "unknown_epoch")


def test_a_strangers_epoch_is_refused(lane: RealLane) -> None:
    lane.write(1)
    lane.sync()
    device = stranger_of(lane, ec.generate_private_key(ec.SECP256R1()))
    place = {"ep": 1, "seq": 1, "hash": "0" * 64}
    device.append(EPOCH, {"provisional": True, "reason": "file", "previous": place, "file": place})
    answer = lane.backend.upload(device, device.segment(1, 1))
    assert (answer.status, answer.json["error"]) == (422, "bad_certificate")
    assert len(lane.backend.rows(schema.epochs)) == 1


def test_a_rotated_journal_key_is_followed_by_the_backend(lane: RealLane) -> None:
    lane.write(2)
    assert lane.sync()
    assert rotate(lane.folder) == [1]
    with lane.open() as journal:
        lane.fill(1)
        following = lane.keys.following(1)
        assert following is not None
        journal.rotate(following)
    lane.write(2)
    lane.keys.followed(1)
    lane.write(1)
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 3, 4, 5, 6, 7]
    lane.write(3)
    assert lane.sync()
    assert len(lane.backend.rows(schema.journal_keys)) == 1
    rotate(lane.folder)
    with pytest.raises(NotNow, match="lies ready already"):
        rotate(lane.folder)


def test_a_change_of_the_backends_key_reaches_the_lane(lane: RealLane) -> None:
    lane.write(2)
    assert lane.sync()
    for _ in range(2):
        rotate_cosign(lane.backend.server.service.config.folder / "keys")
    lane.backend.restart()
    lane.enrolment = msgspec.structs.replace(lane.enrolment, backend=lane.backend.url)
    lane.write(1)
    lane.sync()
    assert lane.sync()
    with lane.open() as journal:
        ack = journal.acknowledged()
        assert ack is not None
        assert len(ack.changes) == 2
        assert [record.typ for record in journal.backward()].count("journal.cosign") == 1
    newcomer = lane.backend.device(reg="2").enrolment
    assert newcomer.cosign_key == ack.changes[-1].new


def test_a_backend_that_was_set_back_finds_old_damage_and_gets_the_rest(lane: RealLane) -> None:
    """What was acknowledged long ago is not verified at each start; now it is needed again."""
    lane.write(6)
    assert lane.sync()
    lane.edit(f"UPDATE records SET data = x'7b7d' WHERE place = {AT + 3}")
    with lane.backend.store.write() as connection:
        connection.execute(schema.records.delete().where(schema.records.c.seq > 1))
        first = connection.execute(schema.records.select()).one()
        connection.execute(schema.epochs.update().values(hwm=1, hash=first.hash))
    lane.write(1)
    assert not lane.sync()
    assert lane.sync()
    assert seqs(lane, 1) == [1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_damaged_between_two_syncs_the_backend_gets_the_rest(lane: RealLane, seed: int) -> None:
    luck, whole = random.Random(seed), set[int]()
    for _ in range(5):
        lane.write(luck.randrange(2, 7))
        whole |= {record.seq for record in _records(lane)}
        if luck.random() < 0.5:
            assert lane.sync()
            held = seqs(lane, 1)
            assert whole <= set(held)
            assert held == sorted(held)
        hit = {seq for seq in range(1, max(whole)) if luck.random() < 0.2}
        lane.edit(*(luck.choice([DROP, ROT]).format(AT + seq) for seq in sorted(hit)))
        whole = {seq for seq in whole if seq not in hit or seq in seqs(lane, 1)}
    lane.write(1)
    assert lane.sync()
    assert whole <= set(seqs(lane, 1))
    assert {kind for kind, _ in lane.alarms()} <= {"gap"}


DROP, ROT = "DELETE FROM records WHERE place = {}", "UPDATE records SET data = x'00' WHERE place = {}"


def _records(lane: RealLane) -> list[Record]:
    with lane.open() as journal:
        return list(journal.backward())
