"""From NATS JetStream. The stream is made if it is missing; a durable consumer keeps the place over restarts.

A message is acknowledged to the broker after it was answered, whatever the answer: the lane holds its records until it
has the counter-signature, and sends again what is missing. A crash in between has the message delivered again, which
the ingest does not mind.
"""

import asyncio
import random
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingThere
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import BadRequestError

from cloud.letters import Letterbox
from kiosk.records import brokers
from kiosk.records.carried import ID_PROPERTY, SEAL_PROPERTY, Place

log = structlog.get_logger()
NAME = "kassa-cloud"
_JOURNALS, _STATUSES = "kassa.v1.journal.>", "kassa.v1.status.*"
_FETCH, _FETCH_S = 16, 2.0
_ACK_WAIT_S = 60.0
_MAX_PAUSE_S = 10.0


def _stream(name: str) -> StreamConfig:
    """Old messages go first when it is full: lanes hold what was not counter-signed. `duplicate_window` is the time in
    which a lane tries the same letter again."""
    return StreamConfig(
        name=name,
        subjects=[_JOURNALS],
        max_msgs_per_subject=64,
        max_age=7 * 86_400.0,
        max_bytes=1024**3,
        duplicate_window=120.0,
    )


async def run(letters: Letterbox, line: brokers.NatsLine, ready: Callable[[], None]) -> None:
    """Until cancelled; a lost broker is waited for. `ready` is called after each connect. Raises BadConfig."""
    options = brokers.nats_options(line, NAME)
    failures = 0
    while True:
        try:
            await _session(letters, line.stream, options, ready)
        except (Error, OSError, TimeoutError) as error:
            failures += 1
            log.warning("broker_lost", message=str(error) or type(error).__name__)
        else:
            failures = 0
        await asyncio.sleep(max(0.2, random.random() * min(_MAX_PAUSE_S, 0.5 * 2.0 ** min(failures, 6))))


async def _session(letters: Letterbox, stream: str, options: dict[str, object], ready: Callable[[], None]) -> None:
    """One connection. Returns when it is lost."""
    client = Client()
    try:
        await client.connect(**options, error_cb=_complained)  # type: ignore[arg-type]  # options are by name
        jetstream = client.jetstream()
        await _ensure(jetstream, stream)
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=_ACK_WAIT_S, max_ack_pending=256)
        journals = await jetstream.pull_subscribe(_JOURNALS, durable=NAME, stream=stream, config=config)

        async def told(message: Msg) -> None:
            await _status(letters, message)

        await client.subscribe(_STATUSES, queue=NAME, cb=told)
        await client.flush()
        ready()
        while client.is_connected:
            try:
                messages = await journals.fetch(_FETCH, timeout=_FETCH_S)
            except NothingThere:
                continue
            for message in messages:
                await _journal(letters, client, message)
    finally:
        if not client.is_closed:
            await client.close()


async def _ensure(jetstream: JetStreamContext, name: str) -> None:
    try:
        await jetstream.add_stream(_stream(name))
    except BadRequestError as error:  # it exists, with the operator's own limits: those hold
        found = await jetstream.stream_info(name)
        if _JOURNALS not in (found.config.subjects or []):
            raise Error(f"stream {name} does not take {_JOURNALS}: {error.description}") from None


async def _journal(letters: Letterbox, client: Client, message: Msg) -> None:
    place = letters.address(message.subject.split("."))
    if place is not None:
        headers = message.headers or {}
        id, seal = headers.get(ID_PROPERTY, ""), headers.get(SEAL_PROPERTY, "")
        answer = await asyncio.to_thread(letters.journal, place, id, seal, message.data)
        if answer is not None:
            await client.publish(".".join(Place("answer", place.dev).parts), answer)
    await message.ack()


async def _status(letters: Letterbox, message: Msg) -> None:
    place = letters.address(message.subject.split("."))
    if place is not None:
        headers = message.headers or {}
        id, seal = headers.get(ID_PROPERTY, ""), headers.get(SEAL_PROPERTY, "")
        await asyncio.to_thread(letters.status, place, id, seal, message.data)


async def _complained(error: Exception) -> None:
    log.warning("broker_complained", message=str(error) or type(error).__name__)
