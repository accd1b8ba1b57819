"""The table itself: which counters fail a proof, and what `make torture` answers."""

import json

import pytest

from tests.torture import __main__ as torture
from tests.torture.proofs import FAULTS, PROOFS, Proof


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_fails_a_proof(fault: str) -> None:
    proof = Proof("something", 10, 1, "nowhere")
    assert proof.failures({"records": 5} | dict.fromkeys(FAULTS, 0)) == []
    assert proof.failures({fault: 2}) == [f"2 {fault}"]


def test_a_proof_that_found_nothing_to_try_fails() -> None:
    proof = Proof("something", 10, 1, "nowhere", needs=("control_failed",))
    assert proof.failures({"control_failed": 0}) == ["no control_failed"]
    assert proof.failures({}) == ["no control_failed"]
    assert proof.failures({"control_failed": 1}) == []


def test_a_proof_that_is_not_here_or_breaks_off_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PROOFS, "absent", Proof("nothing", 1, 1, "tests.torture.absent"))
    monkeypatch.setitem(PROOFS, "broken", Proof("nothing", 1, 1, "tests.torture.proofs"))
    assert torture.main(["absent", "broken", "--json"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["verdict"] for row in rows] == ["failed: not here", "failed: broke off"]


def test_names_counts_and_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(PROOFS, "good", Proof("counts to it", 3, 2, "tests.torture.test_proofs"))
    assert torture.main(["good", "--quick"]) == 0
    assert "counts to it" in capsys.readouterr().out
    assert torture.main(["good", "--count", "7", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["count"], row["steps"], row["verdict"]) == (7, 7, "proved")


@pytest.mark.parametrize(
    ("given", "why"), [(["nonsense"], "no such proof: nonsense; allowed: kill"), (["--count", "0"], "at least 1")]
)
def test_what_cannot_be_asked_for_is_named(given: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        torture.main(given)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err


def run(count: int, seed: int, progress: object) -> dict[str, int]:
    """What a proof looks like to the table."""
    return {"steps": count, "lost": 0}
