"""Sealed segments: a journal as text files that outlive the program, one per business day.

A folder holds `manifest.json` and `segment-EPOCH-FIRST-LAST.ndjson`, each line `{"record": TEXT, "signature": BASE64}`
where TEXT is the record's exact canonical text. The manifest carries certificates, the last acknowledgements, and the
SHA-256 of every segment; `kassa-journal verify` checks such a folder as it does the file.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from kiosk.journal.entries import Bad, Entry
from kiosk.journal.source import BrokenOff, Unreadable
from kiosk.records.gap import GAP, BadGap, read_gap
from kiosk.records.identity import Acknowledgement, KeyCertificate
from kiosk.records.journal import GENESIS, MAX_RECORD_BYTES, BadRecord, Head, Header, decode

MANIFEST = "manifest.json"
FORMAT = 1
UNKNOWN_DAY = "unknown"
_MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_MAX_LINE_BYTES = 6 * MAX_RECORD_BYTES
_MAX_SEGMENT_RECORDS = 50_000
_headers = msgspec.json.Decoder(Header)
_lines = msgspec.json.Encoder()


class Segment(msgspec.Struct, frozen=True):
    """`prev`: the hash before its first record. `bday`: the business day of its records. `acknowledgement`: the
    counter-signature over the highest of its records that there is one for."""

    file: str
    ep: int
    first_seq: int
    last_seq: int
    bday: str
    prev: str
    sha256: str
    acknowledgement: Acknowledgement | None = None


class Note(msgspec.Struct, frozen=True):
    """A record as it stands in a segment line, with its place."""

    ep: int
    seq: int
    record: str
    signature: str


class NamedKey(msgspec.Struct, frozen=True):
    """A journal key that followed within an epoch, by the record that names it."""

    ep: int
    seq: int
    certificate: KeyCertificate


class Manifest(msgspec.Struct, frozen=True):
    """`day`: empty, or the one day that was exported; then the segments need not begin at the first record."""

    format: int
    day: str
    certificates: list[KeyCertificate]
    acknowledgements: dict[int, Acknowledgement]
    segments: list[Segment]
    notes: list[Note] = []
    """The journal's records about itself, from all its days: gaps, key changes, epochs."""
    named_keys: list[NamedKey] = []


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """`seq`: the record's number, where it is not the one after the line before. `damaged`: base64 of what is stored in
    a declared gap, where there is no text to be read."""

    record: str = ""
    signature: str = ""
    seq: int = 0
    damaged: str = ""


