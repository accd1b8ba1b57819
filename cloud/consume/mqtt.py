"""From an MQTT 5 broker. The session outlives a restart, so that the broker keeps what comes meanwhile.

A message is acknowledged (PUBACK) after it was answered; `ReceiveMaximum` bounds how many wait here. See
`cloud.consume.nats` for why every answer ends a message.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud.letters import Letterbox
from kiosk.records import brokers
from kiosk.records.carried import ID_PROPERTY, MAX_STATUS_BYTES, SEAL_PROPERTY, Place
from kiosk.records.segment import MAX_SEGMENT_BYTES

log = structlog.get_logger()
NAME = "kassa-cloud"
_JOURNALS, _STATUSES = "kassa/v1/journal/+/+", "kassa/v1/status/+"
_SESSION_S = 7 * 86_400
_IN_HAND = 16
_MOST_WAITING = 1024
_MAX_PACKET_BYTES = MAX_SEGMENT_BYTES + MAX_STATUS_BYTES


class MqttConsumer:
    """Between `start` and `stop`. Raises BadConfig for a credential or certificate file."""

    def __init__(self, letters: Letterbox, line: brokers.MqttLine, ready: Callable[[], None]) -> None:
        self._letters = letters
        self._ready = ready
        self._waiting: queue.Queue[paho.MQTTMessage | None] = queue.Queue(_MOST_WAITING)
        self._worker = threading.Thread(target=self._work, name="letters")
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=NAME, protocol=paho.MQTTv5, manual_ack=True, clean_session=None
        )
        self._client.on_connect, self._client.on_subscribe = self._on_connect, self._on_subscribe
        self._client.on_disconnect, self._client.on_message = self._on_disconnect, self._on_message
        self._client.reconnect_delay_set(1, 10)
        if line.user:
            self._client.username_pw_set(line.user, brokers.secret(line.password))
        self._address = brokers.mqtt_address(line)
        if self._address.encrypted:
            self._client.tls_set_context(brokers.tls(line))

    def start(self) -> None:
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # the library's one without types
        asked.SessionExpiryInterval = _SESSION_S
        asked.ReceiveMaximum = _IN_HAND
        asked.MaximumPacketSize = _MAX_PACKET_BYTES
        host, port = self._address.host, self._address.port
        self._client.connect_async(host, port, keepalive=30, clean_start=False, properties=asked)
        self._worker.start()
        self._client.loop_start()

    def stop(self) -> None:
        """What is in hand is finished; the rest is delivered again."""
        self._client.disconnect()
        self._client.loop_stop()
        self._waiting.put(None)
        self._worker.join()

    def _on_connect(self, client: paho.Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            log.warning("broker_refuses", message=str(reason))
        else:
            client.subscribe([(_JOURNALS, 1), (_STATUSES, 0)])

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("broker_refuses", message=f"topics: {', '.join(str(reason) for reason in reasons)}")
        else:
            self._ready()

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            log.warning("broker_lost", message=str(reason))

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:  # only statuses: segments are bounded by ReceiveMaximum
            self._letters.drop("too_many")

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._handle(message)
            if message.qos:
                self._client.ack(message.mid, message.qos)

    def _handle(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._letters.drop("address")
            return
        place = self._letters.address(topic.split("/"))
        if place is None:
            return
        told = dict(getattr(message.properties, "UserProperty", []))
        id, seal = told.get(ID_PROPERTY, ""), told.get(SEAL_PROPERTY, "")
        if place.kind == "status":
            self._letters.status(place, id, seal, bytes(message.payload))
            return
        answer = self._letters.journal(place, id, seal, bytes(message.payload))
        if answer is not None:
            self._client.publish("/".join(Place("answer", place.dev).parts), answer, qos=1)
