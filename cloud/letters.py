"""Sealed letters in, signed answers out: the backend's side of every broker.

A letter is taken by the same rules as an upload over HTTP. Only that the device's token is shown differs: its HMAC
seals the letter, so that the token never reaches the broker. What is no letter, or of no device of ours, is dropped
and counted, without an answer.
"""

import threading
from collections import Counter

import msgspec
import structlog

from cloud import devices, ingest
from cloud.clock import Clock
from cloud.keys import Keys
from cloud.refusals import REASONS, refusal
from cloud.store import Busy, Store
from kiosk.records import carried
from kiosk.records.segment import unframe

log = structlog.get_logger()


class Letterbox:
    """Thread-safe. Blocks on the database. Nothing that a broker can deliver makes it raise."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self.keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self.taken = 0
        self.dropped: Counter[str] = Counter()

    def address(self, parts: list[str]) -> carried.Place | None:
        """The place of a broker's address; None when it is dropped."""
        try:
            return carried.place(parts)
        except carried.BadLetter:
            self.drop("address")
            return None

    def journal(self, place: carried.Place, id: str, seal: str, body: bytes) -> bytes | None:
        """A segment's signed answer; None when it is dropped."""
        try:
            return self._journal(place, id, seal, body)
        except Exception:  # one message must not end the consumer for all lanes
            log.exception("letter_failed", dev=place.dev, ep=place.ep)
            self.drop("failed")
            return None

    def _journal(self, place: carried.Place, id: str, seal: str, body: bytes) -> bytes | None:
        device = self._sender(place, id)
        if device is None:
            return None
        try:
            self._check(device, place, id, seal, body)
            segment = unframe(body)
            devices.seen(self._store, self._clock, device)
            ack = ingest.ingest(self._store, self.keys, self._clock, device, place.ep, segment)
            answer = carried.Answer(id, place.dev, place.ep, 200, ack=ack, changes=self.keys.changes)
        except REASONS as reason:
            no = refusal(reason)
            answer = carried.Answer(
                id,
                place.dev,
                place.ep,
                no.status,
                no.error,
                no.message[:500],
                no.retry_after_s,
                no.head,
                self.keys.changes,
            )
        self.taken += 1
        return carried.sign_answer(self.keys.cosign, answer)

    def status(self, place: carried.Place, id: str, seal: str, body: bytes) -> bool:
        """Whether it was taken. A status may be lost: nobody is told."""
        try:
            return self._status(place, id, seal, body)
        except Exception:  # as above
            log.exception("letter_failed", dev=place.dev)
            return self.drop("failed")

    def _status(self, place: carried.Place, id: str, seal: str, body: bytes) -> bool:
        device = self._sender(place, id)
        if device is None:
            return False
        if len(body) > carried.MAX_STATUS_BYTES:
            return self.drop("status_too_long")
        try:
            self._check(device, place, id, seal, body)
            devices.put_status(self._store, self._clock, device, msgspec.json.decode(body, type=devices.Status))
        except (devices.Unauthorised, devices.Revoked):
            return self.drop("status_refused")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self.drop("status_unreadable")
        except Busy:
            return self.drop("busy")
        self.taken += 1
        return True

    def drop(self, why: str) -> bool:
        """Always False. Logged at the 1st, 2nd, 4th, 8th ... time, so that a flood does not fill the log."""
        with self._lock:
            self.dropped[why] += 1
            count = self.dropped[why]
        if count & (count - 1) == 0:
            log.warning("letter_dropped", why=why, count=count)
        return False

    def _sender(self, place: carried.Place, id: str) -> devices.Device | None:
        if not carried.is_id(id):
            self.drop("id")
            return None
        try:
            return devices.by_name(self._store, place.dev)
        except devices.Unauthorised:
            self.drop("unknown_device")
        except Busy:
            self.drop("busy")  # without the device nothing can be said about it; it asks again
        return None

    def _check(self, device: devices.Device, place: carried.Place, id: str, seal: str, body: bytes) -> None:
        """Raises Unauthorised, Revoked."""
        if not carried.is_sealed(self.keys.device_token(device.dev), place, id, body, seal):
            raise devices.Unauthorised("the letter is not sealed by this device's token")
        if device.revoked:
            raise devices.Revoked("this device is revoked")
