from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.cloud.lane import Backend, running


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    with running(tmp_path / "cloud") as found:
        yield found
