"""CloudEvents 1.0 over HTTP (cloudevents/spec v1.0.2, HTTP protocol binding): one segment is one event, binary mode.

Why not batches: the events of a batch have no relation and no order between them (HTTP binding, section 3.3), while a
segment is one chain under one signature. Why binary and not structured mode: the record bytes must arrive exactly, and
structured mode would carry them as base64, a third longer. The attributes are headers, the segment is the body.

The device's token does not go along: the event may pass routers that are not the cloud. It is sealed like any letter,
and the answer, an event too, is signed. A router that only takes the event (202) has not counter-signed anything.
"""

from typing import Annotated

import msgspec
import urllib3

from kiosk.records import brokers
from kiosk.records.carried import MAX_STATUS_BYTES
from kiosk.records.events import JOURNAL_TYPE, STATUS_TYPE, headers
from kiosk.records.identity import Enrolment
from kiosk.records.segment import CONTENT_TYPE, SignedSegment
from kiosk.sync.backend import Answer, Busy, Capabilities, Denied, Strange, TooLarge, Unreachable
from kiosk.sync.http import READ_TIMEOUT_S, HttpLine, reason, retry_after_s
from kiosk.sync.letters import Letter, Letters, opened
from kiosk.sync.meaning import Failed


class EventsLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: where events go; empty: to the backend that the lane is enrolled at. `bearer`: an absolute path or a
    systemd credential that holds a token for a router on the way. `ca`: PEM file of the trusted authorities."""

    url: Annotated[str, msgspec.Meta(max_length=500)] = ""
    bearer: brokers.Text = ""
    ca: brokers.Text = ""


class EventsBackend:
    """Blocks; one call at a time. Close it at the end. Raises BadConfig for a credential or authority file."""

    capabilities = Capabilities(ordered=True, conditional=False, deduplicating=False, countersigns=False)

    def __init__(self, enrolment: Enrolment, line: EventsLine, *, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self._me = enrolment
        self._letters = Letters(enrolment)
        bearer = brokers.secret(line.bearer)
        self._line = HttpLine(
            line.url or f"{enrolment.backend}/v1/events",
            {"Authorization": f"Bearer {bearer}"} if bearer else {},
            read_timeout_s=read_timeout_s,
            ssl_context=brokers.tls(brokers.Line(ca=line.ca)) if line.ca else None,
        )

    def close(self) -> None:
        self._line.close()

    def send(self, segment: SignedSegment) -> Answer:
        letter = self._letters.journal(segment)
        subject = f"{segment.header.first_seq}-{segment.last_seq}"
        try:
            status, body, told = self._post(letter, JOURNAL_TYPE, CONTENT_TYPE, subject)
        except Failed as error:
            return Unreachable(str(error))
        match status:
            case 200:
                return opened(self._me, letter, body)
            case 202 | 204:
                return Strange("the event was taken, but not counter-signed: the address must answer for the cloud")
            case 401 | 403:
                return Denied(reason(status, body))
            case 413:
                return TooLarge()
            case 429 | 503:
                return Busy(retry_after_s(told), reason(status, body))
            case _:
                return Strange(reason(status, body))

    def status(self, body: bytes) -> None:
        """Raises Failed."""
        if len(body) > MAX_STATUS_BYTES:
            raise Failed(f"a status of {len(body)} bytes; at most {MAX_STATUS_BYTES} are allowed")
        status, answer, _ = self._post(self._letters.status(body), STATUS_TYPE, "application/json", "")
        if not 200 <= status < 300:
            raise Failed(reason(status, answer), status)

    def _post(
        self, letter: Letter, typ: str, content_type: str, subject: str
    ) -> tuple[int, bytes, "urllib3.HTTPHeaderDict"]:
        told = headers(typ, letter.place, letter.id, letter.seal, content_type, subject)
        return self._line.call("POST", "", letter.body, told)
