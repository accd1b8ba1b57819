"""kassa-journal: look at a journal, verify it, carry it out. Needs the file and public keys, nothing else."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from typer.exceptions import TyperException

from kiosk.journal import days_cli
from kiosk.journal import export as exporting
from kiosk.journal import replay_cli as replaying
from kiosk.journal.replay import Range
from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.stepping import Candidates
from kiosk.journal.verify import Bad, Entry, Keys, Report, verify
from kiosk.records.identity import (
    Acknowledgement,
    BadIdentity,
    CosignChange,
    Enrolment,
    KeyCertificate,
    b64,
    check_certificate,
    earlier_keys,
    public_key,
)
from kiosk.records.journal import Head, Record

MAX_SHOWN = 1_000_000
EXIT_GAPS = 3
_MAX_KEY_BYTES = 64 * 1024
_PROGRESS_FROM = 5000

app = typer.Typer(
    name="kassa-journal",
    help="Look at a lane's journal, verify it, export it. Reads only, and needs no lane to be running or stopped.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

File = Annotated[Path, typer.Argument(help="journal.db, or a folder or a segment of `kassa-journal export`")]
JournalFile = Annotated[Path, typer.Argument(help="journal.db")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines instead of text")]
KeyFolder = Annotated[Path | None, typer.Option("--keys", help="folder with enrolment.json and identity.pub")]
IdentityKey = Annotated[Path | None, typer.Option("--identity-key", help="file: P-256 public key, base64 of its SPKI")]
CosignKey = Annotated[Path | None, typer.Option("--cosign-key", help="file: Ed25519 public key, base64")]


class BadInput(Exception):
    """What the caller gave is wrong: one line for stderr, exit 2."""


@app.command()
def show(
    file: JournalFile,
    last: Annotated[int, typer.Option(help="how many records, from the end", min=1, max=MAX_SHOWN)] = 20,
    typ: Annotated[str, typer.Option(help="only records of this type, such as sale.closed")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show the last records. Verifies nothing."""
    with Source(file) as source:
        found = source.newest(last, typ)
    if as_json:
        for entry in found:
            sys.stdout.write(entry.data.decode(errors="replace") + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("ep", "seq"):
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    for column, width in (("time (UTC)", 19), ("type", 12), ("actor", 8), ("transaction", 8), ("body", 8)):
        table.add_column(column, no_wrap=True, overflow="ellipsis", min_width=width)
    for entry in found:
        table.add_row(*_cells(entry))
    console = Console()
    console.print(table) if found else console.print("no records")


def _cells(entry: Entry) -> list[Text]:
    """Journal text is shown as it is, never as markup or as a terminal's control sequences."""
    try:
        record = msgspec.json.decode(entry.data, type=Record)
        body = msgspec.json.encode(record.body).decode()
        actor = f"{record.actor.kind} {record.actor.id}".strip()
        cells = [str(entry.ep), str(entry.seq), _time(record.wall_ms), record.typ, actor, record.txn, body]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        cells = [str(entry.ep), str(entry.seq), "", "unreadable", "", "", str(error)]
    return [Text("".join(char if char.isprintable() else "�" for char in cell)) for cell in cells]


def _time(wall_ms: int) -> str:
    try:
        return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(wall_ms)


@app.command(name="verify")
def verify_command(
    file: File,
    keys: KeyFolder = None,
    identity_key: IdentityKey = None,
    cosign_key: CosignKey = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify every record. Exit 0: all of it verifies. Exit 1: the first bad record is named. Exit 3: all of it
    verifies but for damage that the journal itself declares, which is named."""
    trusted = _keys(keys, identity_key, cosign_key)
    report = _verify(file, trusted)
    if as_json:
        answer = {"file": str(file), "ok": report.ok, **msgspec.to_builtins(report)}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        _tell(file, report)
    if not report.ok:
        raise typer.Exit(1)
    if report.gaps:
        raise typer.Exit(EXIT_GAPS)


def _verify(file: Path, keys: Keys) -> Report:
    if file.is_dir() or file.suffix == ".ndjson":
        manifest = exporting.read_manifest(file if file.is_dir() else file.parent)
        if not file.is_dir():
            file, manifest = file.parent, exporting.alone(manifest, file.name)
        certificates = {certificate.ep: certificate for certificate in manifest.certificates}
        acknowledgements = {} if manifest.day else manifest.acknowledgements
        count = sum(segment.last_seq - segment.first_seq + 1 for segment in manifest.segments)
        entries, starts = exporting.entries(file, manifest), exporting.starts(manifest)
        notes, named = exporting.candidates(manifest), exporting.named(manifest)
        acks = (acknowledgements, exporting.countersigned(manifest))
        return _run(entries, certificates, acks, keys, starts, count, lambda: notes, named)
    with Source(file) as source:
        notes_of, named = source.candidates, source.named_keys()
        acks = (source.acknowledgements, source.countersignatures())
        return _run(source.entries(), source.certificates, acks, keys, {}, source.count, notes_of, named)


def _run(
    entries: Iterator[Entry],
    certificates: dict[int, KeyCertificate],
    acks: tuple[dict[int, Acknowledgement], dict[tuple[int, int], Acknowledgement]],
    keys: Keys,
    starts: dict[int, Head],
    count: int,
    candidates: Candidates,
    named: Mapping[tuple[int, int], KeyCertificate],
) -> Report:
    broken: list[Bad] = []

    def until_broken() -> Iterator[Entry]:
        try:
            yield from entries
        except BrokenOff as error:
            broken.append(error.bad)

    with _progress("verifying", count) as advance:
        report = verify(
            until_broken(),
            certificates,
            acks[0],
            keys,
            starts=starts,
            candidates=candidates,
            named=named,
            countersigned=acks[1],
            progress=advance,
        )
    if broken and (report.bad is None or report.bad.kind == "cut_tail"):
        report.bad = broken[0]
    return report


def _tell(file: Path, report: Report) -> None:
    out = sys.stdout.write
    for epoch in report.epochs:
        held = f"counter-signed up to {epoch.acknowledged_seq}" if epoch.acknowledged_seq else "never counter-signed"
        out(f"epoch {epoch.ep}: records {epoch.first_seq} to {epoch.last_seq} verify, {held}\n")
    for gap in report.gaps:
        out(
            f"GAP: epoch {gap.ep}, records {gap.first_seq} to {gap.last_seq}: declared by record {gap.declared_seq} of "
            f"epoch {gap.declared_ep}: {gap.why} [{gap.kind}]\n"
        )
    if report.bad is None and report.gaps:
        out(f"OK, WITH GAPS: {report.records} records of device {report.dev} in {file} verify\n")
        return
    if report.bad is None:
        out(f"OK: {report.records} records of device {report.dev} in {file} verify\n")
        return
    bad = report.bad
    where = f"epoch {bad.ep}, record {bad.seq}" if bad.seq else f"epoch {bad.ep}" if bad.ep else "the whole file"
    out(f"BAD: {where}: {bad.why} [{bad.kind}]\n")


@app.command()
def export(
    file: JournalFile,
    out: Annotated[Path, typer.Option("--out", help="a new or empty folder")],
    day: Annotated[str, typer.Option(help="only this business day, as 2026-11-21")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Write the records as sealed text segments, with certificates and the last acknowledgements."""
    if day:
        try:
            datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise BadInput(f"--day {day!r} is no date; write it as 2026-11-21") from None
    with Source(file) as source, _progress("exporting", source.count) as advance:
        try:
            manifest = exporting.write(
                out,
                source.entries(),
                source.certificates,
                source.acknowledgements,
                day=day,
                notes=source.candidates(),
                named_keys=source.named_keys(),
                countersigned=source.countersignatures(),
                progress=advance,
            )
        except BrokenOff as error:
            raise BadInput(f"{file}: epoch {error.bad.ep}, record {error.bad.seq}: {error.bad.why}") from None
        except OSError as error:
            raise BadInput(f"{out}: {error.strerror}") from None
    if as_json:
        for segment in manifest.segments:
            sys.stdout.write(msgspec.json.encode(segment).decode() + "\n")
        return
    count = sum(segment.last_seq - segment.first_seq + 1 for segment in manifest.segments)
    sys.stdout.write(f"{count} records in {len(manifest.segments)} segments in {out}\n")


@app.command(name="replay")
def replay_command(
    file: File,
    catalogues: Annotated[
        Path | None, typer.Option("--catalogues", help="folder with catalogue-VERSION.db: compares products as well")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make every sale, receipt and print again and compare with what was sealed. Exit 1: something differs."""
    if catalogues is not None and not catalogues.is_dir():
        raise BadInput(f"--catalogues {catalogues} is no folder")
    with _records(file) as (entries, gaps, count):
        same = replaying.run(entries, gaps, count, catalogues, _progress, as_json=as_json)
    if not same:
        raise typer.Exit(1)


@app.command()
def day(
    file: File,
    date: Annotated[str, typer.Option("--day", help="only the business day of this date, YYYY-MM-DD")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Add the business days up again and compare with the Z reports. Exit 1: one says otherwise, or there is none."""
    if date and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date, re.ASCII):
        raise BadInput(f"--day {date[:40]!r}; allowed: a date such as 2026-11-27")
    with _records(file) as (entries, _, _):
        found, same = days_cli.run(entries, date, as_json=as_json)
    if not found:
        print("kassa-journal: no such business day in the file", file=sys.stderr)
    if not found or not same:
        raise typer.Exit(1)


@contextmanager
def _records(file: Path) -> Iterator[tuple[Iterable[Entry], list[Range], int]]:
    """The records of a journal or of an export, its declared gaps, the number of records. BadInput where it breaks
    off."""
    try:
        if file.is_dir():
            manifest = exporting.read_manifest(file)
            count = sum(segment.last_seq - segment.first_seq + 1 for segment in manifest.segments)
            gaps = exporting.ranges(exporting.candidates(manifest))
            yield exporting.entries(file, manifest), gaps, count
        else:
            with Source(file) as source:
                yield source.entries(), exporting.ranges(source.candidates()), source.count
    except BrokenOff as error:
        raise BadInput(f"{file}: epoch {error.bad.ep}, record {error.bad.seq}: {error.bad.why}") from None


def _keys(folder: Path | None, identity_key: Path | None, cosign_key: Path | None) -> Keys:
    """Public keys from a lane's state folder, or from two files. Raises BadInput."""
    if folder is None and (identity_key is None or cosign_key is None):
        raise BadInput("name the public keys: --keys FOLDER, or --identity-key FILE and --cosign-key FILE")
    dev, cosign, identity, changes = "", "", "", tuple[CosignChange, ...]()
    if folder is not None:
        try:
            enrolment = msgspec.json.decode(_read(folder / "enrolment.json"), type=Enrolment)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadInput(f"{folder / 'enrolment.json'}: {error}") from None
        dev, cosign, changes = enrolment.dev, enrolment.cosign_key, enrolment.cosign_changes
        if identity_key is None:
            identity_key = folder / "identity.pub"
    if identity_key is not None:
        identity = _identity(identity_key)
    if cosign_key is not None:
        cosign = _read(cosign_key).decode(errors="replace").strip()
    try:
        key = public_key(cosign)
        earlier = earlier_keys(key, changes)
    except BadIdentity as error:
        raise BadInput(f"the counter-signing key: {error}") from None
    _check_identity_key(identity)
    return Keys(identity, key, dev, earlier)


def _identity(path: Path) -> str:
    """SubjectPublicKeyInfo in base64, out of a PEM file, as `kassa-provision enrol` writes it."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{path}: is no public key in PEM, as `kassa-provision enrol` writes it") from None
    return b64(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _check_identity_key(identity: str) -> None:
    """A key that is none must not look like a bad journal."""
    probe = KeyCertificate("", 0, "", "")
    try:
        check_certificate(probe, identity)
    except BadIdentity as error:
        if "is not signed by" not in str(error):
            raise BadInput(str(error)) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for long work, where stderr is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = total < _PROGRESS_FROM or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, completed=count)


def main(arguments: list[str] | None = None) -> None:
    """Exit 0: done, 1: a record is bad, 2: the call or the file is no use, 3: all verifies but for declared gaps."""
    command: Any = typer.main.get_command(app)
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = command.main(args=given or ["--help"], prog_name="kassa-journal", standalone_mode=False)
    except (BadInput, Unreadable) as error:
        _exit(str(error))
    except typer.Abort:
        _exit("stopped")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except TyperException as error:
        _exit(error.format_message())
    sys.exit(code or 0)


def _exit(message: str) -> None:
    sys.stderr.write(f"kassa-journal: {' '.join(message.split())}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
