"""The CloudEvents form, held to an independent implementation: the `cloudevents` SDK reads what the lane sends, and
sends what the cloud reads."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent

from kiosk.records import carried
from kiosk.records.events import ANSWER_TYPE, JOURNAL_TYPE, STATUS_TYPE
from kiosk.records.identity import public_key
from kiosk.records.segment import CONTENT_TYPE, frame
from kiosk.sync.backend import Busy, Denied, Strange, TooLarge
from kiosk.sync.cloudevents import EventsBackend, EventsLine
from tests.core.cloud.lane import Answer, Backend, Device

ID = "0123456789abcdef0123456789abcdef"


def filled(backend: Backend, count: int) -> Device:
    device = backend.device()
    for _ in range(count):
        device.append()
    return device


class Router:
    """A receiver that keeps what it got, and answers as it is told."""

    def __init__(self) -> None:
        self.status, self.body, self.told = 202, b"", {"Retry-After": "7"}
        self.seen: list[HTTPMessage] = []
        router = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                router.seen.append(HTTPMessage(dict(self.headers), body))
                self.send_response(router.status)
                for name, value in router.told.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(router.body)))
                self.end_headers()
                self.wfile.write(router.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def router() -> Iterator[Router]:
    made = Router()
    yield made
    made.close()


def test_the_sdk_reads_what_the_lane_sends(backend: Backend, router: Router) -> None:
    device = filled(backend, 3)
    adapter = EventsBackend(device.enrolment, EventsLine(url=router.url))
    segment = device.segment(1, 3)
    adapter.send(segment)
    adapter.close()
    event = from_http_event(router.seen[0])
    dev = device.enrolment.dev
    assert (event.get_specversion(), event.get_type()) == ("1.0", JOURNAL_TYPE)
    assert event.get_source() == f"/kiosks/{dev}/epochs/1"
    assert (event.get_subject(), event.get_datacontenttype()) == ("1-3", CONTENT_TYPE)
    assert event.get_extension("partitionkey") == f"{dev}.1"
    assert carried.is_id(event.get_id())
    data = event.get_data()
    assert (data if isinstance(data, bytes) else str(data).encode()) == frame(segment)
    assert device.enrolment.device_token not in str(router.seen[0])


def sdk_event(device: Device, typ: str, data: bytes, content_type: str, **changes: str) -> CloudEvent:
    me, journal = device.enrolment, typ == JOURNAL_TYPE
    place = carried.Place("journal", me.dev, me.ep) if journal else carried.Place("status", me.dev)
    attributes = {
        "id": ID,
        "source": f"/kiosks/{me.dev}" + (f"/epochs/{me.ep}" if journal else ""),
        "type": typ,
        "datacontenttype": content_type,
        "kassaseal": carried.seal(me.device_token, place, ID, data),
    }
    return CloudEvent(attributes | changes, data)


def post(backend: Backend, message: HTTPMessage) -> Answer:
    found = backend.http.request("POST", f"{backend.url}/v1/events", body=message.body, headers=message.headers)
    return Answer(found.status, found.headers, found.data)


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event], ids=["binary", "structured"])
def test_the_cloud_reads_what_the_sdk_sends(backend: Backend, mode: Any) -> None:
    device = filled(backend, 2)
    answer = post(backend, mode(sdk_event(device, JOURNAL_TYPE, frame(device.segment(1, 2)), CONTENT_TYPE)))
    assert answer.status == 200, answer.body
    assert backend.held(device) == device.records
    event = from_http_event(HTTPMessage(dict(answer.headers), answer.body))
    assert (event.get_type(), event.get_id()) == (ANSWER_TYPE, ID)
    assert event.get_source() == f"/kiosks/{device.enrolment.dev}/epochs/1"
    data = event.get_data()
    assert isinstance(data, bytes)
    said = carried.open_answer(public_key(device.enrolment.cosign_key), data)
    assert said.ack is not None
    device.verify(said.ack)


def test_a_status_comes_by_the_sdk_too(backend: Backend) -> None:
    device = filled(backend, 0)
    event = sdk_event(device, STATUS_TYPE, b'{"software":"kassa 9"}', "application/json")
    assert post(backend, to_binary_event(event)).status == 204


BAD: dict[str, tuple[dict[str, str], str]] = {
    "specversion": ({"ce-specversion": "0.3"}, "allowed: 1.0"),
    "type": ({"ce-type": "com.example"}, f"allowed: {JOURNAL_TYPE}"),
    "content type": ({"Content-Type": "text/plain"}, f"{CONTENT_TYPE}"),
    "source": ({"ce-source": "/kiosks/../1"}, "/kiosks/DEVICE"),
    "source without an epoch": ({"ce-source": "/kiosks/d1"}, "/epochs/NUMBER"),
    "id": ({"ce-id": "1"}, "32 hex digits"),
    "batch": ({"Content-Type": "application/cloudevents-batch+json"}, "batches have no order"),
    "structured": ({"Content-Type": "application/cloudevents+json"}, "structured mode"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_event_that_is_none_is_named(backend: Backend, case: str) -> None:
    device = filled(backend, 1)
    changes, words = BAD[case]
    message = to_binary_event(sdk_event(device, JOURNAL_TYPE, frame(device.segment(1, 1)), CONTENT_TYPE))
    headers = {name.lower(): value for name, value in message.headers.items()}
    headers |= {name.lower(): value for name, value in changes.items()}
    answer = post(backend, HTTPMessage(headers, message.body))
    assert answer.status == 400
    assert words in answer.json["message"]
    assert backend.held(device) == []


def test_a_structured_event_must_carry_exact_bytes(backend: Backend) -> None:
    device = filled(backend, 0)
    event = sdk_event(device, STATUS_TYPE, b"{}", "application/json").get_attributes()
    body = json.dumps({**{name: str(value) for name, value in event.items()}, "data": {}}).encode()
    answer = post(backend, HTTPMessage({"Content-Type": "application/cloudevents+json"}, body))
    assert (answer.status, "data_base64" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (202, Strange("the event was taken, but not counter-signed: the address must answer for the cloud")),
        (401, Denied("HTTP 401 without a reason")),
        (413, TooLarge()),
        (503, Busy(7.0, "HTTP 503 without a reason")),
        (500, Strange("HTTP 500 without a reason")),
        (200, Strange("0 bytes are no answer of the backend")),
    ],
)
def test_a_routers_own_answer_moves_nothing(backend: Backend, router: Router, status: int, answer: object) -> None:
    device = filled(backend, 1)
    router.status = status
    adapter = EventsBackend(device.enrolment, EventsLine(url=router.url))
    assert adapter.send(device.segment(1, 1)) == answer
    adapter.close()


def test_an_event_of_no_device_is_refused_without_an_answer(backend: Backend) -> None:
    device = filled(backend, 1)
    event = sdk_event(device, JOURNAL_TYPE, frame(device.segment(1, 1)), CONTENT_TYPE, source="/kiosks/d0/epochs/1")
    answer = post(backend, to_binary_event(event))
    assert (answer.status, answer.json["error"]) == (403, "dropped")
