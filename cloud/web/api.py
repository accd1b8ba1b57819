"""`/v1`: what devices call. Every answer is JSON with a stable word in `error` where it is one."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request

from cloud import catalogues, devices, enrolment, ingest, staff
from cloud.refusals import REASONS, refusal
from cloud.web.limits import FailureLimit
from cloud.web.service import Service
from kiosk.records.identity import EnrolmentRequest
from kiosk.records.segment import CONTENT_TYPE, MAX_SEGMENT_BYTES, unframe

MAX_BODY_BYTES = MAX_SEGMENT_BYTES
_MAX_SMALL_BODY_BYTES = 32 * 1024
_MAX_EPOCH = 2**53
T = TypeVar("T")


class BadRequest(Exception):
    """`status` and `kind` of the answer; the text says what is allowed."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def blueprint(service: Service) -> Blueprint:
    api = Blueprint("api", __name__, url_prefix="/v1")
    failures = FailureLimit(service.clock)

    @api.post("/enrol")
    def _enrol() -> Response:
        wait_s = failures.wait_s()
        if wait_s:
            return json_error(429, "too_many", "too many refused enrolments; try later", retry_s=wait_s)
        asked = _small(EnrolmentRequest)
        store, keys, tenant = service.store, service.keys, service.config.tenant
        try:
            answer = enrolment.enrol(store, keys, service.clock, tenant, request.host_url.rstrip("/"), asked)
        except enrolment.Refused as refused:
            failures.failed()
            return json_error(refused.status, refused.kind, str(refused))
        service.bell.ring()
        return _json(200, answer)

    @api.post("/journal/<dev>/<int:ep>")
    def _journal(dev: str, ep: int) -> Response:
        device = devices.authenticate(service.store, dev, request.headers.get("Authorization"))
        if ep > _MAX_EPOCH:
            return json_error(404, "unknown_epoch", "no such epoch")
        segment = unframe(_body(CONTENT_TYPE, MAX_SEGMENT_BYTES))
        devices.seen(service.store, service.clock, device)
        answer = ingest.ingest(service.store, service.keys, service.clock, device, ep, segment)
        service.bell.ring()
        return _json(200, answer)

    @api.post("/status/<dev>")
    def _status(dev: str) -> Response:
        device = devices.authenticate(service.store, dev, request.headers.get("Authorization"))
        devices.put_status(service.store, service.clock, device, _small(devices.Status))
        service.bell.ring()
        return Response(status=204)

    @api.get("/catalogue/<shop>")
    def _manifest(shop: str) -> Response:
        device = devices.authenticate_any(service.store, shop, request.headers.get("Authorization"))
        devices.seen(service.store, service.clock, device)
        manifest = catalogues.newest(service.store, shop)
        if manifest is None:
            return json_error(404, "no_catalogue", "nothing is published for this shop")
        response = _json(200, manifest)
        response.set_etag(f"{manifest.sequence}-{manifest.sha256[:16]}")
        response.make_conditional(request)
        return response

    @api.get("/catalogue/<shop>/<version>")
    def _products(shop: str, version: str) -> Response:
        devices.authenticate_any(service.store, shop, request.headers.get("Authorization"))
        manifest = catalogues.by_version(service.store, shop, version)
        if manifest is None:
            return json_error(404, "no_such_version", "this version was never published for this shop")
        return _file(catalogues.products_file(service.store, manifest))

    @api.get("/config/<shop>")
    def _settings(shop: str) -> Response:
        device = devices.authenticate_any(service.store, shop, request.headers.get("Authorization"))
        devices.seen(service.store, service.clock, device)
        signed = staff.newest(service.store, shop)
        if signed is None:
            return json_error(404, "no_settings", "nothing is published for this shop")
        response = _json(200, signed)
        response.add_etag()
        response.make_conditional(request)
        return response

    _errors(api)
    return api


def _errors(api: Blueprint) -> None:
    @api.errorhandler(BadRequest)
    def _bad_request(error: BadRequest) -> Response:
        return json_error(error.status, error.kind, str(error))

    def _refused(error: Exception) -> Response:
        no = refusal(error)
        if no.head is not None:
            return _json(no.status, {"error": no.error, "message": no.message} | msgspec.to_builtins(no.head))
        return json_error(no.status, no.error, no.message, retry_s=no.retry_after_s)

    for reason in REASONS:
        api.register_error_handler(reason, _refused)


def _json(status: int, value: object) -> Response:
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")


def json_error(status: int, kind: str, message: str, *, retry_s: int = 0) -> Response:
    response = _json(status, {"error": kind, "message": message})
    if retry_s:
        response.headers["Retry-After"] = str(retry_s)
    return response


def _small(shape: type[T]) -> T:
    """A small JSON body. Raises BadRequest."""
    try:
        return msgspec.json.decode(_body("application/json", _MAX_SMALL_BODY_BYTES), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(400, "bad_json", str(error)) from None


def _body(content_type: str, most: int) -> bytes:
    """The body of a request that must be of one type. Raises BadRequest."""
    if request.mimetype != content_type:
        raise BadRequest(
            415, "content_type", f"the body is {request.mimetype or 'of no type'}; allowed: {content_type}"
        )
    return bounded_body(most)


def bounded_body(most: int) -> bytes:
    """The request's body, bounded before and after decompression. Raises BadRequest."""
    too_large = BadRequest(413, "too_large", f"at most {most} bytes are allowed")
    if (request.content_length or 0) > most:
        raise too_large
    data = request.stream.read(most + 1)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding == "gzip":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            data = unpacker.decompress(data, most + 1)
        except zlib.error as error:
            raise BadRequest(400, "bad_gzip", f"the body is no gzip: {error}") from None
        if len(data) <= most and not unpacker.eof:
            raise BadRequest(400, "bad_gzip", "the gzip body is cut off")
    elif encoding != "identity":
        raise BadRequest(415, "content_encoding", f"encoding {encoding!r}; allowed: identity, gzip")
    if len(data) > most:
        raise too_large
    return data


def _file(path: Path) -> Response:
    """A gzipped file, as it is where the caller takes gzip, else unpacked on the way."""
    if request.accept_encodings["gzip"]:
        response = Response(_chunks(path, gzipped=True), content_type=CONTENT_TYPE)
        response.headers["Content-Encoding"] = "gzip"
        response.content_length = path.stat().st_size
    else:
        response = Response(_chunks(path, gzipped=False), content_type=CONTENT_TYPE)
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _chunks(path: Path, *, gzipped: bool) -> Iterator[bytes]:
    with path.open("rb") if gzipped else gzip.open(path, "rb") as file:
        while chunk := file.read(64 * 1024):
            yield chunk
