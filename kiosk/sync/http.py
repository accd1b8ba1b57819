"""The own HTTP backend. Whatever the network answers becomes one of the words of `backend.Answer`.

Every answer is bounded in size and in time; redirects are not followed; TLS is verified; the token goes nowhere else.
"""

import ssl
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import urllib3

from kiosk.records.identity import Acknowledgement, Enrolment
from kiosk.records.manifest import Manifest
from kiosk.records.segment import CONTENT_TYPE, SignedSegment, frame
from kiosk.records.settings import MAX_DOCUMENT_BYTES, SignedSettings
from kiosk.sync.backend import Answer, Busy, Capabilities, Strange, Unreachable
from kiosk.sync.meaning import Failed, meaning, printable

MAX_ANSWER_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
_ANSWER_TIME_S = 40.0
_DOWNLOAD_TIME_S = 1800.0
_CHUNK_BYTES = 64 * 1024
T = TypeVar("T")


class _Error(msgspec.Struct, frozen=True):
    error: str
    message: str = ""


class HttpLine:
    """Bounded requests to one base address. `headers` go with each of them. Close it at the end."""

    def __init__(
        self,
        base: str,
        headers: dict[str, str],
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._base = base
        self._headers = {"User-Agent": "kassa-sync"} | headers
        self._pool = urllib3.PoolManager(
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s),
            cert_reqs="CERT_REQUIRED",
            ssl_context=ssl_context,
            maxsize=3,
        )

    def close(self) -> None:
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        most_bytes: int = MAX_ANSWER_BYTES,
    ) -> tuple[int, bytes, "urllib3.HTTPHeaderDict"]:
        """Status, body and headers. Raises Failed."""
        answer = self._open(method, path, body, headers)
        received = bytearray()
        _drain(answer, most_bytes, _ANSWER_TIME_S, received.extend)
        return answer.status, bytes(received), answer.headers

    def stream(self, path: str, most_bytes: int, write: Callable[[bytes], object]) -> None:
        """Raises Failed, and what `write` raises."""
        answer = self._open("GET", path, None, {"Accept-Encoding": "gzip"})
        if answer.status != 200:
            received = bytearray()
            _drain(answer, MAX_ANSWER_BYTES, _ANSWER_TIME_S, received.extend)
            raise Failed(reason(answer.status, bytes(received)), answer.status)
        _drain(answer, most_bytes, _DOWNLOAD_TIME_S, write)

    def _open(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> "urllib3.BaseHTTPResponse":
        try:
            return self._pool.request(
                method,
                self._base + path,
                body=body,
                headers=self._headers | headers,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Failed(_plain(error)) from None


class HttpBackend:
    """Adapter for `/v1` of the reference backend. Blocks; one call at a time per thread. Close it at the end."""

    capabilities = Capabilities(ordered=True, conditional=True, deduplicating=True, countersigns=True)

    def __init__(self, enrolment: Enrolment, *, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self._dev, self._ep, self._shop = enrolment.dev, enrolment.ep, enrolment.shop
        token = {"Authorization": f"Bearer {enrolment.device_token}"}
        self._line = HttpLine(f"{enrolment.backend}/v1", token, read_timeout_s=read_timeout_s)

    def close(self) -> None:
        self._line.close()

    def send(self, segment: SignedSegment) -> Answer:
        try:
            status, body, headers = self._line.call(
                "POST",
                f"/journal/{self._dev}/{segment.header.ep or self._ep}",
                frame(segment),
                {"Content-Type": CONTENT_TYPE},
            )
        except Failed as error:
            return Unreachable(str(error))
        return judge(status, body, headers)

    def manifest(self, etag: str) -> tuple[Manifest, str] | None:
        """The newest catalogue version and its ETag; None when it is still the one of `etag`. Raises Failed."""
        conditional = {"If-None-Match": etag} if etag else {}
        status, body, headers = self._line.call("GET", f"/catalogue/{self._shop}", None, conditional)
        if status == 304:
            return None
        if status != 200:
            raise Failed(reason(status, body), status)
        return decoded(body, Manifest), headers.get("ETag", "")[:200]

    def products(self, version: str, most_bytes: int, write: Callable[[bytes], object]) -> None:
        """Stream the products file of a version, unpacked, into `write`. Raises Failed, and what `write` raises."""
        self._line.stream(f"/catalogue/{self._shop}/{version}", most_bytes, write)

    def settings(self, etag: str) -> tuple[SignedSettings, str] | None:
        """The shop's newest settings and their ETag; None when they are still those of `etag`. Raises Failed."""
        conditional = {"If-None-Match": etag} if etag else {}
        most = 2 * MAX_DOCUMENT_BYTES
        status, body, headers = self._line.call("GET", f"/config/{self._shop}", None, conditional, most)
        if status == 304:
            return None
        if status != 200:
            raise Failed(reason(status, body), status)
        return decoded(body, SignedSettings), headers.get("ETag", "")[:200]

    def status(self, body: bytes) -> None:
        """Raises Failed."""
        status, answer, _ = self._line.call("POST", f"/status/{self._dev}", body, {"Content-Type": "application/json"})
        if status != 204:
            raise Failed(reason(status, answer), status)


def _drain(
    answer: "urllib3.BaseHTTPResponse", most_bytes: int, time_s: float, write: Callable[[bytes], object]
) -> None:
    """Read an answer to its end. A drop at a time must not hold the lane for ever: hence the clock."""
    deadline = time.monotonic() + time_s
    total = 0
    try:
        while chunk := answer.read1(_CHUNK_BYTES, decode_content=True):
            total += len(chunk)
            if total > most_bytes:
                raise Failed(f"the answer is longer than {most_bytes} bytes", answer.status)
            if time.monotonic() > deadline:
                raise Failed(f"the answer took longer than {time_s:.0f} s")
            write(chunk)
        answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Failed(f"the answer broke off: {_plain(error)}") from None
    finally:
        answer.close()


def judge(status: int, body: bytes, headers: "urllib3.HTTPHeaderDict") -> Answer:
    """What an answer to an upload means. Never raises."""
    wait_s = retry_after_s(headers)
    try:
        if status == 200:
            return meaning(status, "", "", decoded(body, Acknowledgement))
        said = decoded(body, _Error)
        # A gap is nothing without the head; a fork may come from a backend that does not tell it.
        ack = decoded(body, Acknowledgement) if (status, said.error) == (409, "gap") else _head(body)
    except Failed as problem:
        if status in (429, 503):  # a proxy before the backend may say so in HTML
            return Busy(wait_s, f"HTTP {status}")
        return Strange(f"HTTP {status}: {problem}")
    return meaning(status, said.error, said.message, ack, wait_s)


def _head(body: bytes) -> Acknowledgement | None:
    try:
        return decoded(body, Acknowledgement)
    except Failed:
        return None


def decoded(body: bytes, shape: type[T]) -> T:
    """Raises Failed."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        begin = printable(body[:40].decode("utf-8", "replace"))
        raise Failed(f"{len(body)} bytes that are no answer of the backend ({error}): {begin!r}") from None


def reason(status: int, body: bytes) -> str:
    """Why a request was not answered as it should be, for a person."""
    try:
        error = decoded(body, _Error)
    except Failed:
        return f"HTTP {status} without a reason"
    return f"HTTP {status}: {printable(error.message or error.error)}"


def retry_after_s(headers: "urllib3.HTTPHeaderDict") -> float:
    """RFC 9110 section 10.2.3; 0 when unsaid. Its date form is taken as unsaid."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _plain(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, urllib3.exceptions.ProtocolError) and len(cause.args) > 1:
        cause = cause.args[1]
    return printable(str(cause).rpartition(">: ")[2] or type(error).__name__)
