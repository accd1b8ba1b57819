"""A lane of its own for each, with the short times of the payment tests."""

from tests.system.lane.conftest import own_lane as own_lane
from tests.system.payment.conftest import _quick as _quick
