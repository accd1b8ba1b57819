"""The journal: signed, chained records that are durable when `append` returns, and never change.

Rules, first to last:
1. One process. A lock file keeps a second one out; `kassa-journal` reads without it.
2. One record, one transaction, one sync. The log is carried over into the file when the lane is idle (`tend`).
3. A COMMIT that failed may have happened. Only what a reopened file says counts, and nothing is written twice.
4. After an input/output error nothing is tried again: the journal is out of service until the process restarts.
5. On open nothing is repaired and nothing discarded. A transaction that was torn by a power cut is dropped by SQLite
   itself, and it had never been reported as done; every other fault raises Damaged.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import apsw
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.journal import opening
from kiosk.journal.anchor import Anchor
from kiosk.journal.database import Database
from kiosk.journal.errors import AppendFailed, Damaged, DiskFull, OutOfService, Refused, WrongJournal
from kiosk.journal.guard import check_identity, take_lock, translate
from kiosk.journal.reading import Batch, Reader
from kiosk.journal.reserve import Reserve
from kiosk.journal.stamp import Context, Stamp
from kiosk.records.canonical import canonical
from kiosk.records.identity import Acknowledgement, BadIdentity, KeyCertificate, check_acknowledgement
from kiosk.records.journal import GENESIS, SCHEMA, VERSION, Actor, Head, Header, Record, encode, leaf_hash, sign

# Above this the log is carried over inside an append, so that it cannot grow without end on a lane that is never idle.
_WAL_LIMIT_FRAMES = 3900
_WAL_IDLE_FRAMES = 256
_records = msgspec.json.Decoder(Record)


class Journal:
    """Open it with `Journal.open`. Everything but `read`, `head` and `acknowledged` belongs to one thread.

    All methods block; `append` for one fdatasync.
    """

    def __init__(self, lock_fd: int, anchor: Anchor, reserve: Reserve, database: Database, opened: opening.Opened):
        self._lock_fd = lock_fd
        self._anchor = anchor
        self._reserve = reserve
        self._database = database
        self._vfs = ""
        self._heads = opened.heads
        self._acknowledged = opened.acknowledged
        self._certificates = opened.certificates
        self.checked = opened.checked
        self._failure = ""
        self._carry_over_at = _WAL_LIMIT_FRAMES
        self._reader: Reader

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
    ) -> Self:
        """Create or open the file at `path` (mode 0600) and verify it; see `kiosk.journal.opening` for how far.

        Raises Locked, WrongJournal, Damaged, OutOfService. `reserve`: another ballast than `PATH-reserve` of 16 MiB.
        """
        check_identity(dev, ep, key, certificate)
        lock_fd = take_lock(path)
        anchor: Anchor | None = None
        database: Database | None = None
        try:
            anchor = Anchor(anchor_path)
            database = Database(path, vfs)
            opened = opening.inspect(database, dev, cosign_key, anchor.read())
            if reserve is None:
                reserve = Reserve(path.with_name(path.name + "-reserve"))
            journal = cls(lock_fd, anchor, reserve, database, opened)
            journal._begin(ep, key, certificate, cosign_key, stamp, context, vfs)
        except BaseException as error:
            if database is not None:
                database.close()
            if anchor is not None:
                anchor.close()
            os.close(lock_fd)
            translate(error, path)
            raise
        return journal

    def _begin(
        self,
        ep: int,
        key: Ed25519PrivateKey,
        certificate: KeyCertificate,
        cosign_key: Ed25519PublicKey,
        stamp: Stamp,
        context: Context,
        vfs: str,
    ) -> None:
        self._ep, self._key, self._cosign_key = ep, key, cosign_key
        self._stamp, self._context, self._vfs = stamp, context, vfs
        known = self._certificates.get(ep)
        if known is not None and known.key != certificate.key:
            raise WrongJournal(f"epoch {ep} of the journal was begun with another key")
        newest = max(self._certificates, default=0)
        if newest > ep:
            raise WrongJournal(f"the journal is at epoch {newest}; epoch {ep} is over")
        if known is None:
            self._database.add_certificate(ep, canonical(certificate).decode())
            self._certificates[ep] = certificate
        self._heads.setdefault(ep, Head(certificate.dev, ep, 0, GENESIS))
        self._dev = certificate.dev
        self._reader = Reader(self._database.path, self._dev, vfs)

    # Appending

    def append(self, typ: str, body: object, actor: Actor, txn: str | None = None, *, finishing: bool = False) -> Head:
        """Sign, chain and store one record; it is durable when this returns its head.

        `finishing`: the record belongs to a sale that was already open, and may use up the reserve on a full disk.
        Raises AppendFailed or DiskFull (the record is not there), OutOfService (nobody knows until a restart);
        NotCanonical or BadRecord when `body` cannot be a record, with nothing written.
        """
        self._in_service()
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
        leaf = leaf_hash(data)
        signature = sign(self._key, leaf)
        try:
            self._database.insert(self._ep, header.seq, data, signature)
        except apsw.Error as error:
            self._settle(error, header.seq, data, signature, finishing=finishing)
        head = Head(self._dev, self._ep, header.seq, leaf)
        self._heads[self._ep] = head
        self._anchor.write(head)
        if self._database.wal_frames >= self._carry_over_at:
            self._carry_over()
        return head

    def _settle(self, error: apsw.Error, seq: int, data: bytes, signature: bytes, *, finishing: bool) -> None:
        """A failed append: returns if the record is durable after all, else raises."""
        if not isinstance(error, apsw.FullError | apsw.BusyError | apsw.NoMemError | apsw.CantOpenError):
            raise self._fail(error) from None
        if self._is_there(seq, data):
            return
        full = isinstance(error, apsw.FullError)
        if full and finishing and self._reserve.release():
            try:
                return self._database.insert(self._ep, seq, data, signature)
            except apsw.Error as again:
                return self._settle(again, seq, data, signature, finishing=False)
        if full:
            raise DiskFull(f"the disk is full; record {seq} was not written") from None
        raise AppendFailed(f"record {seq} was not written: {error}") from None

    def _is_there(self, seq: int, data: bytes) -> bool:
        """Close, reopen and look; what is found is made durable before it is believed."""
        try:
            self._reader.close()
            self._database.close()
            self._database = Database(self._database.path, self._vfs)
            self._reader = Reader(self._database.path, self._dev, self._vfs)
            found = self._database.find(self._ep, seq)
            if found is None:
                return False
            if found[0] != data:
                raise self._fail(f"another record {seq} appeared")
            self._database.checkpoint()
        except (apsw.Error, OSError, Damaged, WrongJournal) as error:
            raise self._fail(error) from None
        return True

    def _fail(self, error: object) -> OutOfService:
        self._failure = f"the journal's disk failed: {error}"
        return OutOfService(self._failure)

    def _in_service(self) -> None:
        if self._failure:
            raise OutOfService(self._failure)

    def tend(self) -> None:
        """Call it when the lane is idle: carries the log over, syncs the anchor, takes the reserve back. Blocks for
        some milliseconds. Raises OutOfService."""
        self._in_service()
        self._anchor.sync()
        self._reserve.restore()
        if self._database.wal_frames >= _WAL_IDLE_FRAMES:
            self._carry_over()
            self._in_service()

    def _carry_over(self) -> None:
        """A full disk only leaves the log to grow; the records in it are durable either way. After an error of the
        disk the record just appended still stands, and the next call raises."""
        self._carry_over_at = _WAL_LIMIT_FRAMES
        try:
            self._database.checkpoint()
            self._database.wal_frames = 0
        except (apsw.FullError, apsw.BusyError):
            self._carry_over_at = self._database.wal_frames + _WAL_LIMIT_FRAMES
        except apsw.Error as error:
            self._fail(error)

    def reserve_ok(self) -> bool:
        """Whether a new sale may begin: in service, the ballast whole, the disk above the low-water mark."""
        return not self._failure and self._reserve.ok()

    # Reading

    def head(self, ep: int | None = None) -> Head:
        """The last record's number and hash, of the current epoch unless another is named."""
        return self._heads[self._ep if ep is None else ep]

    @property
    def epochs(self) -> list[int]:
        return sorted(self._heads)

    def read(self, ep: int, after_seq: int, max_records: int, max_bytes: int) -> Batch:
        """Records after `after_seq`: at least one if there is one, else an empty batch. From any thread.

        Raises Refused when the epoch or `after_seq` is not in this journal, OutOfService.
        """
        self._in_service()
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
        for seq, data, _ in self._database.rows(self._ep, from_seq - 1):
            yield _decoded(self._ep, seq, data)

    def backward(self) -> Iterator[Record]:
        """The current epoch's records, newest first: to find where a replay has to begin. Raises Damaged."""
        for seq in range(self.head().seq, 0, -1):
            found = self._database.find(self._ep, seq)
            yield _decoded(self._ep, seq, b"" if found is None else found[0])

    # Acknowledging

    def acknowledged(self, ep: int | None = None) -> Acknowledgement | None:
        """The last counter-signature of the backend; None when there is none yet."""
        return self._acknowledged.get(self._ep if ep is None else ep)

    def acknowledge(self, ack: Acknowledgement, ep: int | None = None) -> None:
        """Keep a counter-signature, durably. Repeated and older ones do no harm.

        Raises Refused when it is not by the pinned key or not over our own record, OutOfService.
        """
        self._in_service()
        ep = self._ep if ep is None else ep
        try:
            check_acknowledgement(self._cosign_key, self._dev, ep, ack)
        except BadIdentity as error:
            raise Refused(str(error)) from None
        try:
            found = self._database.find(ep, ack.hwm)
            if found is None:
                raise Refused(f"it acknowledges record {ack.hwm} of epoch {ep}, which is not in this journal")
            if leaf_hash(found[0]) != ack.hash:
                raise Refused(f"it acknowledges another record {ack.hwm} of epoch {ep} than the one in this journal")
            known = self._acknowledged.get(ep)
            if known is None or known.hwm < ack.hwm:
                self._database.put_acknowledgement(ep, ack.hwm, canonical(ack).decode())
                self._acknowledged[ep] = ack
        except apsw.FullError:
            raise DiskFull("the disk is full; the acknowledgement was not kept") from None
        except apsw.Error as error:
            raise self._fail(error) from None

    def certificate(self, ep: int | None = None) -> KeyCertificate:
        """Raises Refused for an epoch that is not in this journal."""
        ep = self._ep if ep is None else ep
        if ep not in self._certificates:
            raise Refused(f"epoch {ep} is not in this journal")
        return self._certificates[ep]

    def close(self) -> None:
        """Carry the log over, sync the anchor, give the lock up. May be called twice."""
        if self._lock_fd < 0:
            return
        with suppress(apsw.Error):
            self._reader.close()
        if not self._failure:
            with suppress(apsw.Error):
                self._database.checkpoint()
        with suppress(apsw.Error):
            self._database.close()
        self._anchor.close()
        os.close(self._lock_fd)
        self._lock_fd = -1
        self._failure = self._failure or "the journal is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _decoded(ep: int, seq: int, data: bytes) -> Record:
    try:
        return _records.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("bad_field", ep, seq, f"the record is missing or unreadable: {error}") from None
