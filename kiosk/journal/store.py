"""The journal: signed, chained records that are durable when `append` returns, and never change.

Rules, first to last:
1. One process. A lock file keeps a second one out; `kassa-journal` reads without it.
2. One record, one transaction, one sync. The log is carried over into the file when the lane is idle (`tend`).
3. A COMMIT that failed may have happened. Only what a reopened file says counts, and nothing is written twice.
4. After an input/output error nothing is tried again: the journal is out of service until the process restarts.
5. On open nothing is repaired and nothing discarded. A transaction that was torn by a power cut is dropped by SQLite
   itself, and it had never been reported as done; every other fault becomes a record (`kiosk.journal.lifecycle`): of a
   gap, or of a provisional epoch. Whoever opens without `recovery` gets Damaged instead.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import apsw
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.journal import lifecycle
from kiosk.journal.anchor import Anchor
from kiosk.journal.database import Database
from kiosk.journal.errors import Damaged, DiskFull, OutOfService, Refused, WrongJournal
from kiosk.journal.file import opened as opened_file
from kiosk.journal.guard import check_identity, take_lock, translate
from kiosk.journal.opening import Opened, undeclared
from kiosk.journal.reading import Batch, Reader
from kiosk.journal.recovery import Departure, JournalKey, Recovery, place
from kiosk.journal.reserve import Reserve
from kiosk.journal.stamp import Context, Stamp
from kiosk.journal.survey import Keys
from kiosk.journal.writer import Landmark, Writer
from kiosk.records.canonical import canonical
from kiosk.records.identity import Acknowledgement, BadIdentity, KeyCertificate, changed, check_acknowledgement
from kiosk.records.journal import GENESIS, SCHEMA, VERSION, Actor, Head, Header, Record, encode, leaf_hash, sign

_records = msgspec.json.Decoder(Record)


class Journal:
    """Open it with `Journal.open`. Everything but `read`, `head` and `acknowledged` belongs to one thread.

    All methods block; `append` for one fdatasync.
    """

    def __init__(
        self,
        dev: str,
        lock_fd: int,
        database: Database,
        opened: Opened,
        anchor: Anchor,
        reserve: Reserve,
        stamp: Stamp,
        context: Context,
        vfs: str,
        recovery: Recovery | None,
    ) -> None:
        self._dev = dev
        self._lock_fd = lock_fd
        self._stamp = stamp
        self._context = context
        self._vfs = vfs
        self._recovery = recovery
        self._heads = opened.heads
        self._acknowledged = opened.acknowledged
        self.landmarks = opened.landmarks
        self.checked = opened.checked
        self._writer = Writer(database, anchor, reserve, vfs, self._reopen)
        self._reader: Reader | None = None
        self._ep = 0
        self._key: JournalKey | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        dev: str,
        ep: int,
        key: Ed25519PrivateKey,
        certificate: KeyCertificate,
        anchor_path: Path,
        cosign_key: Ed25519PublicKey,
        stamp: Stamp,
        context: Context,
        reserve: Reserve | None = None,
        vfs: str = "",
        recovery: Recovery | None = None,
    ) -> Self:
        """Create or open the file at `path` (mode 0600) and verify it; see `kiosk.journal.opening` for how far.

        `ep`, `key`: of the enrolment. With `recovery` the journal goes on whatever it finds: with a gap record where
        records are damaged, in a provisional epoch where the file is not the one that is known. Without, it raises
        Damaged. Raises Locked, WrongJournal, OutOfService too.
        `reserve`: another ballast than `PATH-reserve` of 16 MiB.
        """
        check_identity(dev, ep, key, certificate)
        lock_fd = take_lock(path)
        anchor: Anchor | None = None
        database: Database | None = None
        try:
            anchor = Anchor(anchor_path)
            database, opened = opened_file(path, vfs, dev, cosign_key, anchor.read(), recovery)
            if reserve is None:
                reserve = Reserve(path.with_name(path.name + "-reserve"))
            journal = cls(dev, lock_fd, database, opened, anchor, reserve, stamp, context, vfs, recovery)
            journal._begin(ep, (key, certificate), opened)
        except BaseException as error:
            if database is not None:
                database.close()
            if anchor is not None:
                anchor.close()
            os.close(lock_fd)
            translate(error, path)
            raise
        return journal

    def _begin(self, ep: int, key: JournalKey, opened: Opened) -> None:
        newest = max(self.landmarks.keys, default=0)
        if opened.departure is None and newest >= ep and self._recovery is not None:
            found = self._resumed(ep, key, newest, self._recovery)
            if found is None:
                why = f"the key of epoch {newest} of the journal is not there"
                opened.departure = Departure("key", why, place(self.head(newest)), place(self.head(newest)))
            else:
                ep, key = found
        certificate = key[1]
        known = self.landmarks.keys.get(ep)
        if opened.departure is not None and self._recovery is not None:
            lifecycle.depart(self, self._recovery, opened.departure)
            lifecycle.declare(self, opened.damage)
            return self._reopen()
        if newest > ep:
            raise WrongJournal(f"the journal is at epoch {newest}; epoch {ep} is over")
        if known is not None and known.newest.key != certificate.key:
            raise WrongJournal(f"epoch {ep} of the journal was begun with another key")
        if known is None:
            self._writer.database.add_certificate(ep, canonical(certificate).decode())
        self.enter(ep, key)
        lifecycle.declare(self, opened.damage)
        self._reopen()

    def _resumed(self, ep: int, key: JournalKey, newest: int, recovery: Recovery) -> tuple[int, JournalKey] | None:
        """The journal may have gone on by itself since the enrolment: to another epoch, or to another key. None when
        that key is not there."""
        public = self.landmarks.keys[newest].newest.key
        if (newest, public) == (ep, key[1].key):
            return ep, key
        found = recovery.ring.find(newest, public)
        return None if found is None else (newest, found)

    def _reopen(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = Reader(self._writer.database.path, self.landmarks, self._dev, self._vfs)

    @property
    def key(self) -> tuple[int, JournalKey] | None:
        return None if self._key is None else (self._ep, self._key)

    def leave(self, ep: int) -> None:
        """The epoch that was entered could not be begun: back to the one before."""
        self._heads.pop(ep)
        self.landmarks.keys.pop(ep)

    def enter(self, ep: int, key: JournalKey) -> None:
        """Sign with this key from the next record on; in a new epoch that record is its first."""
        self._ep, self._key = ep, key
        if ep not in self.landmarks.keys:
            self.landmarks.keys[ep] = Keys(key[1])
        self._heads.setdefault(ep, Head(self._dev, ep, 0, GENESIS))

    # Appending

    def append(self, typ: str, body: object, actor: Actor, txn: str | None = None, *, finishing: bool = False) -> Head:
        """Sign, chain and store one record; it is durable when this returns its head.

        `finishing`: the record belongs to a sale that was already open, and may use up the reserve on a full disk.
        Raises AppendFailed or DiskFull (the record is not there), OutOfService (nobody knows until a restart);
        NotCanonical or BadRecord when `body` cannot be a record, with nothing written.
        """
        return self._append(typ, body, actor, txn, None, finishing=finishing)

    def note(self, typ: str, body: object, landmark: Landmark) -> Head:
        """Append a record about the journal itself. It may use up the reserve."""
        return self._append(typ, body, Actor("system", "journal"), None, landmark, finishing=True)

    def _append(
        self, typ: str, body: object, actor: Actor, txn: str | None, landmark: Landmark | None, *, finishing: bool
    ) -> Head:
        self._writer.in_service()
        before, context, moment = self._heads[self._ep], self._context, self._stamp.moment()
        header = Header(
            v=VERSION,
            dev=self._dev,
            ep=self._ep,
            inc=self._stamp.inc,
            seq=before.seq + 1,
            typ=typ,
            txn=self._stamp.new_txn() if txn is None else txn,
            boot=moment.boot,
            mono_us=moment.mono_us,
            wall_ms=moment.wall_ms,
            tzo=moment.tzo,
            clk=moment.clk,
            tenant=context.tenant,
            shop=context.shop,
            reg=context.reg,
            mode=context.mode,
            actor=actor,
            bday=moment.bday,
            sw=context.sw,
            schema=SCHEMA,
            prev=before.hash,
        )
        data = encode(header, body)
        head = Head(self._dev, self._ep, header.seq, leaf_hash(data))
        assert self._key is not None
        self._writer.write(head, data, sign(self._key[0], head.hash), landmark, finishing=finishing)
        self._heads[self._ep] = head
        return head

    def tend(self) -> None:
        """Call it when the lane is idle: carries the log over, syncs the anchor, takes the reserve back. Blocks for
        some milliseconds. Raises OutOfService."""
        self._writer.tend()

    def reserve_ok(self) -> bool:
        """Whether a new sale may begin: in service, the ballast whole, the disk above the low-water mark."""
        return self._writer.reserve_ok()

    # The journal's course

    def rotate(self, key: JournalKey) -> None:
        """Change the journal key: the record that says so is the last that the old one signs. Raises Refused, and what
        `append` raises."""
        lifecycle.rotate(self, key)

    def forked(self, ep: int, ack: Acknowledgement) -> int:
        """Go on in a provisional epoch, because the backend has counter-signed another history of this one. Not in the
        middle of a sale. Returns by how much the number series go ahead. Raises Refused when it is not so,
        OutOfService, and what `append` raises."""
        self._check(ep, ack)
        return lifecycle.forked(self, self._recovery, ep, ack)

    def fence(self, why: str) -> None:
        """The backend takes no record of this epoch any more; kept, so that a restart does not forget it."""
        lifecycle.fence(self, why)

    @property
    def fenced(self) -> str:
        """Why nothing may be sold; empty while all is well."""
        return self.landmarks.fenced.get(self._ep, "")

    def stored(self, ep: int, seq: int) -> tuple[bytes, bytes] | None:
        return self._writer.database.find(ep, seq)

    # Reading

    def head(self, ep: int | None = None) -> Head:
        """The last record's number and hash, of the current epoch unless another is named."""
        return self._heads[self._ep if ep is None else ep]

    @property
    def dev(self) -> str:
        return self._dev

    @property
    def epochs(self) -> list[int]:
        return sorted(self._heads)

    def read(self, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Batch:
        """Records after `after_seq`: at least one if there is one, else an empty batch. From any thread. Where the
        next ones are damaged, the batch begins after them and brings the gap record.

        Raises Refused when the epoch or `after_seq` is not in this journal, OutOfService.
        """
        self._writer.in_service()
        assert self._reader is not None
        if ep not in self._heads or not 0 <= after_seq <= self._heads[ep].seq:
            raise Refused(f"record {after_seq} of epoch {ep} is not in this journal")
        try:
            batch = self._reader.read(ep, after_seq, max_records, max_bytes)
        except apsw.Error as error:
            raise OutOfService(f"the journal cannot be read: {error}") from None
        if batch is None:
            raise Refused(f"record {after_seq} of epoch {ep} is not in this journal")
        return batch

    def tail(self, from_seq: int = 1) -> Iterator[Record]:
        """The current epoch's records from `from_seq` on, oldest first, up to the head as it is now.

        Trusts what `open` has verified. Do not append before it is used up. Raises Damaged.
        """
        for seq, data, _ in self._writer.database.rows(self._ep, from_seq - 1):
            if self.landmarks.gap_at(self._ep, seq) is None:
                yield _decoded(self._ep, seq, data)

    def backward(self) -> Iterator[Record]:
        """All records, newest first, epoch after epoch, stepping over damaged ranges that a gap record declares: to
        find where a replay has to begin. Raises Damaged."""
        for ep in reversed(self.epochs):
            yield from self._backward(ep)

    def _backward(self, ep: int) -> Iterator[Record]:
        """Each record is held to the hash that the one after it names: `open` has not looked at all of them."""
        seq, expected = self.head(ep).seq, self.head(ep).hash
        while seq > 0:
            if (gap := self.landmarks.gap_at(ep, seq)) is not None:
                seq, expected = gap.first - 1, gap.before
                continue
            found = self.stored(ep, seq)
            if found is None or leaf_hash(found[0]) != expected:
                if self._recovery is None or not self.mend(ep) or self.landmarks.gap_at(ep, seq) is None:
                    raise Damaged("broken_chain", ep, seq, f"it is not the record that record {seq + 1} follows")
                continue
            record = _decoded(ep, seq, found[0])
            yield record
            seq, expected = seq - 1, record.prev

    def mend(self, ep: int) -> int:
        """Verify all records of an epoch and declare what is damaged; how many ranges. Blocks for as long as that
        takes. Raises what `append` raises."""
        newest = ep == max(self.epochs)
        damage = undeclared(
            self._writer.database, self.landmarks, self._acknowledged.get(ep), self.head(ep), newest=newest
        )
        lifecycle.declare(self, damage)
        return len(damage)

    # Acknowledging

    def acknowledged(self, ep: int | None = None) -> Acknowledgement | None:
        """The last counter-signature of the backend; None when there is none yet."""
        return self._acknowledged.get(self._ep if ep is None else ep)

    def acknowledge(self, ack: Acknowledgement, ep: int | None = None) -> None:
        """Keep a counter-signature, durably. Repeated and older ones do no harm.

        Raises Refused when it is not by the pinned key or not over our own record, OutOfService.
        """
        self._writer.in_service()
        ep = self._ep if ep is None else ep
        current = self._check(ep, ack)
        try:
            found = self.stored(ep, ack.hwm)
            if found is None:
                raise Refused(f"it acknowledges record {ack.hwm} of epoch {ep}, which is not in this journal")
            if leaf_hash(found[0]) != ack.hash:
                raise Refused(f"it acknowledges another record {ack.hwm} of epoch {ep} than the one in this journal")
            if current.public_bytes_raw() != self.landmarks.cosign.public_bytes_raw():
                lifecycle.cosign_changed(self, ack)
                self.landmarks.cosign = current
            known = self._acknowledged.get(ep)
            if known is None or known.hwm < ack.hwm:
                with suppress(apsw.ConstraintError):  # a damaged one stands there, and cannot be replaced
                    self._writer.database.put_acknowledgement(
                        ep, ack.hwm, canonical(ack).decode(), self._of_last_day(ep, known, found[0])
                    )
                self._acknowledged[ep] = ack
        except apsw.FullError:
            raise DiskFull("the disk is full; the acknowledgement was not kept") from None
        except apsw.Error as error:
            raise self._writer.fail(error) from None

    def _of_last_day(self, ep: int, known: Acknowledgement | None, data: bytes) -> tuple[int, str] | None:
        """The counter-signature before, if it is of another business day than the record that is acknowledged now."""
        found = None if known is None else self.stored(ep, known.hwm)
        if known is None or found is None or _bday(found[0]) == _bday(data):
            return None
        return known.hwm, canonical(known).decode()

    def _check(self, ep: int, ack: Acknowledgement) -> Ed25519PublicKey:
        """The key that has counter-signed. Raises Refused when it is not the backend's present one, nor changed from
        that."""
        try:
            check_acknowledgement(self.landmarks.cosign, self._dev, ep, ack)
            return changed(self.landmarks.cosign, ack.changes)
        except BadIdentity as error:
            raise Refused(str(error)) from None

    def certificate(self, ep: int | None = None, *, newest: bool = False) -> KeyCertificate:
        """Of the first key of an epoch, or of its newest. Raises Refused for an epoch that is not in this journal."""
        ep = self._ep if ep is None else ep
        if ep not in self.landmarks.keys:
            raise Refused(f"epoch {ep} is not in this journal")
        return self.landmarks.keys[ep].newest if newest else self.landmarks.keys[ep].certificate(1)

    def close(self) -> None:
        """Carry the log over, sync the anchor, give the lock up. May be called twice."""
        if self._lock_fd < 0:
            return
        if self._reader is not None:
            with suppress(apsw.Error):
                self._reader.close()
        self._writer.close()
        os.close(self._lock_fd)
        self._lock_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Day(msgspec.Struct):
    bday: str = ""


_days = msgspec.json.Decoder(_Day)


def _bday(data: bytes) -> str:
    try:
        return _days.decode(data).bday
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _decoded(ep: int, seq: int, data: bytes) -> Record:
    try:
        return _records.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("bad_field", ep, seq, f"the record is missing or unreadable: {error}") from None
