"""kassa-journal as a technician calls it: what it says and how it exits."""

import json
import shutil
from pathlib import Path

import apsw
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kiosk.journal import main as tool
from kiosk.journal.source import Source, Unreadable
from kiosk.journal.stamp import Moment
from kiosk.records.identity import Enrolment, raw_public
from tests.core.journal.lane import CUSTOMER, CountingStamp, TestLane, fill


@pytest.fixture
def enrolled(lane: TestLane) -> TestLane:
    """A closed journal of ten records, six of them counter-signed, with the lane's public keys beside it."""
    with lane.open() as journal:
        heads = fill(journal, 10)
        journal.acknowledge(lane.acknowledgement(heads[5]))
    cosign = raw_public(lane.cosign)
    enrolment = Enrolment("", "t", "s", "Shop", "r", lane.dev, 1, "test", "", cosign, cosign)
    (lane.folder / "enrolment.json").write_bytes(msgspec.json.encode(enrolment))
    (lane.folder / "identity.pub").write_bytes(
        lane.identity.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (lane.folder / "cosign.pub").write_text(cosign + "\n")
    return lane


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        tool.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(str(caught.value.code)), out, err


def test_help_without_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys)
    assert (code, err) == (0, "")
    assert all(word in out for word in ("show", "verify", "replay", "export"))


@pytest.mark.parametrize("keys", [["--keys", "."], ["--identity-key", "identity.pub", "--cosign-key", "cosign.pub"]])
def test_a_good_journal_verifies(enrolled: TestLane, capsys: pytest.CaptureFixture[str], keys: list[str]) -> None:
    arguments = [enrolled.folder / word if not word.startswith("--") else word for word in keys]
    code, out, _ = _run(capsys, "verify", enrolled.path, *arguments)
    assert code == 0
    assert out.splitlines() == [
        "epoch 1: records 1 to 10 verify, counter-signed up to 6",
        f"OK: 10 records of device dev-1 in {enrolled.path} verify",
    ]


def _spoil(lane: TestLane, seq: int) -> None:
    connection = apsw.Connection(str(lane.path))
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute(
        "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'smør', 'smor') AS BLOB) WHERE place = ?",
        (2**40 + seq,),
    )
    connection.close()


def test_the_first_bad_record_is_named(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    _spoil(enrolled, 7)
    code, out, _ = _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder)
    assert code == 1
    assert "BAD: epoch 1, record 7: the signature is not by the certified journal key [bad_signature]" in out
    code, out, _ = _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder, "--json")
    assert code == 1
    answer = json.loads(out)
    assert (answer["ok"], answer["records"]) == (False, 6)
    assert (answer["bad"]["ep"], answer["bad"]["seq"], answer["bad"]["kind"]) == (1, 7, "bad_signature")


