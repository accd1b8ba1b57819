"""One register connection: commands in, answers out (PA00P015 rev. 13.08, chapter "commands").

Rules kept here:
- every command is acknowledged by 80 00 (or refused by 84 xx) first; then the terminal is master, and each of
  its own commands waits T3 for 80 00, 84 00 or 84 xx; 06 0F or 06 1E gives the master's right back;
- until the card's host has decided, a lost line or 06 B0 cancels the payment;
- 04 0F acknowledged: the payment stands. 84 xx: reversed. 84 9C: sent again. No answer: as the profile says.
- busy: a command while we are master is refused with 84 9C ("please wait", table of error messages).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from hal.virtual.terminal import messages, tables
from hal.virtual.terminal.ledger import Entry
from hal.virtual.terminal.line import TRANSACTIONS, Line, LineLost, NoAnswer
from hal.virtual.terminal.wire import ACK, Apdu, Malformed, encode, number, parse_bitmaps

if TYPE_CHECKING:
    from hal.virtual.terminal.device import VirtualTerminal

REPEAT_LIMIT = 3  # 04 0F after 84 9C
ABORT = (0x06, 0xB0)


class Conversation:
    def __init__(self, terminal: "VirtualTerminal", line: Line) -> None:
        self.terminal, self.line = terminal, line
        self._abort_wanted = False
        self._handlers: dict[tuple[int, int], Callable[[Apdu], Awaitable[None]]] = {
            (0x06, 0x00): self._register,
            (0x06, 0x01): self._authorise,
            (0x06, 0x02): self._log_off,
            (0x06, 0x20): self._repeat_receipt,
            (0x06, 0x30): self._reverse,
            (0x06, 0x50): self._end_of_day,
            (0x06, 0x70): self._plain,
            (0x06, 0x93): self._plain,
            (0x05, 0x01): self._status_enquiry,
            ABORT: self._log_off,
        }

    async def run(self) -> None:
        """Until the line is lost; raises nothing."""
        try:
            while True:
                await self._answer(await self.line.receive())
        except LineLost:
            pass
        finally:
            self.terminal.faults.end()
            self.terminal.idle(self.line)

    async def _answer(self, apdu: Apdu) -> None:
        if apdu.cls in (0x80, 0x84):
            return  # an acknowledgement that came after T3
        handler = self._handlers.get(apdu.command)
        self._abort_wanted = False
        try:
            if handler is None:
                await self._refuse(tables.NOT_POSSIBLE)
                return
            await handler(apdu)
        except Malformed as error:
            await self._refuse(tables.NOT_POSSIBLE if error.unknown_bitmap else tables.PROTOCOL_ERROR)
        except NoAnswer:
            pass  # the sequence ends; the register may ask again on the same connection
        finally:
            if apdu.command in TRANSACTIONS:
                self.terminal.faults.end()
            self.terminal.idle(self.line)

    async def _refuse(self, code: int) -> None:
        await self.line.send(encode(0x84, code))

    async def _tell(self, wire: bytes) -> int:
        """Send a command of ours; 0 when acknowledged, else xx of 84 xx. Raises `LineLost`, `NoAnswer`."""
        await self.line.send(wire)
        deadline = asyncio.get_running_loop().time() + self.terminal.profile.t3_s
        while True:
            apdu = await self.line.receive(deadline - asyncio.get_running_loop().time())
            if apdu.command == (0x80, 0x00) or apdu.command == (0x84, 0x00):
                return 0
            if apdu.cls == 0x84:
                return apdu.ins
            await self._interrupt(apdu)

    async def _interrupt(self, apdu: Apdu) -> None:
        """A command while we are master: only 06 B0 has the right to speak."""
        if apdu.command == ABORT:
            self._abort_wanted = True
            await self.line.send(ACK)
        elif apdu.cls not in (0x80, 0x84):
            await self._refuse(tables.BUSY)

    async def _complete(self, data: bytes = b"") -> None:
        await self._tell(encode(0x06, 0x0F, data))

    async def _abort(self, code: int) -> None:
        await self._tell(encode(0x06, 0x1E, bytes((code,))))

    async def _status(self, code: int) -> None:
        self.terminal.show(tables.STATUS_TEXTS[code])
        if self.terminal.config_byte & tables.WANTS_STATUS:
            profile = self.terminal.profile
            await self._tell(messages.intermediate_status(code, profile.card_timeout_s, profile.leaks))

    # Administration

    async def _register(self, apdu: Apdu) -> None:
        request = messages.registration(apdu.data)
        await self.line.send(ACK)
        self.terminal.register(request)
        await self._complete(messages.registered(self.terminal))

    async def _log_off(self, _apdu: Apdu) -> None:
        await self.line.send(ACK)

    async def _plain(self, _apdu: Apdu) -> None:
        """Diagnosis and initialisation: the host is always reachable here."""
        await self.line.send(ACK)
        await self._status(tables.PLEASE_WAIT)
        await self._complete()

    async def _status_enquiry(self, _apdu: Apdu) -> None:
        await self.line.send(ACK)
        await self._complete(bytes((self.terminal.profile.status_byte,)))

    async def _repeat_receipt(self, apdu: Apdu) -> None:
        service = parse_bitmaps(apdu.data[3:]).get(0x03, b"\0")[0]
        await self.line.send(ACK)
        last = self.terminal.ledger.last
        if last is None:
            await self._abort(tables.NOT_POSSIBLE)
            return
        if service & 0x01:
            await self._report(last)
        if not service & 0x02:
            await self._print(last)
        await self._complete()

    async def _end_of_day(self, _apdu: Apdu) -> None:
        await self.line.send(ACK)
        await self._status(tables.PLEASE_WAIT)
        terminal = self.terminal
        refused = await self._tell(messages.totals(terminal))
        if refused:
            await self._abort(tables.ABORTED)
            return
        terminal.ledger.end_day(restart_numbers=terminal.profile.restart_numbers)
        await self._complete()

    # Payments

    async def _authorise(self, apdu: Apdu) -> None:
        request = parse_bitmaps(apdu.data)
        if 0x04 not in request:
            raise Malformed("an authorisation without an amount")
        amount_minor = number(request[0x04])
        currency = number(request[0x49]) if 0x49 in request else self.terminal.currency
        await self.line.send(ACK)
        refusal = self._refusal(amount_minor, currency)
        if refusal:
            await self._abort(refusal)
            return
        self.terminal.begin(amount_minor, currency)
        patience_s = request[0x01][0] if request.get(0x01, b"\0") != b"\0" else 600
        outcome = await self._card(min(patience_s, self.terminal.profile.card_timeout_s))
        if outcome == "part":
            amount_minor = min(amount_minor, self.terminal.profile.part_minor)
        await self._decide(outcome, self.terminal.ledger.draft(amount_minor, currency))

    def _refusal(self, amount_minor: int, currency: int) -> int:
        if not self.terminal.registered:
            return tables.NOT_REGISTERED
        if currency != self.terminal.currency:
            return tables.WRONG_CURRENCY
        return 0 if amount_minor else tables.AMOUNT_TOO_SMALL

    async def _card(self, patience_s: float) -> str:
        """What the customer does. "cancelled" also when the register aborts. Raises `LineLost`."""
        await self._status(tables.INSERT_CARD)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        remind_at = loop.time() + self.terminal.profile.status_every_s
        while not self._abort_wanted:
            outcome = self.terminal.take_card()
            if outcome is not None:
                return outcome
            if loop.time() >= deadline:
                return "timeout"
            if loop.time() >= remind_at:
                await self._status(tables.INSERT_CARD)
                remind_at = loop.time() + self.terminal.profile.status_every_s
            wake_at = min(deadline, remind_at, self.terminal.auto_at())
            await self._until(self.terminal.card_shown.wait(), wake_at - loop.time())
        return "cancelled"

    async def _until(self, event: Awaitable[object], timeout_s: float) -> None:
        """Wait for the event, a word from the register, or the time-out. Raises `LineLost`."""
        waiting = asyncio.ensure_future(event)
        listening = asyncio.ensure_future(self.line.receive())
        try:
            await asyncio.wait((waiting, listening), timeout=max(timeout_s, 0), return_when="FIRST_COMPLETED")
        finally:
            waiting.cancel()
            if not listening.done():
                listening.cancel()
            results = await asyncio.gather(waiting, listening, return_exceptions=True)
        said = results[1]
        if isinstance(said, LineLost):
            raise said
        if isinstance(said, Apdu):
            await self._interrupt(said)

    async def _decide(self, outcome: str, entry: Entry) -> None:
        if outcome in ("timeout", "cancelled"):
            await self._status(tables.NOT_ACCEPTED)
            await self._abort(tables.ABORTED)
            return
        await self._status(tables.PLEASE_WAIT)
        profile = self.terminal.profile
        if outcome == "slow":
            await self._status(tables.WAITING_FOR_HOST)
        await self._ask_host(profile.slow_s if outcome == "slow" else profile.host_s)
        if outcome == "decline":
            await self._status(tables.DECLINED)
            await self._tell(messages.declined(self.terminal, entry))
            await self._abort(profile.decline_code)
            return
        await self._settle(entry)

    async def _ask_host(self, takes_s: float) -> None:
        """The host thinks. The card is in: 06 B0 comes too late and is refused; a lost line still cancels."""
        loop = asyncio.get_running_loop()
        ready_at = loop.time() + takes_s
        while (left_s := ready_at - loop.time()) > 0:
            try:
                apdu = await self.line.receive(left_s)
            except NoAnswer:
                return
            if apdu.cls not in (0x80, 0x84):
                await self._refuse(tables.BUSY)
        if self.line.lost:
            raise LineLost

    async def _reverse(self, apdu: Apdu) -> None:
        request = parse_bitmaps(apdu.data[3:])
        if 0x87 not in request:
            raise Malformed("a reversal without a receipt number")
        receipt = number(request[0x87])
        await self.line.send(ACK)
        ledger = self.terminal.ledger
        original = ledger.find(receipt)
        if original is None or not self.terminal.profile.reverses:
            await self._abort(tables.REVERSAL_NOT_POSSIBLE)
            return
        if ledger.is_reversed(original):
            await self._abort(tables.ALREADY_REVERSED)
            return
        await self._status(tables.PLEASE_WAIT)
        await self._settle(ledger.reversal_of(original))

    async def _settle(self, entry: Entry) -> None:
        """The host has agreed: report, and make it final when and only when the profile says so."""
        terminal = self.terminal
        terminal.show(tables.STATUS_TEXTS[tables.APPROVED])
        final = False
        try:
            refused = await self._report(entry)
            if not refused and not terminal.profile.print_final:
                terminal.commit(entry)
                final = True
            if not refused:
                unprinted = await self._print(entry)
                refused = unprinted if not final else 0
        except LineLost:
            if not final:
                await asyncio.sleep(terminal.profile.late_s)
                terminal.unacknowledged(entry)
            raise
        if refused:
            terminal.auto_reversals += 1
            await self._status(tables.AUTO_REVERSAL)
            await self._abort(tables.ABORTED)
            return
        if not final:
            terminal.commit(entry)
        await self._complete()

    async def _report(self, entry: Entry) -> int:
        """04 0F; 0 when acknowledged."""
        for _ in range(REPEAT_LIMIT):
            answer = await self._tell(messages.status_information(self.terminal, entry))
            if answer != tables.BUSY:
                return answer
        return tables.BUSY

    async def _print(self, entry: Entry) -> int:
        """The card receipt, when the register prints it; 0 when every line or block was acknowledged."""
        wanted = tables.ECR_PRINTS | tables.PT_COMPOSES
        if self.terminal.config_byte & wanted == wanted:
            for wire in messages.receipt(self.terminal, entry):
                refused = await self._tell(wire)
                if refused:
                    return refused
        return 0
