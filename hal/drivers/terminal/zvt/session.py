"""One connection to a terminal: messages in their order, answers within their time (PA00P016, 5.2.5 and 5.2.6)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hal.drivers.terminal.zvt.codec import (
    Abort,
    Ack,
    Completion,
    Decoder,
    Fields,
    Intermediate,
    Message,
    Nak,
    Other,
    Print,
    Status,
    commands,
)
from hal.drivers.terminal.zvt.words import FUNCTION_NOT_POSSIBLE
from hal.transports import DeviceGone, Link
from hal.transports.inbox import Inbox

_SET_CLOCK = 0x0401


@dataclass(frozen=True)
class Timing:
    """Deadlines. T3 and T4 are the specification's; `t4_max_s` bounds what a terminal may ask for by 04 FF.

    `enquiry_interval_s`: how often an idle terminal is asked for its status, which also lets it run its own events
    (2.56 wants that at least every minute). `short_t4_s` is T4 for commands without a customer. `settle_s`: how long
    after a connection was made its terminal may still be waiting, up to T3, for an acknowledgement over the one before.
    """

    connect_s: float = 5.0
    write_s: float = 2.0
    t3_s: float = 5.0
    t4_s: float = 180.0
    t4_max_s: float = 900.0
    short_t4_s: float = 10.0
    enquiry_interval_s: float = 10.0
    retry_s: float = 2.0
    prepare_s: float = 10.0
    query_s: float = 25.0
    reverse_s: float = 180.0
    settle_s: float = 6.0


class Session(Inbox[Message]):
    """Sends one command at a time and hands out what the terminal says. `gone` is set when the line has ended."""

    def __init__(self, link: Link, timing: Timing) -> None:
        decoder = Decoder()
        super().__init__(link, decoder.feed, lambda: decoder.broken)
        self._line = link
        self.timing = timing

    async def send(self, data: bytes) -> None:
        if self.gone:
            raise self.gone
        await self._line.write(data, self.timing.write_s)

    async def ack(self) -> None:
        await self.send(commands.ACK)

    async def command(self, data: bytes, extra_s: float = 0.0) -> Ack | Nak:
        """Send a command; its answer must come within T3."""
        await self.send(data)
        deadline = asyncio.get_running_loop().time() + self.timing.t3_s + extra_s
        while True:
            message = await self._by(deadline, "no answer within T3")
            if isinstance(message, Ack | Nak):
                return message
            await self.answer_unasked(message)

    async def _by(self, deadline: float, what: str) -> Message:
        try:
            message = await self.next(deadline - asyncio.get_running_loop().time())
        except TimeoutError as error:
            raise DeviceGone("no_answer", what) from error
        assert message is not None  # nothing was wished for
        return message

    async def answer_unasked(self, message: Message) -> None:
        """What the terminal says outside of a transaction of ours.

        Status information of a payment is left unanswered: nobody here would have recorded it, and without an
        acknowledgement the terminal takes the payment back (2.2.8).
        """
        match message:
            case Status(fields) if not fields.totals:
                return
            case Status() | Intermediate() | Print() | Completion() | Abort():
                await self.ack()
            case Other(command) if command == _SET_CLOCK:
                await self.ack()
            case Other():
                await self.send(commands.negative(FUNCTION_NOT_POSSIBLE))
            case Ack() | Nak():
                return

    async def finish(
        self,
        t4_s: float,
        status: Callable[[Fields], None],
        busy: Callable[[], None] = lambda: None,
        printed: Callable[[Print], None] = lambda part: None,
    ) -> Completion | Abort:
        """Follow a command that carries no payment to its end. `status` is given each status information, which is
        acknowledged; `busy` is called when the terminal says that it will take longer; `printed` is given what it
        prints."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + t4_s
        while True:
            message = await self._by(deadline, "no completion within T4")
            match message:
                case Completion() | Abort():
                    await self.ack()
                    return message
                case Status(fields):
                    status(fields)
                    deadline = loop.time() + t4_s
                    await self.ack()
                case Intermediate():
                    busy()
                    t4_s = self.t4(message, t4_s)
                    deadline = loop.time() + t4_s
                    await self.ack()
                case _:
                    if isinstance(message, Print):
                        printed(message)
                    await self.answer_unasked(message)

    def t4(self, message: Intermediate, present_s: float) -> float:
        """T4 as the terminal wishes it, within our bounds."""
        wished_s = message.timeout_min * 60.0 if message.timeout_min else present_s
        return min(max(wished_s, present_s), self.timing.t4_max_s)
