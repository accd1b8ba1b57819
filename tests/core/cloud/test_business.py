"""Day reports on the kiosk's page, and the alarm for a suspended sale that was taken up twice."""

from typing import Any

import pytest

from cloud import schema
from cloud.rebuild import rebuild
from tests.core.cloud.lane import Backend, Device

REPORT: dict[str, Any] = {
    "date": "2026-11-27", "no": 3, "mode": "live", "currency": "DKK", "opened_ms": 1, "closed_ms": 9, "sales": 2,
    "gross_minor": 4600, "grand_total_minor": 99_000, "voids": 1, "suspended": 1, "recalled": 0,
}  # fmt: skip


def upload(backend: Backend, device: Device) -> None:
    assert backend.upload(device, device.segment(1, len(device.records))).status == 200


def recalls(device: Device, original: str = "ab" * 16) -> None:
    device.append("sale.recalled", {"event": {"type": "sale.recalled", "original": original}})


def alarms(backend: Backend) -> list[tuple[str, str]]:
    return [(row["dev"], row["kind"]) for row in backend.rows(schema.alarms)]


def test_a_closed_day_stands_on_the_kiosks_page(backend: Backend) -> None:
    device = backend.device()
    device.append_sale(1)
    device.append("day.close", {"event": {"type": "day.close", "report": REPORT}})
    upload(backend, device)
    page = backend.call("GET", f"/kiosks/{device.enrolment.dev}").body.decode()
    assert "Business days" in page
    assert "2026-11-27" in page
    assert "46.00" in page
    assert "990.00" in page


def test_two_lanes_that_take_up_one_slip_are_an_alarm(backend: Backend) -> None:
    one, other = backend.device(reg="1"), backend.device(reg="2")
    recalls(one)
    upload(backend, one)
    assert alarms(backend) == []
    recalls(other)
    upload(backend, other)
    assert alarms(backend) == [(other.enrolment.dev, "recalled_twice")]
    page = backend.call("GET", "/").body.decode()
    assert "Taken up twice" in page


def test_two_slips_are_none(backend: Backend) -> None:
    one, other = backend.device(reg="1"), backend.device(reg="2")
    recalls(one)
    recalls(other, "cd" * 16)
    upload(backend, one)
    upload(backend, other)
    assert alarms(backend) == []


UNREADABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "no event": ("day.close", {}),
    "no report": ("day.close", {"event": {}}),
    "a report of words": ("day.close", {"event": {"report": REPORT | {"sales": "two"}}}),
    "a recall of nothing": ("sale.recalled", {"event": {"original": 5}}),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_kept_and_counted(backend: Backend, name: str) -> None:
    device = backend.device()
    device.append(*UNREADABLE[name])
    upload(backend, device)
    assert [row["problem"] is not None for row in backend.rows(schema.records)] == [True]


def test_they_are_made_again_from_the_records(backend: Backend) -> None:
    device = backend.device()
    recalls(device)
    device.append("day.close", {"event": {"report": REPORT}})
    upload(backend, device)
    before = [backend.rows(table) for table in (schema.day_reports, schema.recalls)]
    rebuild(backend.store)
    assert [backend.rows(table) for table in (schema.day_reports, schema.recalls)] == before


RECONCILED: dict[str, Any] = {
    "no": 3,
    "totals": {"outcome": "closed", "amount_minor": 3350, "count": 2},
    "comparison": {
        "ours_minor": 4600, "ours_count": 3, "difference_minor": 1250,
        "explained": [{"where": "ours", "receipt_no": "0042", "sale_no": 7}],
    },
}  # fmt: skip


def test_an_acquirers_end_of_day_that_says_otherwise_is_an_alarm_with_the_sale(backend: Backend) -> None:
    device = backend.device()
    device.append("day.reconciled", {"event": RECONCILED})
    upload(backend, device)
    (alarm,) = backend.rows(schema.alarms)
    assert alarm["kind"] == "day_difference"
    assert "2 payments of 3350, the lane 3 of 4600" in alarm["text"]
    assert "not at the terminal: receipt 0042, sale 7" in alarm["text"]


@pytest.mark.parametrize("outcome", ["closed", "not_possible", "unknown"])
def test_no_difference_is_no_alarm(backend: Backend, outcome: str) -> None:
    device = backend.device()
    same = {"ours_minor": 3350, "ours_count": 2, "difference_minor": 0, "explained": []}
    totals = RECONCILED["totals"] | {"outcome": outcome}
    device.append("day.reconciled", {"event": RECONCILED | {"totals": totals, "comparison": same}})
    upload(backend, device)
    assert alarms(backend) == []


def test_a_payment_that_only_staff_can_settle_is_an_alarm(backend: Backend) -> None:
    device = backend.device()
    evidence = {
        "why": "unclear",
        "requested_minor": 7185,
        "currency": "DKK",
        "said": "unknown",
        "detail": "trace 12 is another amount",
    }
    event = {"type": "payment.manual", "tender_id": "t1", "evidence": evidence, "wall_ms": 1}
    device.append("payment.manual", {"event": event})
    device.append("payment.manual", {"event": {"type": "payment.manual"}})
    upload(backend, device)
    (alarm,) = backend.rows(schema.alarms)
    assert (alarm["kind"], alarm["seq"]) == ("payment_manual", 1)
    for word in ("t1", "7185 DKK", "unclear", "unknown", "trace 12 is another amount"):
        assert word in alarm["text"]
    assert "Payment in doubt" in backend.call("GET", "/").body.decode()


def test_a_sale_of_which_records_are_damaged_is_an_alarm(backend: Backend) -> None:
    device = backend.device()
    device.append("sale.lost", {"event": {"type": "sale.lost", "why": "1 damaged record", "wall_ms": 1}, "sale": None})
    known = {"sale_no": 7, "total_minor": 1250, "tenders": [{"state": "approved"}]}
    device.append("sale.lost", {"event": {"type": "sale.lost", "why": "2", "wall_ms": 2}, "sale": known})
    upload(backend, device)
    first, second = backend.rows(schema.alarms)
    assert first["kind"] == second["kind"] == "sale_lost"
    assert "may have been paid" in first["text"]
    assert "sale 7 of 1250, payments: approved" in second["text"]
