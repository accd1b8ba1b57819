from pathlib import Path

import pytest

from kiosk.journal import wal
from tests.core.journal.lane import TestLane


@pytest.fixture(autouse=True)
def _short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of journals are made here; 4 MiB of zeros for each would be most of the run."""
    monkeypatch.setattr(wal, "PREALLOCATED_BYTES", 128 * 1024)


@pytest.fixture
def lane(tmp_path: Path) -> TestLane:
    return TestLane(tmp_path)
