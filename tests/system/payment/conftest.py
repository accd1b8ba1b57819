"""Times short enough for hundreds of payments."""

import pytest

from tests.system.payment.till import quicken


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(lambda target, name, value: monkeypatch.setattr(target, name, value))