class _Writer:
    """One segment on its way to disk."""

    def __init__(self, folder: Path, first: Entry, bday: str, prev: str) -> None:
        self.first, self.last, self.bday, self.prev = first, first, bday, prev
        self._folder = folder
        self._part = folder / "segment.part"
        self._file: BinaryIO = self._part.open("wb")
        self._digest = hashlib.sha256()

    def add(self, entry: Entry) -> None:
        signature = base64.b64encode(entry.signature).decode()
        seq = entry.seq if entry.seq not in (self.last.seq + 1, self.first.seq) else 0
        try:
            line = _lines.encode(Line(entry.data.decode(), signature, seq)) + b"\n"
        except UnicodeDecodeError:
            line = _lines.encode(Line("", signature, seq, base64.b64encode(entry.data).decode())) + b"\n"
        self._digest.update(line)
        self._file.write(line)
        self.last = entry

    def fits(self, entry: Entry, bday: str) -> bool:
        count = entry.seq - self.first.seq
        return entry.ep == self.last.ep and bday == self.bday and count < _MAX_SEGMENT_RECORDS

    def finish(self, countersigned: Mapping[tuple[int, int], Acknowledgement]) -> Segment:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = f"segment-{self.first.ep}-{self.first.seq}-{self.last.seq}.ndjson"
        self._part.rename(self._folder / name)
        digest = self._digest.hexdigest()
        ep, first, last = self.first.ep, self.first.seq, self.last.seq
        held = [seq for of, seq in countersigned if of == ep and first <= seq <= last]
        ack = countersigned[ep, max(held)] if held else None
        return Segment(name, ep, first, last, self.bday, self.prev, digest, ack)

    def drop(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def write(
    folder: Path,
    entries: Iterable[Entry],
    certificates: dict[int, KeyCertificate],
    acknowledgements: dict[int, Acknowledgement],
    *,
    day: str = "",
    notes: Iterable[Entry] = (),
    named_keys: Mapping[tuple[int, int], KeyCertificate] | None = None,
    countersigned: Mapping[tuple[int, int], Acknowledgement] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Manifest:
    """Write segments and, last of all, the manifest into an empty or new folder. Raises OSError, BrokenOff,
    Unreadable for a record that says no business day or a folder that is not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Unreadable(f"{folder} is not empty: name a new folder")
    segments: list[Segment] = []
    countersigned = countersigned or {}
    writer: _Writer | None = None
    notes = list(notes)
    damaged = ranges(notes)
    bday, prev = UNKNOWN_DAY, GENESIS
    try:
        for count, entry in enumerate(entries, 1):
            # What lies in a declared gap goes with the day before it.
            if not any(first <= (entry.ep, entry.seq) <= last for first, last in damaged):
                header = _header(entry)
                bday, prev = header.bday, header.prev
            if writer is not None and not writer.fits(entry, bday):
                segments.append(writer.finish(countersigned))
                writer = None
            if not day or bday == day:
                writer = writer or _Writer(folder, entry, bday, prev)
                writer.add(entry)
            if count % 500 == 0:
                progress(count)
        if writer is not None:
            segments.append(writer.finish(countersigned))
            writer = None
    finally:
        if writer is not None:
            writer.drop()
    manifest = Manifest(
        FORMAT,
        day,
        list(certificates.values()),
        acknowledgements,
        segments,
        [Note(e.ep, e.seq, e.data.decode(), base64.b64encode(e.signature).decode()) for e in notes],
        [NamedKey(*place, certificate) for place, certificate in (named_keys or {}).items()],
    )
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    return manifest


def ranges(notes: list[Entry]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The declared gaps, as whoever verifies will find them."""
    found = []
    for note in notes:
        try:
            record = decode(note.data)
            if record.typ == GAP:
                gap = read_gap(record)
                found.append(((gap.ep, gap.first), (gap.ep, gap.last)))
        except (BadRecord, BadGap):
            continue
    return found


def _header(entry: Entry) -> Header:
    try:
        return _headers.decode(entry.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        bad = Bad(entry.ep, entry.seq, "not_canonical", f"the record is unreadable: {error}")
        raise BrokenOff(bad) from None


def read_manifest(folder: Path) -> Manifest:
    """Raises Unreadable."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{folder} is no exported journal: {path}: {error.strerror}") from None
    if len(data) > _MAX_MANIFEST_BYTES:
        raise Unreadable(f"{path} is longer than {_MAX_MANIFEST_BYTES} bytes")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"{path} is no manifest of an exported journal: {error}") from None
    if manifest.format != FORMAT:
        raise Unreadable(f"{path} has format {manifest.format}; this version knows {FORMAT}")
    for segment in manifest.segments:
        if not re.fullmatch(r"segment-\d+-\d+-\d+\.ndjson", segment.file):
            raise Unreadable(f"{path} names a segment {segment.file!r}; segment-EPOCH-FIRST-LAST.ndjson is allowed")
    return manifest


def alone(manifest: Manifest, name: str) -> Manifest:
    """The manifest as if this segment were all. Raises Unreadable."""
    segments = [segment for segment in manifest.segments if segment.file == name]
    if not segments:
        raise Unreadable(f"{MANIFEST} names no segment {name!r}")
    [segment] = segments
    certificates = [certificate for certificate in manifest.certificates if certificate.ep == segment.ep]
    return msgspec.structs.replace(manifest, day=segment.bday, segments=segments, certificates=certificates)


def countersigned(manifest: Manifest) -> dict[tuple[int, int], Acknowledgement]:
    return {
        (segment.ep, segment.acknowledgement.hwm): segment.acknowledgement
        for segment in manifest.segments
        if segment.acknowledgement is not None
    }


def starts(manifest: Manifest) -> dict[int, Head]:
    """Where a single exported day begins in its chain. A whole export begins at the first record, always."""
    found: dict[int, Head] = {}
    if manifest.day:
        devices = {certificate.ep: certificate.dev for certificate in manifest.certificates}
        for segment in manifest.segments:
            head = Head(devices.get(segment.ep, ""), segment.ep, segment.first_seq - 1, segment.prev)
            found.setdefault(segment.ep, head)
    return found


def candidates(manifest: Manifest) -> list[Entry]:
    """The records about the journal itself. Raises Unreadable."""
    try:
        return [
            Entry(note.ep, note.seq, note.record.encode(), base64.b64decode(note.signature, validate=True))
            for note in manifest.notes
        ]
    except (ValueError, binascii.Error) as error:
        raise Unreadable(f"a note in {MANIFEST} is unreadable: {error}") from None


def named(manifest: Manifest) -> dict[tuple[int, int], KeyCertificate]:
    return {(key.ep, key.seq): key.certificate for key in manifest.named_keys}


def entries(folder: Path, manifest: Manifest) -> Iterator[Entry]:
    """The records of all segments. Raises BrokenOff when a segment is not what the manifest says."""
    for segment in manifest.segments:
        path = folder / segment.file
        digest = hashlib.sha256()
        seq = segment.first_seq - 1
        try:
            with path.open("rb") as file:
                while raw := file.readline(_MAX_LINE_BYTES):
                    digest.update(raw)
                    entry = _entry(segment, seq + 1, raw)
                    seq = entry.seq
                    yield entry
        except OSError as error:
            raise BrokenOff(Bad(segment.ep, seq + 1, "segment", f"{path}: {error.strerror}")) from None
        if seq != segment.last_seq:
            why = f"{segment.file} ends at record {seq}, the manifest says {segment.last_seq}"
            raise BrokenOff(Bad(segment.ep, seq + 1, "segment", why))
        if digest.hexdigest() != segment.sha256:
            why = f"{segment.file} does not have the SHA-256 that the manifest says"
            raise BrokenOff(Bad(segment.ep, 0, "segment", why))


def _entry(segment: Segment, seq: int, raw: bytes) -> Entry:
    try:
        line = msgspec.json.decode(raw, type=Line)
        signature = base64.b64decode(line.signature, validate=True)
        data = base64.b64decode(line.damaged, validate=True) if line.damaged else line.record.encode()
        return Entry(segment.ep, line.seq or seq, data, signature)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BrokenOff(Bad(segment.ep, seq, "segment", f"{segment.file}: the line is unreadable: {error}")) from None
