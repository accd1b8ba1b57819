"""The operator's pages and API, and the projection they stand on."""

import http.client
import json
import re
import threading
import time
from typing import Any

import msgspec
import pytest

from cloud import schema
from cloud.rebuild import rebuild
from kiosk.records.sale import Quantity, TaxTotal
from tests.core.cloud.lane import WALL_MS, Backend, Device, sale

HOSTILE = '<script>alert("x")</script>\u202e\x00&\'"'


def sold(backend: Backend, count: int = 1, **how: Any) -> Device:
    device = backend.device()
    for number in range(1, count + 1):
        device.append_sale(number, **how)
    assert backend.upload(device, device.segment(1, count)).status == 200
    return device


def page(backend: Backend, path: str) -> str:
    answer = backend.call("GET", path)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def test_a_sale_is_projected_as_the_record_says_it(backend: Backend) -> None:
    device = sold(backend)
    [head] = backend.rows(schema.sales)
    wanted = {"dev": device.enrolment.dev, "seq": 1, "sale_no": 1, "receipt_no": 1, "total_minor": 2500, "items": 1}
    assert wanted.items() <= head.items()
    assert (head["currency"], head["exponent"], head["local_day"]) == ("DKK", 2, "2026-11-21")
    [line], [tax], [tender] = (backend.rows(t) for t in (schema.sale_lines, schema.sale_taxes, schema.sale_tenders))
    assert (line["name"], line["gross_minor"]) == ("Rugbrød", 2500)
    assert (tax["base_minor"], tax["tax_minor"], tax["gross_minor"]) == (2000, 500, 2500)
    assert (tender["masked_pan"], tender["trace_no"]) == ("************1234", "000123")


def test_a_rebuild_makes_the_same_rows_again(backend: Backend) -> None:
    device = sold(backend, 3)
    device.append("sale.closed", {"sale": 7})
    backend.upload(device, device.segment(4, 4))
    before = [backend.rows(table) for table in schema.PROJECTIONS]
    with backend.store.write() as connection:
        connection.execute(schema.sales.delete())
    assert rebuild(backend.store) == (3, 1)
    assert [backend.rows(table) for table in schema.PROJECTIONS] == before
    assert [epoch["uninterpreted"] for epoch in backend.rows(schema.epochs)] == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"closed_wall_ms": -(2**53) + 1},
        {"closed_wall_ms": 2**53 - 1},
        {"total_minor": -(2**53) + 1},
        {"sale_id": HOSTILE},
        {"receipt_no": 2**53 - 1},
        {"taxes": [TaxTotal("S", 2500, 0, 2**53 - 1, 0)] * 2000},
        {"lines": [msgspec.structs.replace(sale().lines[0], quantity=Quantity(2**53 - 1))] * 2000},
    ],
)
def test_extreme_sales_are_taken_and_shown(backend: Backend, change: dict[str, Any]) -> None:
    device = backend.device()
    body = {"sale": msgspec.to_builtins(msgspec.structs.replace(sale(), **change))}
    device.append("sale.closed", body, tzo=2**50)
    assert backend.upload(device, device.segment(1, 1)).status == 200
    assert [epoch["uninterpreted"] for epoch in backend.rows(schema.epochs)] == [0]
    page(backend, "/")
    page(backend, f"/sales/{device.enrolment.dev}/1/1")


def test_hostile_text_is_escaped_everywhere(backend: Backend) -> None:
    device = sold(backend, name=HOSTILE)
    dev = device.enrolment.dev
    status = {key: HOSTILE for key in ("software", "screen", "catalogue", "halt")} | {
        "devices": [{"name": HOSTILE, "condition": HOSTILE, "reason": HOSTILE, "warnings": [HOSTILE]}],
        "journal": HOSTILE,
        "clock": HOSTILE,
    }
    answer = backend.call(
        "POST",
        f"/v1/status/{dev}",
        json.dumps(status).encode(),
        Content_Type="application/json",
        Authorization=f"Bearer {device.enrolment.device_token}",
    )
    assert answer.status == 204
    for path in ("/", f"/kiosks/{dev}", f"/sales/{dev}/1/1"):
        text = page(backend, path)
        assert "<script>alert" not in text
        assert re.findall(r"<script\b[^>]*>", text) == ['<script src="/static/live.js" defer>']
        assert "style=" not in text
    assert "&lt;script&gt;" in page(backend, f"/sales/{dev}/1/1")
    assert "&lt;script&gt;" in page(backend, f"/kiosks/{dev}")


