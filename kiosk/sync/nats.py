"""NATS JetStream (nats-server 2.9 and later). A segment is one message on the subject of its epoch.

What the stream gives: order per subject; `Nats-Msg-Id`, so that a letter that goes out again is held once;
`Nats-Expected-Last-Subject-Sequence`, so that it is taken only right after the one that was last acknowledged to this
lane, and another sender on the subject is noticed. What it does not give is proof: its acknowledgement only says that
the stream holds the message. `send` waits for the cloud's own answer on the lane's answer subject.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError
from nats.js.errors import APIError, NoStreamResponseError

from kiosk.records import brokers
from kiosk.records.carried import ID_PROPERTY, SEAL_PROPERTY, Place
from kiosk.records.identity import Enrolment
from kiosk.records.segment import SignedSegment
from kiosk.sync.backend import Answer, Busy, Capabilities, Denied, TooLarge, Unreachable
from kiosk.sync.letters import Deadline, Letter, Letters
from kiosk.sync.meaning import Failed, printable

log = structlog.get_logger()
ANSWER_TIME_S = 20.0
_CONNECT_TIME_S = 12.0
_HEADER_ROOM_BYTES = 1024
_WRONG_LAST_SEQUENCE = 10071
_TOO_LARGE = (10054,)
T = TypeVar("T")


class NatsBackend:
    """Blocks; one call at a time. Its connection lives on a loop of its own. Close it at the end. Raises BadConfig for
    a credential or certificate file."""

    capabilities = Capabilities(ordered=True, conditional=True, deduplicating=True, countersigns=False)

    def __init__(self, enrolment: Enrolment, line: brokers.NatsLine, *, answer_time_s: float = ANSWER_TIME_S) -> None:
        self._me = enrolment
        self._stream = line.stream
        self._options = brokers.nats_options(line, f"kassa-sync {enrolment.dev}")
        self._answer_time_s = answer_time_s
        self._letters = Letters(enrolment)
        self._client: Client | None = None
        self._complaint = ""
        self._last: dict[str, int] = {}
        """By subject: the sequence that was last acknowledged to us."""
        self._repeated = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="nats")
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._letters.dropped

    def close(self) -> None:
        try:
            self._run(self._disconnect(), _CONNECT_TIME_S)
        except (Error, OSError, TimeoutError):
            log.debug("broker_not_closed")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, segment: SignedSegment) -> Answer:
        letter = self._letters.journal(segment)
        if letter.again and (late := self._letters.wait(0)) is not None:
            return late
        deadline = Deadline(self._answer_time_s)
        try:
            trouble = self._run(self._publish(letter, self._answer_time_s), _CONNECT_TIME_S + self._answer_time_s)
        except (Error, OSError, TimeoutError) as error:
            return self._unreachable(error)
        if trouble is not None:
            return trouble
        # A letter that was held already may have been answered while nobody listened: then a new one is due soon.
        answer = self._letters.wait(deadline.left_s / 4 if self._repeated else deadline.left_s)
        return answer or Unreachable("the broker holds the records, but no answer of the cloud came")

    def status(self, body: bytes) -> None:
        """Raises Failed."""
        letter = self._letters.status(body)
        try:
            self._run(self._tell(letter), _CONNECT_TIME_S * 2)
        except (Error, OSError, TimeoutError) as error:
            raise Failed(self._said(error)) from None

    def _run(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result(timeout_s)
        finally:
            done.cancel()

    async def _publish(self, letter: Letter, timeout_s: float) -> Answer | None:
        """None when the stream holds the letter. Raises nats' errors, OSError, TimeoutError."""
        client = await self._connected()
        if len(letter.body) + _HEADER_ROOM_BYTES > client.max_payload:
            return TooLarge()
        headers = self._headers(letter) | {"Nats-Msg-Id": letter.id}
        subject = _subject(letter.place)
        last = self._last.pop(subject, None)  # unknown until the letter is acknowledged
        if last is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(last)
        try:
            held = await client.jetstream().publish(
                subject, letter.body, timeout=timeout_s, stream=self._stream, headers=headers
            )
        except MaxPayloadError:
            return TooLarge()
        except NoStreamResponseError:
            return Unreachable(f"no stream {self._stream} takes the journal: kassa-cloud consume makes it")
        except APIError as error:
            return self._refused(error, last)
        self._last[subject], self._repeated = held.seq, bool(held.duplicate)
        return None

    def _refused(self, error: APIError, last: int | None) -> Answer:
        said = printable(error.description or "without a reason")
        if error.err_code == _WRONG_LAST_SEQUENCE:
            log.warning("other_sender", message=f"the subject does not stand at {last}: {said}")
            return Busy(0, f"another sender, or an earlier copy, on this lane's subject: {said}")
        if error.err_code in _TOO_LARGE:
            return TooLarge()
        return Busy(0, f"the stream does not take the records: {said}")

    async def _tell(self, letter: Letter) -> None:
        client = await self._connected()
        await client.publish(_subject(letter.place), letter.body, headers=self._headers(letter))
        await client.flush(timeout=5)

    @staticmethod
    def _headers(letter: Letter) -> dict[str, str]:
        return {ID_PROPERTY: letter.id, SEAL_PROPERTY: letter.seal}

    async def _connected(self) -> Client:
        if self._client is not None and self._client.is_connected:
            return self._client
        await self._disconnect()
        self._complaint = ""
        self._last.clear()
        client = self._client = Client()
        try:
            async with asyncio.timeout(_CONNECT_TIME_S):
                await client.connect(**self._options, error_cb=self._complained, closed_cb=self._closed)
        except BaseException:
            await self._disconnect()  # the library leaves the socket of a refused connection open
            raise
        await client.subscribe(_subject(Place("answer", self._me.dev)), cb=self._received)
        return client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None and not client.is_closed:
            await client.close()

    async def _received(self, message: Msg) -> None:
        self._letters.received(message.data)

    async def _complained(self, error: Exception) -> None:
        self._complaint = str(error) or type(error).__name__
        if "permissions violation" in self._complaint.lower():
            self._letters.interrupt(self._complaint)

    async def _closed(self) -> None:
        self._letters.interrupt("the connection to the broker was lost")

    def _said(self, error: Exception) -> str:
        return printable(self._complaint or str(error) or "the broker did not answer in time")

    def _unreachable(self, error: Exception) -> Answer:
        said = self._said(error)
        if "authorization violation" in said.lower() or "permissions violation" in said.lower():
            return Denied(f"the broker does not let this lane in: {said}")
        return Unreachable(said)


def _subject(place: Place) -> str:
    return ".".join(place.parts)
