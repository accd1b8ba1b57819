"""The four ways to the cloud, each with its real server, under one set of handles for the contract tests."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import nats as nats_client
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.consume import mqtt as mqtt_consumer
from cloud.consume import nats as nats_consumer
from cloud.letters import Letterbox
from kiosk.records import brokers, carried
from kiosk.records.identity import Enrolment
from kiosk.sync.backend import Backend as Adapter
from kiosk.sync.cloudevents import EventsBackend, EventsLine
from kiosk.sync.http import HttpBackend
from kiosk.sync.mqtt import MqttBackend
from kiosk.sync.nats import NatsBackend
from tests.core.cloud.lane import Backend
from tests.core.sync.brokers import Mosquitto, Nats, Server
from tests.core.sync.relay import Relay

ANSWER_S = 3.0


class Losing(Letterbox):
    """The cloud's letterbox; the road back may lose answers, and what went over it is remembered."""

    def __init__(self, cloud: Backend) -> None:
        service = cloud.server.service
        super().__init__(service.store, service.keys, service.clock)
        self.lose = 0
        self.answers: list[bytes] = []

    def journal(self, place: carried.Place, id: str, seal: str, body: bytes) -> bytes | None:
        answer = super().journal(place, id, seal, body)
        if answer is not None:
            self.answers.append(answer)
        if self.lose and answer is not None:
            self.lose -= 1
            return None
        return answer


class Carrier:
    """`cloud`: the server with the database. `adapter`: the lane's side. `away`/`back`: who takes the journal."""

    default_limit = 0

    def __init__(self, cloud: Backend, folder: Path) -> None:
        self.cloud = cloud
        self.folder = folder

    def adapter(self, me: Enrolment, answer_s: float = ANSWER_S) -> Adapter:
        raise NotImplementedError

    def away(self) -> None:
        raise NotImplementedError

    def back(self) -> None:
        raise NotImplementedError

    def lose_answers(self, count: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


class OverBroker(Carrier):
    """A consumer stands behind a broker. `letters`: the cloud's, with its losses and counts."""

    server: Server
    letters: Losing

    def lose_answers(self, count: int) -> None:
        self.letters.lose = count

    def inject(self, place: carried.Place, data: bytes, **told: str) -> None:
        """Somebody else writes to a place of the broker."""
        raise NotImplementedError


class Direct(Carrier):
    """HTTP and CloudEvents: a relay stands before the server."""

    def __init__(self, cloud: Backend, folder: Path) -> None:
        super().__init__(cloud, folder)
        self.faults: list[str] = []
        self.absent = False
        self.relay = Relay(cloud.server.port, self._fault)

    def _fault(self) -> str:
        if self.absent:
            return "refuse"
        return self.faults.pop(0) if self.faults else "none"

    def away(self) -> None:
        self.absent = True

    def back(self) -> None:
        self.absent = False

    def lose_answers(self, count: int) -> None:
        self.faults += ["drop_answer"] * count

    def close(self) -> None:
        self.relay.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.relay.port}"


class Http(Direct):
    def adapter(self, me: Enrolment, answer_s: float = ANSWER_S) -> Adapter:
        return HttpBackend(msgspec.structs.replace(me, backend=self.url), read_timeout_s=answer_s)


class Events(Direct):
    def adapter(self, me: Enrolment, answer_s: float = ANSWER_S) -> Adapter:
        return EventsBackend(me, EventsLine(url=f"{self.url}/v1/events"), read_timeout_s=answer_s)


class OverNats(OverBroker):
    default_limit = 1024 * 1024

    def __init__(self, cloud: Backend, folder: Path, extra: str = "") -> None:
        super().__init__(cloud, folder)
        self.server = Nats(folder / "nats", extra)
        self.letters = Losing(cloud)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._task: Any = None
        self.back()

    @property
    def line(self) -> brokers.NatsLine:
        return brokers.NatsLine(servers=[self.server.address])

    def adapter(self, me: Enrolment, answer_s: float = ANSWER_S) -> Adapter:
        return NatsBackend(me, self.line, answer_time_s=answer_s)

    def away(self) -> None:
        task = self._task
        asyncio.run_coroutine_threadsafe(_ended(task), self._loop).result(20)

    def back(self) -> None:
        ready = threading.Event()

        async def begin() -> Any:
            return asyncio.create_task(nats_consumer.run(self.letters, self.line, ready.set))

        self._task = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(20)
        assert ready.wait(20)

    def inject(self, place: carried.Place, data: bytes, **told: str) -> None:
        async def publish() -> None:
            client = await nats_client.connect(self.server.address)
            headers = {name.replace("_", "-"): value for name, value in told.items()}
            await client.publish(".".join(place.parts), data, headers=headers)
            await client.flush()
            await client.close()

        asyncio.run(publish())

    def store(self, place: carried.Place, data: bytes) -> None:
        """As `inject`, and the stream has it when this returns."""

        async def publish() -> None:
            client = await nats_client.connect(self.server.address)
            await client.jetstream().publish(".".join(place.parts), data)
            await client.close()

        asyncio.run(publish())

    def held(self) -> int:
        """Messages in the stream."""

        async def count() -> int:
            client = await nats_client.connect(self.server.address)
            found = await client.jetstream().stream_info("KASSA")
            await client.close()
            return int(found.state.messages)

        return asyncio.run(count())

    def close(self) -> None:
        self.away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.server.stop()


class OverMqtt(OverBroker):
    def __init__(self, cloud: Backend, folder: Path, extra: str = "") -> None:
        super().__init__(cloud, folder)
        self.server = Mosquitto(folder / "mosquitto", extra)
        self.letters = Losing(cloud)
        self.back()

    @property
    def line(self) -> brokers.MqttLine:
        return brokers.MqttLine(server=self.server.address)

    def adapter(self, me: Enrolment, answer_s: float = ANSWER_S) -> Adapter:
        return MqttBackend(me, self.line, answer_time_s=answer_s)

    def away(self) -> None:
        self._consumer.stop()

    def back(self) -> None:
        ready = threading.Event()
        self._consumer = mqtt_consumer.MqttConsumer(self.letters, self.line, ready.set)
        self._consumer.start()
        assert ready.wait(20)

    def inject(self, place: carried.Place, data: bytes, **told: str) -> None:
        told_5 = Properties(PacketTypes.PUBLISH)
        told_5.UserProperty = [(name.replace("_", "-"), value) for name, value in told.items()]
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.connect("127.0.0.1", self.server.port)
        client.loop_start()
        client.publish("/".join(place.parts), data, qos=1, properties=told_5).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    def close(self) -> None:
        self.away()
        self.server.stop()


CARRIERS: dict[str, Callable[[Backend, Path], Carrier]] = {
    "http": Http,
    "cloudevents": Events,
    "nats": OverNats,
    "mqtt": OverMqtt,
}


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