def test_pages_allow_nothing_from_elsewhere(backend: Backend) -> None:
    answer = backend.call("GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["kassa.example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", ""]
)
@pytest.mark.parametrize("path", ["/", "/api/sales", "/events", "/static/live.js"])
def test_a_foreign_host_header_is_refused(backend: Backend, host: str, path: str) -> None:
    assert backend.call("GET", path, Host=host).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:9"])
def test_this_machines_names_are_served(backend: Backend, host: str) -> None:
    assert backend.call("GET", "/", Host=host).status == 200


def test_today_counts_live_sales_of_the_shops_own_day(backend: Backend) -> None:
    device = sold(backend, 2)
    for changes in ({"mode": "training"}, {"tzo": 60}):
        number = len(device.records) + 1
        closed = sale(number) if "mode" in changes else msgspec.structs.replace(
            sale(number), closed_wall_ms=WALL_MS - 14 * 3_600_000
        )  # fmt: skip
        device.append("sale.closed", {"sale": msgspec.to_builtins(closed)}, **changes)
    backend.upload(device, device.segment(3, 4))
    [kiosk] = backend.call("GET", "/api/kiosks").json
    assert kiosk["sales"] == 2
    assert kiosk["takings"] == [{"amount_minor": 5000, "currency": "DKK", "exponent": 2}]
    assert "50.00" in page(backend, "/")


def test_the_api_gives_each_sale_once(backend: Backend) -> None:
    device = sold(backend, 3)
    first = backend.call("GET", "/api/sales").json
    assert [row["sale_no"] for row in first["sales"]] == [1, 2, 3]
    assert backend.call("GET", f"/api/sales?since={first['next']}").json["sales"] == []
    device.append_sale(4)
    backend.upload(device, device.segment(4, 4))
    later = backend.call("GET", f"/api/sales?since={first['next']}").json
    assert [row["sale_no"] for row in later["sales"]] == [4]
    assert backend.call("GET", f"/api/sales?since={WALL_MS}").json["sales"] == []
    for wrong in ("x", "1.2", "9" * 40, "1.d.x.y"):
        assert backend.call("GET", f"/api/sales?since={wrong}").status == 400, wrong


@pytest.mark.parametrize(
    "path",
    [
        "/kiosks/none", "/sales/none/1/1", f"/sales/d/{10**30}/1", "/nothing",
        "/kiosks/%00", "/sales/a%00/1/1", "/r/%00", "/api/sales?since=1.%00.1.1",
    ],
)  # fmt: skip
def test_what_is_not_there_is_404(backend: Backend, path: str) -> None:
    assert backend.call("GET", path).status == 404


def test_a_sale_rings_through_to_an_open_page(backend: Backend) -> None:
    device = backend.device()
    device.append_sale(1)
    stream = http.client.HTTPConnection("127.0.0.1", backend.server.port, timeout=10)
    stream.request("GET", "/events")
    answer = stream.getresponse()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert b"hello" in answer.read1()
    began = time.monotonic()
    threading.Timer(0.05, lambda: backend.upload(device, device.segment(1, 1))).start()
    while b"change" not in answer.read1():
        assert time.monotonic() - began < 5
    answer.close()
    stream.close()


def test_only_so_many_pages_are_live_and_places_come_back(backend: Backend) -> None:
    streams = [http.client.HTTPConnection("127.0.0.1", backend.server.port, timeout=10) for _ in range(3)]
    answers = []
    for stream in streams:
        stream.request("GET", "/events")
        answers.append(stream.getresponse())
    assert [answer.status for answer in answers] == [200, 200, 503]
    for answer, stream in zip(answers, streams, strict=True):
        answer.close()
        stream.close()
    deadline = time.monotonic() + 10
    while not backend.server.service.bell.admit(2):
        assert time.monotonic() < deadline, "the places were not given back"
        backend.server.service.bell.ring()
        time.sleep(0.02)
