"""The one request of enrolment. Every answer that is not an enrolment becomes one clear line."""

import ipaddress

import msgspec
import urllib3
from urllib3.util import Url, parse_url

from kiosk.records.identity import BadIdentity, Enrolment, EnrolmentRequest, public_key

_TIMEOUT = urllib3.Timeout(connect=10.0, read=30.0)
_MAX_ANSWER_BYTES = 64 * 1024


class EnrolmentFailed(Exception):
    """No enrolment. `again`: the same command may succeed later as it is."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


class _Error(msgspec.Struct, frozen=True):
    error: str
    message: str = ""


def check_address(backend: str) -> str:
    """The backend's address without a trailing slash: https, or http to this very machine. Raises EnrolmentFailed."""
    try:
        url = parse_url(backend)
    except urllib3.exceptions.LocationParseError:
        raise EnrolmentFailed(f"{backend!r} is no address; such as https://kassa.example.com") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.auth:
        raise EnrolmentFailed(f"{backend!r} is no address; such as https://kassa.example.com")
    if url.scheme == "http" and not _loopback(url):
        raise EnrolmentFailed(f"{backend} is not encrypted; http is allowed to this machine only, use https")
    return backend.rstrip("/")


def _loopback(url: Url) -> bool:
    host = (url.host or "").strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ask(backend: str, request: EnrolmentRequest) -> Enrolment:
    """Blocks up to 40 s. Raises EnrolmentFailed."""
    with urllib3.PoolManager(retries=False, timeout=_TIMEOUT) as pool:
        try:
            answer = pool.request(
                "POST",
                f"{backend}/v1/enrol",
                body=msgspec.json.encode(request),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                redirect=False,
                preload_content=False,
            )
            body = answer.read(_MAX_ANSWER_BYTES + 1)
            answer.release_conn()
        except urllib3.exceptions.SSLError as error:
            raise EnrolmentFailed(f"{backend}: its certificate is not accepted: {error}") from None
        except urllib3.exceptions.HTTPError as error:
            raise EnrolmentFailed(f"{backend} cannot be reached: {_short(error)}", again=True) from None
    if answer.status == 200:
        return _enrolment(backend, body, answer.headers.get("Content-Type", ""))
    raise _refusal(backend, answer.status, body)


def _short(error: Exception) -> str:
    text = str(getattr(error, "reason", None) or error)
    return text.rpartition(": ")[2][:200] if "object at" in text else text[:200]


def _refusal(backend: str, status: int, body: bytes) -> EnrolmentFailed:
    try:
        refused = msgspec.json.decode(body, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return EnrolmentFailed(f"{backend} answers HTTP {status} without a reason; is it a Kassa backend?")
    reason = _printable(refused.message or refused.error)
    if status in (429, 503):
        return EnrolmentFailed(f"{backend} is busy: {reason}", again=True)
    return EnrolmentFailed(f"{backend} refuses: {reason}")


def _enrolment(backend: str, body: bytes, content_type: str) -> Enrolment:
    if len(body) > _MAX_ANSWER_BYTES:
        raise EnrolmentFailed(f"{backend} answers more than {_MAX_ANSWER_BYTES} bytes; is it a Kassa backend?")
    try:
        found = msgspec.json.decode(body, type=Enrolment)
        public_key(found.cosign_key)
        public_key(found.release_key)
    except (msgspec.MsgspecError, UnicodeDecodeError, BadIdentity) as error:
        kind = _printable(content_type) or "no type"
        raise EnrolmentFailed(
            f"{backend} answers 200 with {kind}, which is no enrolment ({error}); is it a Kassa backend?", again=True
        ) from None
    if found.ep < 1 or not found.dev.isalnum() or len(found.dev) > 64:
        raise EnrolmentFailed(f"{backend} answers a device or epoch that cannot be: {found.dev!r}, {found.ep}")
    return found


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
