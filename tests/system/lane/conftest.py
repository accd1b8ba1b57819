"""One browser for the session, one lane for a module that does not break it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.system.lane.harness import LaneUnderTest
from tests.system.screens.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaneUnderTest]:
    with LaneUnderTest(tmp_path_factory.mktemp("lane")) as running:
        yield running


@pytest.fixture
def own_lane(tmp_path: Path) -> Iterator[LaneUnderTest]:
    """A lane of this test's own, for tests that leave it in another state than they found it."""
    with LaneUnderTest(tmp_path) as running:
        yield running
