from collections.abc import Iterator

import pytest

from tests.core.web.lane import HeldLane
from tests.core.web.states import IDLE
from tests.system.screens.browser import served


@pytest.fixture
def lane() -> HeldLane:
    return HeldLane(IDLE)


@pytest.fixture
def port(lane: HeldLane) -> Iterator[int]:
    with served(lane) as port:
        yield port
