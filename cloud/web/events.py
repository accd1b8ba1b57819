"""`/v1/events`: the same letters as over a broker, as CloudEvents over HTTP. The answer is an event too, and signed."""

from flask import Blueprint, Response, request

from cloud.letters import Letterbox
from cloud.web.api import BadRequest, bounded_body, json_error
from cloud.web.service import Service
from kiosk.records.events import ANSWER_TYPE, BadEvent, headers, read
from kiosk.records.segment import MAX_SEGMENT_BYTES


def blueprint(service: Service) -> Blueprint:
    events = Blueprint("events", __name__, url_prefix="/v1")
    letters = Letterbox(service.store, service.keys, service.clock)

    @events.post("/events")
    def _event() -> Response:
        # In structured mode, whose base64 is longer, this leaves room for a smaller segment.
        body = bounded_body(MAX_SEGMENT_BYTES)
        event = read(request.content_type or "", {name.lower(): value for name, value in request.headers}, body)
        if event.place.kind == "status":
            taken = letters.status(event.place, event.id, event.seal, event.data)
            service.bell.ring()
            return Response(status=204) if taken else json_error(403, "dropped", "the event is of no device here")
        answer = letters.journal(event.place, event.id, event.seal, event.data)
        if answer is None:
            return json_error(403, "dropped", "the event is of no device here")
        service.bell.ring()
        said = headers(ANSWER_TYPE, event.place, event.id, "", "application/octet-stream")
        return Response(answer, headers=said)

    @events.errorhandler(BadEvent)
    def _bad_event(error: BadEvent) -> Response:
        return json_error(400, "bad_event", str(error))

    @events.errorhandler(BadRequest)
    def _bad_request(error: BadRequest) -> Response:
        return json_error(error.status, error.kind, str(error))

    return events
