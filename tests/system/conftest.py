"""One browser for all system tests: Playwright's synchronous interface runs once in a process."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.system.screens.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started
