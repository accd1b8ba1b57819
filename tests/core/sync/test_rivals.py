"""What went wrong with other tills on the way to the backend, each with what must happen here. At the counter:
`tests.system.rivals`."""

from pathlib import Path

from cloud import schema
from kiosk.journal.source import Source
from kiosk.journal.verify import Keys, verify
from kiosk.records.identity import public_key
from tests.core.cloud.lane import Backend
from tests.core.sync.fake_lane import FakeLane
from tests.core.sync.real_lane import RealLane
from tests.core.sync.relay import Relay
from tests.core.sync.test_uplink import at, play, syncing


def test_a_timeout_after_the_servers_success_makes_no_second_sale(backend: Backend) -> None:
    """Odoo #40567. Elsewhere: the server stores the order, its answer is lost, the till sends it again, and there are
    two. Here: what is sent again has the same place in the chain and the same hash, and is there once."""

    async def script() -> None:
        lane = FakeLane(backend.device())
        for number in (1, 2, 3):
            lane.device.append_sale(number)
        faults = iter(["drop_answer", "drop_answer", "cut_answer", "twice"])
        relay = Relay(backend.server.port, lambda: next(faults, "none"))
        try:
            async with syncing(lane, enrolment=at(lane.device, relay.port)):
                await lane.until_acked(3)
        finally:
            relay.close()
        assert relay.seen[:3] == ["drop_answer", "drop_answer", "cut_answer"]
        assert backend.held(lane.device) == lane.device.records

    play(script)
    assert sorted(row["sale_id"] for row in backend.rows(schema.sales)) == ["sale-1", "sale-2", "sale-3"]


def test_a_new_enrolment_loses_no_stored_payment(backend: Backend, tmp_path: Path) -> None:
    """Square's documentation. Elsewhere: signing out, or resetting the app, deletes the payments that were stored while
    offline. Here: a journal is never deleted; what had not gone up stays in it, verifies, and goes out by export."""
    lane = RealLane.enrolled(backend, tmp_path / "lane")
    lane.write(3)
    assert lane.sync()
    lane.write(5, "stored while offline")
    signed_out = lane.enrolment
    lane.enrolment = backend.device(identity=lane.keys.identity()).enrolment
    lane.keys.make(lane.enrolment.ep)
    lane.write(2, "after it was enrolled anew")
    lane.sync()
    with Source(lane.path) as source:
        entries = list(source.entries())
        keys = Keys(lane.identity_key, public_key(signed_out.cosign_key), signed_out.dev)
        assert verify(entries, source.certificates, source.acknowledgements, keys).bad is None
    places = [(entry.ep, entry.seq) for entry in entries]
    assert places[:8] == [(signed_out.ep, seq) for seq in range(1, 9)]
    assert sum(b"stored while offline" in entry.data for entry in entries) == 5
    assert [seq for seq, _ in lane.held(lane.enrolment.ep)] == [seq for ep, seq in places if ep == lane.enrolment.ep]
