"""What the backend has counter-signed of this journal: the last of each epoch, and for good the last of each day."""

from contextlib import suppress

import apsw
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal import lifecycle
from kiosk.journal.errors import DiskFull, Refused
from kiosk.journal.writer import Writer
from kiosk.records.canonical import canonical
from kiosk.records.identity import Acknowledgement, BadIdentity, changed, check_acknowledgement
from kiosk.records.journal import leaf_hash


class Countersigned:
    """Of one open journal; `keep` belongs to its thread."""

    def __init__(self, dev: str, writer: Writer, kept: dict[int, Acknowledgement]) -> None:
        self._dev = dev
        self._writer = writer
        self._kept = kept

    def last(self, ep: int) -> Acknowledgement | None:
        return self._kept.get(ep)

    def keep(self, journal: lifecycle.Course, ep: int, ack: Acknowledgement) -> None:
        """Durable on return. Raises Refused, DiskFull, OutOfService."""
        self._writer.in_service()
        current = self.check(journal, ep, ack)
        try:
            found = journal.stored(ep, ack.hwm)
            if found is None:
                raise Refused(f"it acknowledges record {ack.hwm} of epoch {ep}, which is not in this journal")
            if leaf_hash(found[0]) != ack.hash:
                raise Refused(f"it acknowledges another record {ack.hwm} of epoch {ep} than the one in this journal")
            if current.public_bytes_raw() != journal.landmarks.cosign.public_bytes_raw():
                lifecycle.cosign_changed(journal, ack)
                journal.landmarks.cosign = current
            known = self._kept.get(ep)
            if known is None or known.hwm < ack.hwm:
                of_last_day = None if known is None else self._of_last_day(journal, ep, known, found[0])
                with suppress(apsw.ConstraintError):  # a damaged one stands there, and cannot be replaced
                    self._writer.database.put_acknowledgement(ep, ack.hwm, canonical(ack).decode(), of_last_day)
                self._kept[ep] = ack
        except apsw.FullError:
            raise DiskFull("the disk is full; the acknowledgement was not kept") from None
        except apsw.Error as error:
            raise self._writer.fail(error) from None

    def check(self, journal: lifecycle.Course, ep: int, ack: Acknowledgement) -> Ed25519PublicKey:
        """The key that has counter-signed. Raises Refused when it is not the backend's present one, nor changed from
        that."""
        present = journal.landmarks.cosign
        try:
            check_acknowledgement(present, self._dev, ep, ack)
            return changed(present, ack.changes)
        except BadIdentity as error:
            raise Refused(str(error)) from None

    @staticmethod
    def _of_last_day(journal: lifecycle.Course, ep: int, known: Acknowledgement, data: bytes) -> tuple[int, str] | None:
        """The counter-signature before, if it is of another business day than the record that is acknowledged now."""
        found = journal.stored(ep, known.hwm)
        if found is None or _bday(found[0]) == _bday(data):
            return None
        return known.hwm, canonical(known).decode()


class _Day(msgspec.Struct):
    bday: str = ""


_days = msgspec.json.Decoder(_Day)


def _bday(data: bytes) -> str:
    try:
        return _days.decode(data).bday
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
