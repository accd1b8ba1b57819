# No postponed annotations here: asyncvarlink reads the real types when a class is made.
"""The Varlink interfaces of the hardware daemon, as abstract classes: the server implements them per connection,
the client calls through them, and `varlinkctl introspect` shows them with these docstrings."""

from collections.abc import AsyncIterator

from asyncvarlink import TypedVarlinkErrorReply, VarlinkInterface, varlinkmethod

from hal.api.records import Batch, Device, JobState, PaymentAnswer, PrinterProfile, ReconcileAnswer

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Longest message on the socket, either way; a longer one ends the connection."""


class NoSuchDevice(TypedVarlinkErrorReply, interface="kassa.hal"):
    class Parameters:
        device: str


class NotClaimed(TypedVarlinkErrorReply, interface="kassa.hal"):
    class Parameters:
        device: str


class ClaimedByAnother(TypedVarlinkErrorReply, interface="kassa.hal"):
    class Parameters:
        device: str


class NotReady(TypedVarlinkErrorReply, interface="kassa.hal"):
    """The device cannot do this now; nothing was sent to it."""

    class Parameters:
        device: str
        reason: str


class NotWaiting(TypedVarlinkErrorReply, interface="kassa.hal"):
    """No result of this payment and number waits for a confirmation (any more)."""

    class Parameters:
        payment_id: str


class BadRequest(TypedVarlinkErrorReply, interface="kassa.hal"):
    class Parameters:
        message: str


ERRORS = (NoSuchDevice, NotClaimed, ClaimedByAnother, NotReady, NotWaiting, BadRequest)


class Devices(VarlinkInterface, name="kassa.hal.Devices"):
    """Every device of the lane: what there is, how it is, and all that happens, in one ordered stream."""

    errors = ERRORS

    @varlinkmethod(return_parameter="devices")
    async def List(self) -> list[Device]:
        """All configured devices."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="batch", delay_generator=False)
    async def Watch(self, *, instance: str | None = None, after: int | None = None) -> AsyncIterator[Batch]:
        """Stream of events. With the instance and the seq of the last event seen, it resumes after it."""
        nothing: tuple[Batch, ...] = ()
        for batch in nothing:  # a generator, so that the signature says "stream"; the daemon overrides it
            yield batch

    @varlinkmethod
    async def Claim(self, *, device: str) -> None:
        """Take a device for this connection; it is released when the connection ends."""
        raise NotImplementedError

    @varlinkmethod
    async def Release(self, *, device: str) -> None:
        """Give a claimed device back."""
        raise NotImplementedError

    @varlinkmethod
    async def Identify(self, *, device: str) -> None:
        """Let the device show which one it is (a beep, a printed line), for the technician."""
        raise NotImplementedError


class Scanner(VarlinkInterface, name="kassa.hal.Scanner"):
    """Barcode scanners. Reads arrive on Devices.Watch while the scanner is claimed and enabled."""

    errors = ERRORS

    @varlinkmethod
    async def Enable(self, *, device: str, enabled: bool) -> None:
        """Whether reads are passed on. Reads while disabled are dropped, not kept."""
        raise NotImplementedError


class Printer(VarlinkInterface, name="kassa.hal.Printer"):
    """Receipt printers."""

    errors = ERRORS

    @varlinkmethod(return_parameter="profile")
    async def Profile(self, *, device: str) -> PrinterProfile:
        """What the printer can do."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="state")
    async def Print(self, *, device: str, job_id: str, data_base64: str) -> JobState:
        """Print finished ESC/POS bytes once per job_id (base64, at most 1 MiB decoded). Returns at once; the end
        comes as a `print_ended` event. A job_id seen before is not printed again: its state is returned."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="state")
    async def Job(self, *, device: str, job_id: str) -> JobState:
        """State of a job; `unknown` if this run of the daemon has not seen it."""
        raise NotImplementedError


class CardTerminal(VarlinkInterface, name="kassa.hal.CardTerminal"):
    """Card terminals. The terminal does the payment; no full card number passes here."""

    errors = ERRORS

    @varlinkmethod(return_parameter="witness")
    async def Prepare(self, *, device: str) -> str:
        """What the terminal's own record says before a payment: opaque text, at most 1 KiB, which the kiosk keeps
        with its intent and gives back to Query. Takes up to 10 s; NotReady if the terminal does not answer."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="answer")
    async def Authorise(
        self, *, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        """Start a payment once per payment_id. Returns as soon as it is accepted; events follow. A payment_id seen
        before is not run again: its present answer is returned."""
        raise NotImplementedError

    @varlinkmethod
    async def Confirm(self, *, payment_id: str, seq: int) -> None:
        """The kiosk has durably recorded the `payment_result` event `seq`: acknowledge it to the terminal.
        NotWaiting when it came too late: then the payment is UNKNOWN and Query must settle it."""
        raise NotImplementedError

    @varlinkmethod
    async def Abort(self, *, payment_id: str) -> None:
        """Ask the terminal to stop; the result arrives as an event, and may still be an approval."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="answer")
    async def Query(
        self, *, device: str, payment_id: str, amount_minor: int, currency: str, witness: str
    ) -> PaymentAnswer:
        """How did this payment end? From memory if this run of the daemon carried it, else from the terminal's own
        record compared with the witness. Never starts a payment. Blocks up to 30 s."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="answer")
    async def Reverse(
        self, *, device: str, payment_id: str, reversal_id: str, receipt_no: str, amount_minor: int, currency: str
    ) -> PaymentAnswer:
        """Reverse an approved payment by the terminal's receipt number, once per reversal_id. Blocks up to 180 s.
        `cancelled` means reversed; `declined` that the terminal refused; `unknown` that it must be asked of staff."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="answer")
    async def Reconcile(self, *, device: str, reconcile_id: str) -> ReconcileAnswer:
        """The acquirer's end of day, once per reconcile_id: the same id again answers the same, as long as the daemon
        runs. Blocks up to 180 s. Raises NotReady when nothing was sent."""
        raise NotImplementedError
