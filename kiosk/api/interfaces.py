# No postponed annotations here: asyncvarlink reads the real types when a class is made.
"""The Varlink interfaces on the lane's socket: the journal's read end for sync, and the lane's own status."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from asyncvarlink import TypedVarlinkErrorReply, VarlinkInterface, varlinkmethod

MAX_FRAME_BYTES = 4 * 1024 * 1024


class BadRequest(TypedVarlinkErrorReply, interface="kassa.lane"):
    class Parameters:
        message: str


class Refused(TypedVarlinkErrorReply, interface="kassa.lane"):
    """Understood and not done: a counter-signature that does not verify, a catalogue that cannot be opened."""

    class Parameters:
        message: str


@dataclass(frozen=True)
class EpochHead:
    """Where one epoch of the journal stands. `acked_seq`: its highest record that the backend has counter-signed."""

    ep: int
    seq: int
    hash: str
    acked_seq: int
    acked_hash: str


@dataclass(frozen=True)
class JournalHead:
    """Where the journal stands: all its epochs, oldest first. Records are appended to the last of them only."""

    dev: str
    epochs: list[EpochHead]

    @property
    def current(self) -> EpochHead:
        return self.epochs[-1]

    @property
    def backlog(self) -> int:
        """How many records the backend has not yet counter-signed."""
        return sum(epoch.seq - epoch.acked_seq for epoch in self.epochs)


@dataclass(frozen=True)
class Segment:
    """Consecutive records, each the exact canonical JSON text. `signature`: base64, of the last one's leaf hash.

    `gap`: empty, or the JSON text of a `kiosk.records.gap.GapNotice`: the records before `first_seq` are damaged, and
    `first_seq` is not the one that was asked for."""

    dev: str
    ep: int
    first_seq: int
    prev: str
    records: list[str]
    signature: str
    gap: str = ""


@dataclass(frozen=True)
class DeviceState:
    """A device in the lane's eyes. `condition`, `reason` and `warnings` are the words of `kassa.hal.Devices`."""

    name: str
    condition: str
    reason: str
    warnings: list[str]


@dataclass(frozen=True)
class LaneStatus:
    """`screen` is the name of what the customer sees. `open_sale` is true from the first scan to the close.

    `catalogue` and `settings` are the versions that the lane goes by, empty for none.
    `hal`: the hardware daemon answers. `journal`: empty while it takes records, else why it does not. `backlog`:
    records that are not counter-signed yet, `backlog_s`: seconds since the oldest of them was made. `disk_free_bytes`:
    where the journal is. `clock`: `synced`, `unsynced`, or `floor` when it is certainly wrong.
    """

    screen: str
    open_sale: bool
    catalogue: str
    products: int
    software: str
    hal: bool
    devices: list[DeviceState]
    journal: str
    backlog: int
    backlog_s: int
    disk_free_bytes: int
    clock: str
    upload: str = ""
    """Why the backend takes no records; empty while it does."""
    settings: str = ""


class Journal(VarlinkInterface, name="kassa.lane.Journal"):
    """The journal, for the process that carries it to the backend. Only the kiosk opens the file."""

    errors = (BadRequest, Refused)

    @varlinkmethod(return_parameter="head")
    async def Head(self) -> JournalHead:
        """Where the journal stands now."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="head", delay_generator=False)
    async def Watch(self) -> AsyncIterator[JournalHead]:
        """The head now, and again after each append (several appends may share one reply)."""
        nothing: tuple[JournalHead, ...] = ()
        for head in nothing:
            yield head

    @varlinkmethod(return_parameter="segment")
    async def Read(self, *, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Segment:
        """Records after `after_seq`: at least one if there is one, else an empty segment."""
        raise NotImplementedError

    @varlinkmethod
    async def Acknowledge(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        """Keep the backend's counter-signature. The kiosk verifies it itself against the pinned key and its own
        record; Refused if it does not hold. Repeated and older ones do no harm. `changes`: a JSON list of the
        counter-signing key's cross-signed changes, `[]` while it is the pinned one."""
        raise NotImplementedError

    @varlinkmethod
    async def Forked(self, *, ep: int, hwm: int, hash: str, cosig: str, changes: str) -> None:
        """The backend has counter-signed another history of this epoch. The kiosk verifies it as in Acknowledge, and
        Refused means that the journal agrees with it. Otherwise this journal was restored or copied: as soon as no
        sale is open it goes on in an epoch of its own, which Watch tells of."""
        raise NotImplementedError

    @varlinkmethod
    async def Told(self, *, ep: int, halt: str, message: str) -> None:
        """What stands in the way of the upload of an epoch, in the backend's words; empty when it goes on again."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="certificate")
    async def Certificate(self, *, ep: int) -> str:
        """The journal key's certificate of an epoch, as JSON text."""
        raise NotImplementedError


class Lane(VarlinkInterface, name="kassa.lane.Lane"):
    """The lane's own state, for the technician and for the processes beside it."""

    errors = (BadRequest, Refused)

    @varlinkmethod(return_parameter="status")
    async def Status(self) -> LaneStatus:
        """What the lane does now."""
        raise NotImplementedError

    @varlinkmethod(return_parameter="status", delay_generator=False)
    async def WatchStatus(self) -> AsyncIterator[LaneStatus]:
        """What the lane does now, and again when it changes (several changes may share one reply). Figures that move
        all the time are as they are at the moment of a reply, and cause none."""
        nothing: tuple[LaneStatus, ...] = ()
        for status in nothing:
            yield status

    @varlinkmethod
    async def CatalogueReady(self, *, version: str) -> None:
        """`catalogue-VERSION.db` lies complete in the catalogue folder: take it when no sale is open."""
        raise NotImplementedError

    @varlinkmethod
    async def SettingsReady(self, *, version: str) -> None:
        """`settings-VERSION.json` lies complete in the settings folder: verify it, and take it when at rest."""
        raise NotImplementedError
