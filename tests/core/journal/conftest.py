from pathlib import Path

import pytest

from tests.core.journal.lane import TestLane


@pytest.fixture
def lane(tmp_path: Path) -> TestLane:
    return TestLane(tmp_path)
