from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.core.web.lane import HeldLane
from tests.core.web.states import IDLE
from tests.system.screens.browser import chromium, served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture
def lane() -> HeldLane:
    return HeldLane(IDLE)


@pytest.fixture
def port(lane: HeldLane) -> Iterator[int]:
    with served(lane) as port:
        yield port