def test_the_wrong_keys_are_not_taken(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    cosign = enrolled.folder / "cosign.pub"
    cosign.write_text(raw_public(enrolled.key(5)))
    code, out, _ = _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder, "--cosign-key", cosign)
    assert code == 1
    assert "the acknowledgement is not counter-signed by the pinned key [bad_acknowledgement]" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "{journal}"], "name the public keys: --keys FOLDER, or --identity-key FILE and --cosign-key FILE"),
        (["verify", "{folder}/none.db", "--keys", "{folder}"], "none.db: No such file or directory"),
        (["verify", "{folder}/anchor", "--keys", "{folder}"], "anchor is not a Kassa journal: it is no SQLite file"),
        (["verify", "{folder}", "--keys", "{folder}"], "is no exported journal"),
        (["verify", "{journal}", "--keys", "{folder}/none"], "enrolment.json: No such file or directory"),
        (["verify", "{journal}", "--keys", "{folder}", "--identity-key", "{folder}/anchor"], "is no public key in PEM"),
        (
            ["verify", "{journal}", "--keys", "{folder}", "--identity-key", "{folder}/cosign.pub"],
            "is no public key in PEM",
        ),
        (["verify", "{journal}", "--keys", "{folder}", "--cosign-key", "{folder}/anchor"], "counter-signing key"),
        (["show", "{folder}"], "is no file"),
        (["show", "{journal}", "--last", "0"], "--last"),
        (["show"], "file"),
        (["frobnicate"], "frobnicate"),
        (["export", "{journal}", "--out", "{folder}"], "is not empty"),
        (["export", "{journal}", "--out", "{folder}/x", "--day", "yesterday"], "write it as 2026-11-21"),
    ],
)
def test_a_useless_call_gets_one_clear_line(
    enrolled: TestLane, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    filled = [word.format(journal=enrolled.path, folder=enrolled.folder) for word in arguments]
    code, out, err = _run(capsys, *filled)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("kassa-journal: ")
    assert message in err


def test_show_prints_the_last_records(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "show", enrolled.path, "--last", 3)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["seq", "8", "9", "10"]
    code, out, _ = _run(capsys, "show", enrolled.path, "--last", 2, "--json")
    assert [json.loads(line)["seq"] for line in out.splitlines()] == [9, 10]
    code, out, _ = _run(capsys, "show", enrolled.path, "--typ", "sale.closed")
    assert (code, out) == (0, "no records\n")


def test_show_lets_no_control_sequence_through(lane: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    with lane.open() as journal:
        journal.append("test.\x1b]0;owned\x07", {"a": "[red]\x1b[2J"}, CUSTOMER)
    code, out, _ = _run(capsys, "show", lane.path)
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out


class Days(CountingStamp):
    """A stamp whose business day turns after every four records."""

    def moment(self) -> Moment:
        moment = super().moment()
        day = f"2026-11-{20 + (self.count - 1) // 4:02}"
        return Moment(moment.boot, moment.mono_us, moment.wall_ms, moment.tzo, moment.clk, day)


def test_an_export_verifies_and_its_changes_are_named(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(enrolled.folder / "x", ignore_errors=True)
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "anchor"):
        (enrolled.folder / name).unlink()
    with enrolled.open(stamp=Days()) as journal:
        heads = fill(journal, 10)
        journal.acknowledge(enrolled.acknowledgement(heads[5]))
    out = enrolled.folder / "out"
    code, text, _ = _run(capsys, "export", enrolled.path, "--out", out)
    assert (code, text) == (0, f"10 records in 3 segments in {out}\n")
    assert sorted(file.name for file in out.iterdir()) == [
        "manifest.json",
        "segment-1-1-4.ndjson",
        "segment-1-5-8.ndjson",
        "segment-1-9-10.ndjson",
    ]
    assert _run(capsys, "verify", out, "--keys", enrolled.folder)[0] == 0
    segment = out / "segment-1-5-8.ndjson"
    whole = segment.read_text()
    segment.write_text(whole.replace("smør", "smor", 1))
    code, text, _ = _run(capsys, "verify", out, "--keys", enrolled.folder)
    assert (code, "epoch 1, record 5: the signature" in text) == (1, True)
    segment.write_text(whole + whole.splitlines()[-1] + "\n")
    code, text, _ = _run(capsys, "verify", out, "--keys", enrolled.folder)
    assert (code, "epoch 1, record 9" in text) == (1, True)
    segment.write_text(whole.replace('{"record"', '{ "record"', 1))
    code, text, _ = _run(capsys, "verify", out, "--keys", enrolled.folder)
    assert (code, "does not have the SHA-256" in text) == (1, True)
    segment.unlink()
    code, text, _ = _run(capsys, "verify", out, "--keys", enrolled.folder)
    assert (code, "record 5" in text) == (1, True)
    day = enrolled.folder / "day"
    code, text, _ = _run(capsys, "export", enrolled.path, "--out", day, "--day", "2026-11-21")
    assert (code, text) == (0, f"4 records in 1 segments in {day}\n")
    code, text, _ = _run(capsys, "verify", day, "--keys", enrolled.folder)
    assert (code, text.splitlines()[0]) == (0, "epoch 1: records 5 to 8 verify, counter-signed up to 6")


def test_a_lane_at_work_is_read_beside_it(enrolled: TestLane, capsys: pytest.CaptureFixture[str]) -> None:
    with enrolled.open() as journal:
        fill(journal, 3, first=11)
        with Source(enrolled.path) as source:
            assert source.live
        assert "13 records" in _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder)[1]
        fill(journal, 1, first=14)


def test_a_copy_is_read_with_its_log_and_left_untouched(enrolled: TestLane, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with enrolled.open() as journal:
        fill(journal, 3, first=11)
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(enrolled.folder / name, copy)
    (copy / "journal.db").chmod(0o400)
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    with Source(copy / "journal.db") as source:
        assert not source.live
        assert len(list(source.entries())) == 13
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before


HOSTILE = {
    "empty": [],
    "another application": ["CREATE TABLE records (place, data, signature)"],
    "no tables": ["PRAGMA application_id = 1262572362"],
    "a view for a table": [
        "PRAGMA application_id = 1262572362",
        "CREATE VIEW records AS WITH RECURSIVE r(place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM r) "
        "SELECT place, x'00' AS data, x'00' AS signature FROM r",
    ],
    "other columns": ["PRAGMA application_id = 1262572362", "CREATE TABLE records (a, b, c)"],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_gets_a_clear_message(lane: TestLane, case: str) -> None:
    connection = apsw.Connection(str(lane.path))
    connection.execute("PRAGMA user_version = 3")
    for statement in HOSTILE[case]:
        connection.execute(statement)
    connection.close()
    with pytest.raises(Unreadable, match="is not a Kassa journal"):
        Source(lane.path)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE records SET data = zeroblob(10000000) WHERE place % 16 = 4", "too_long"),
        ("UPDATE records SET signature = zeroblob(10000000) WHERE place % 16 = 4", "bad_signature"),
        ("UPDATE records SET place = -5 WHERE place % 16 = 4", "no_certificate"),
        ("UPDATE records SET place = 9223372036854775807 WHERE place % 16 = 4", "gap"),
    ],
)
def test_hostile_rows_are_named(
    enrolled: TestLane, capsys: pytest.CaptureFixture[str], statement: str, kind: str
) -> None:
    connection = apsw.Connection(str(enrolled.path))
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute(statement)
    connection.close()
    code, out, _ = _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder)
    assert code == 1
    assert f"[{kind}]" in out


def test_a_file_with_broken_pages_is_reported_not_raised(
    enrolled: TestLane, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = enrolled.path.read_bytes()
    for name in ("journal.db-wal", "journal.db-shm"):
        (enrolled.folder / name).unlink()
    for at in range(0, len(whole), 331):
        raw = bytearray(whole)
        raw[at : at + 4] = b"\xff\xff\xff\xff"
        enrolled.path.write_bytes(raw)
        code, out, err = _run(capsys, "verify", enrolled.path, "--keys", enrolled.folder)
        assert code in (0, 1, 2), out + err
        assert err.count("\n") <= 1
