"""Where the time comes from; passed in everywhere else."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""UTC milliseconds."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000
