"""Stepping over declared gaps while a journal is verified with nothing but its bytes and public keys. Pure.

A gap record is believed when it is signed by a key of its epoch that the device's identity key has certified, when the
chain before it ends as it says, when the stored rows of its range are the ones that it names, and when none of those
rows but the first is genuine: then a smaller range would have been enough.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.journal.entries import Bad, Entry
from kiosk.journal.survey import Keys, genuine
from kiosk.records.gap import GAP, BadGap, Gap, read_gap
from kiosk.records.identity import BadIdentity, KeyCertificate, check_certificate
from kiosk.records.journal import BadRecord, Head, check_signature, decode, leaf_hash
from kiosk.records.lifecycle import EpochBegun, Place, read_epoch, read_key

Candidates = Callable[[], Iterable[Entry]]
"""All stored records that may be gap records or key changes, from anywhere in the journal."""


def no_candidates() -> Iterable[Entry]:
    return ()


class Declared:
    """The gap records of a journal. They are looked for when the first bad record is found, and not before."""

    def __init__(
        self,
        certificates: Mapping[int, KeyCertificate],
        identity_key: str,
        candidates: Candidates,
        named: Mapping[tuple[int, int], KeyCertificate],
    ) -> None:
        self._certificates = list(certificates.values())
        self._beside = named
        self._identity_key = identity_key
        self._candidates = candidates
        self._gaps: dict[tuple[int, int], tuple[Gap, Entry]] | None = None
        self._named: dict[tuple[int, int], KeyCertificate] = {}
        self._departures: list[tuple[EpochBegun, Entry]] = []

    def at(self, ep: int, seq: int) -> tuple[Gap, Entry] | None:
        """The gap that begins at this record, and the record that declares it."""
        if self._gaps is None:
            self._gaps = self._read()
        return self._gaps.get((ep, seq))

    def changes_before(self, ep: int, seq: int) -> list[tuple[int, KeyCertificate]]:
        """The key changes that lie before the part of an epoch that is verified. Raises BadIdentity."""
        found = [(at, certificate) for (of, at), certificate in sorted(self._beside.items()) if of == ep and at < seq]
        for _, certificate in found:
            check_certificate(certificate, self._identity_key)
        return found

    def key_named_in(self, gap: Gap) -> tuple[int, KeyCertificate] | None:
        """A key change whose record lies in the gap but can be read, or is kept beside the journal."""
        inside = [(seq, named) for (ep, seq), named in self._named.items() if ep == gap.ep]
        return max(((seq, named) for seq, named in inside if gap.first <= seq <= gap.last), default=None)

    def _read(self) -> dict[tuple[int, int], tuple[Gap, Entry]]:
        found = list(self._candidates())
        named = dict(self._beside)
        named |= {(e.ep, e.seq): key for e in found if (key := self._named_in(e)) is not None}
        for place, certificate in named.items():
            with suppress(BadIdentity):
                check_certificate(certificate, self._identity_key)
                self._named[place] = certificate
                self._certificates.append(certificate)
        gaps = {}
        for entry in found:
            gap = self._verified(entry)
            if gap is not None:
                gaps[gap.ep, gap.first] = gap, entry
            elif (begun := self._begun(entry)) is not None:
                self._departures.append((begun, entry))
        return gaps

    def departed(self, head: Head) -> Entry | None:
        """The record that begins a later epoch and says that this one ends here in the file."""
        if self._gaps is None:
            self._gaps = self._read()
        here = Place(head.ep, head.seq, head.hash)
        return next((entry for begun, entry in self._departures if begun.file == here), None)

    def _begun(self, entry: Entry) -> EpochBegun | None:
        try:
            record = decode(entry.data)
        except BadRecord:
            return None
        signed = any(_signed(self._key(key), entry) for key in self._of(record.dev, record.ep))
        return read_epoch(record) if signed and (record.ep, record.seq) == (entry.ep, entry.seq) else None

    def _of(self, dev: str, ep: int) -> list[KeyCertificate]:
        return [found for found in self._certificates if (found.dev, found.ep) == (dev, ep)]

    @staticmethod
    def _named_in(entry: Entry) -> KeyCertificate | None:
        try:
            return read_key(decode(entry.data))
        except BadRecord:
            return None

    def _verified(self, entry: Entry) -> Gap | None:
        try:
            record = decode(entry.data)
            if record.typ != GAP or (record.ep, record.seq) != (entry.ep, entry.seq):
                return None
            if not any(_signed(self._key(key), entry) for key in self._of(record.dev, record.ep)):
                return None
            return read_gap(record)
        except (BadRecord, BadGap, BadIdentity):
            return None

    def _key(self, certificate: KeyCertificate) -> Ed25519PublicKey:
        return check_certificate(certificate, self._identity_key)


def _signed(key: Ed25519PublicKey, entry: Entry) -> bool:
    try:
        check_signature(key, leaf_hash(entry.data), entry.signature)
    except BadRecord:
        return False
    return True


class Range:
    """The stored rows of one gap as they come by."""

    def __init__(self, gap: Gap, head: Head, keys: Keys, bad: Bad) -> None:
        self.gap, self.bad = gap, bad
        self._head, self._keys = head, keys
        self._digest = hashlib.sha256()

    def take(self, entry: Entry) -> Bad | None:
        """A row inside the range; says why it does not belong there, if it does not."""
        gap, row = self.gap, (entry.seq, entry.data, entry.signature)
        self._digest.update(entry.seq.to_bytes(8, "big"))
        for part in (entry.data, entry.signature):
            self._digest.update(len(part).to_bytes(4, "big") + part)
        if entry.seq > gap.first and genuine(self._head, self._keys, row) is not None:
            why = f"the gap record names records {gap.first} to {gap.last}, and this one of them is whole"
            return Bad(entry.ep, entry.seq, "gap_too_large", why)
        return None

    def end(self) -> Bad | None:
        gap = self.gap
        if self._digest.hexdigest() != gap.sha256:
            why = f"records {gap.first} to {gap.last} are not the damaged ones that the gap record names"
            return Bad(gap.ep, gap.first, "gap_changed", why)
        return None
