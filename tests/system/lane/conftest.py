"""One lane for a module that does not break it, or one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.lane.harness import LaneUnderTest


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaneUnderTest]:
    with LaneUnderTest(tmp_path_factory.mktemp("lane")) as running:
        yield running


@pytest.fixture
def own_lane(tmp_path: Path) -> Iterator[LaneUnderTest]:
    """A lane of this test's own, for tests that leave it in another state than they found it."""
    with LaneUnderTest(tmp_path) as running:
        yield running
