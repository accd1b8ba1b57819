"""MQTT 5 (OASIS Standard, 7 March 2019). A segment is one message on the topic of its epoch, QoS 1.

QoS 1 keeps the order of one sender on one topic and may repeat a message; it neither knows a place nor drops
duplicates: both are the cloud's work. The lane's own session outlives a short loss of the line (session expiry), so
that an answer that was under way is delivered at the next connect. A PUBACK proves nothing; one with the reason "no
matching subscribers" says at once that nobody takes the journal.
"""

import sys
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kiosk.records import brokers
from kiosk.records.carried import ID_PROPERTY, MAX_ANSWER_BYTES, SEAL_PROPERTY, Place
from kiosk.records.identity import Enrolment
from kiosk.records.segment import SignedSegment
from kiosk.sync.backend import Answer, Busy, Capabilities, Denied, TooLarge, Unreachable
from kiosk.sync.letters import Deadline, Letter, Letters
from kiosk.sync.meaning import Failed, printable

ANSWER_TIME_S = 20.0
SESSION_S = 3600
_CONNECT_TIME_S = 6.0
_PACKET_ROOM_BYTES = 1024
_NO_CONNECTION, _NO_SUBSCRIBERS = 0x00, 0x10
_BAD_PASSWORD, _NOT_AUTHORISED, _PACKET_TOO_LARGE = 0x86, 0x87, 0x95


class MqttBackend:
    """Blocks; one call at a time. Its connection lives on the library's thread. Close it at the end. `beside`: under
    another name, because a broker ends the connection of a client whose name comes again. Raises BadConfig for a
    credential or certificate file."""

    capabilities = Capabilities(ordered=True, conditional=False, deduplicating=False, countersigns=False)

    def __init__(
        self,
        enrolment: Enrolment,
        line: brokers.MqttLine,
        *,
        answer_time_s: float = ANSWER_TIME_S,
        beside: bool = False,
    ) -> None:
        self._name = f"kassa-{enrolment.dev}" + ("-check" if beside else "")
        self._line = line
        self._answers = _topic(Place("answer", enrolment.dev))
        self._answer_time_s = answer_time_s
        self._letters = Letters(enrolment)
        self._changed = threading.Condition()
        self._ready = False
        self._complaint: int | None = None
        self._said = "the broker does not answer"
        self._most_bytes = 0
        self._acknowledged: dict[int, int] = {}
        self._client = self._connecting()

    @property
    def dropped(self) -> int:
        return self._letters.dropped

    def _connecting(self) -> paho.Client:
        line = self._line
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=self._name, protocol=paho.MQTTv5)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 30)
        if line.user:
            client.username_pw_set(line.user, brokers.secret(line.password))
        address = brokers.mqtt_address(line)
        if address.encrypted:
            client.tls_set_context(brokers.tls(line))
        asked = properties(PacketTypes.CONNECT)
        asked.SessionExpiryInterval = SESSION_S
        asked.MaximumPacketSize = MAX_ANSWER_BYTES + _PACKET_ROOM_BYTES
        client.connect_async(address.host, address.port, keepalive=30, properties=asked)
        client.loop_start()
        return client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, segment: SignedSegment) -> Answer:
        letter = self._letters.journal(segment)
        if letter.again and (late := self._letters.wait(0)) is not None:
            return late
        if not self._connected():
            return self._away()
        if self._most_bytes and len(letter.body) + _PACKET_ROOM_BYTES > self._most_bytes:
            return TooLarge()
        deadline = Deadline(self._answer_time_s)
        code = self._publish(letter, deadline)
        if code is None:
            too_large = self._complaint == _PACKET_TOO_LARGE
            self._forget()
            return TooLarge() if too_large else self._away()
        if code >= 0x80:
            return _refused(code)
        if code == _NO_SUBSCRIBERS:
            return Unreachable("nobody takes the journal from the broker: kassa-cloud consume does not run")
        answer = self._letters.wait(deadline.left_s)
        return answer or Unreachable("the broker took the records, but no answer of the cloud came")

    def status(self, body: bytes) -> None:
        """Raises Failed."""
        letter = self._letters.status(body)
        if not self._connected():
            raise Failed(self._said)
        code = self._client.publish(_topic(letter.place), body, qos=0, properties=_properties(letter)).rc
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Failed(paho.error_string(code))

    def _connected(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._ready or self._complaint is not None, _CONNECT_TIME_S) and (
                self._ready
            )

    def _away(self) -> Answer:
        if self._complaint in (_BAD_PASSWORD, _NOT_AUTHORISED):
            return Denied(f"the broker does not let this lane in: {self._said}")
        return Unreachable(self._said)

    def _forget(self) -> None:
        """The library would send what was not acknowledged at the next connect, however late: begin anew instead."""
        self._client.disconnect()
        self._client.loop_stop()
        with self._changed:
            self._ready, self._complaint = False, None
        self._client = self._connecting()

    def _publish(self, letter: Letter, deadline: Deadline) -> int | None:
        """The broker's reason code; None when the line was lost or the time is over."""
        with self._changed:
            self._acknowledged.clear()
        sent = self._client.publish(_topic(letter.place), letter.body, qos=1, properties=_properties(letter))
        with self._changed:
            self._changed.wait_for(lambda: sent.mid in self._acknowledged or not self._ready, deadline.left_s)
            return self._acknowledged.get(sent.mid)

    def _on_connect(self, client: paho.Client, _u: Any, _f: Any, reason: ReasonCode, told: Properties | None) -> None:
        if reason.is_failure:
            return self._lost(reason)
        self._most_bytes = int(getattr(told, "MaximumPacketSize", 0) or 0)
        client.subscribe(self._answers, qos=1)

    def _on_connect_fail(self, _c: paho.Client, _u: Any) -> None:
        """The library calls this while it handles what the network or TLS said, and tells nobody else of it."""
        with self._changed:
            self._complaint, self._said = _NO_CONNECTION, printable(str(sys.exception() or "no connection"))
            self._changed.notify_all()

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            return self._lost(reasons[0])
        with self._changed:
            self._ready, self._complaint = True, None
            self._changed.notify_all()

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if self._ready or self._complaint is None:  # after a refusal, the library's own reason would hide the broker's
            self._lost(reason)

    def _lost(self, reason: ReasonCode) -> None:
        with self._changed:
            self._ready, self._complaint = False, int(reason.value)
            self._said = f"the broker says: {printable(str(reason))}"
            self._changed.notify_all()
        self._letters.interrupt(self._said)

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        with self._changed:
            self._acknowledged[mid] = int(reason.value)
            self._changed.notify_all()

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        self._letters.received(bytes(message.payload))


def _refused(code: int) -> Answer:
    if code == _NOT_AUTHORISED:
        return Denied("the broker does not let this lane write its journal's topic")
    if code == _PACKET_TOO_LARGE:
        return TooLarge()
    return Busy(0, f"the broker does not take the records (reason {code:#04x})")


def _topic(place: Place) -> str:
    return "/".join(place.parts)


def properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # the library's one function without types


def _properties(letter: Letter) -> Properties:
    made = properties(PacketTypes.PUBLISH)
    made.UserProperty = [(ID_PROPERTY, letter.id), (SEAL_PROPERTY, letter.seal)]
    return made
