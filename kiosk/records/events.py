"""A letter as a CloudEvent (CloudEvents 1.0): its context attributes, as the binary mode's headers and read from both
modes. Extension names are lower-case letters and digits only (specification, "Naming conventions")."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from kiosk.records.carried import Kind, Place, is_id
from kiosk.records.segment import CONTENT_TYPE

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JOURNAL_TYPE = "kassa.journal.segment.v1"
STATUS_TYPE = "kassa.lane.status.v1"
ANSWER_TYPE = "kassa.journal.answer.v1"
_TYPES: dict[str, tuple[Kind, str]] = {
    JOURNAL_TYPE: ("journal", CONTENT_TYPE),
    STATUS_TYPE: ("status", "application/json"),
}
_SOURCE = re.compile(r"/kiosks/([0-9a-z]{1,64})(?:/epochs/([1-9][0-9]{0,14}))?", re.ASCII)


class BadEvent(ValueError):
    """No event of a lane; the text says what is wrong and what is allowed."""


class Event(msgspec.Struct, frozen=True):
    place: Place
    id: str
    seal: str
    data: bytes


def source(place: Place) -> str:
    return f"/kiosks/{place.dev}" + (f"/epochs/{place.ep}" if place.ep else "")


def headers(typ: str, place: Place, id: str, seal: str, content_type: str, subject: str = "") -> dict[str, str]:
    """Of an HTTP request or answer in binary mode. All values are plain ASCII: nothing is to be percent-encoded."""
    named = {"ce-specversion": "1.0", "ce-type": typ, "ce-source": source(place), "ce-id": id}
    if seal:
        named["ce-kassaseal"] = seal
    if subject:
        named["ce-subject"] = subject
    if place.ep:
        named["ce-partitionkey"] = f"{place.dev}.{place.ep}"  # the documented extension: keeps an epoch in order
    return named | {"Content-Type": content_type}


def read(content_type: str, told: Mapping[str, str], body: bytes) -> Event:
    """An event of a request, in binary or structured mode. Raises BadEvent."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == BATCH:
        raise BadEvent("batches have no order and are not taken; allowed: binary mode, or structured mode as JSON")
    if kind == STRUCTURED:
        attributes, data = _structured(body)
    else:
        names = ("specversion", "type", "source", "id", "kassaseal")
        attributes = {name: unquote(told.get(f"ce-{name}", "")) for name in names}
        attributes["datacontenttype"] = kind
        data = body
    return _event(attributes, data)


def _structured(body: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        attributes = msgspec.json.decode(body, type=dict[str, Any])
        data = attributes.pop("data", None)
        packed = attributes.pop("data_base64", None)
        if isinstance(packed, str):
            return attributes, b64decode(packed, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError) as error:
        raise BadEvent(f"the event is no JSON of the structured mode: {error}") from None
    if isinstance(data, str) and attributes.get("datacontenttype") == CONTENT_TYPE:
        return attributes, data.encode("utf-8", "surrogatepass")
    raise BadEvent("the seal is over exact bytes; allowed in structured mode: data_base64")


def _event(attributes: Mapping[str, Any], data: bytes) -> Event:
    text = {name: value if isinstance(value, str) else "" for name, value in attributes.items()}
    if text.get("specversion") != "1.0":
        raise BadEvent("specversion is missing or unknown; allowed: 1.0")
    if text.get("type") not in _TYPES:
        raise BadEvent(f"type is missing or unknown; allowed: {', '.join(_TYPES)}")
    kind, content_type = _TYPES[text["type"]]
    if text.get("datacontenttype", "").partition(";")[0].strip().lower() != content_type:
        raise BadEvent(f"datacontenttype is another one; allowed with {text['type']}: {content_type}")
    found = _SOURCE.fullmatch(text.get("source", ""))
    if found is None or (kind == "journal") != (found[2] is not None):
        raise BadEvent("source is no lane's; allowed: /kiosks/DEVICE, and /epochs/NUMBER after it for a segment")
    if not is_id(text.get("id", "")):
        raise BadEvent("id is none; allowed: 32 hex digits")
    return Event(Place(kind, found[1], int(found[2] or 0)), text["id"], text.get("kassaseal", ""), data)
