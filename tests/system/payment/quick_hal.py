"""`kassa-hal` with short times, so that a line that only goes silent is noticed in a test's lifetime; and with one
more model of terminal, which only tests know."""

import sys
from collections.abc import MutableMapping
from typing import Any, cast

from hal.api.records import Kind
from hal.daemon import supervisor
from hal.drivers import registry
from hal.drivers.contract import Reporter
from hal.drivers.registry import Model
from hal.drivers.terminal.zvt.driver import ZvtTerminal
from hal.drivers.terminal.zvt.options import ZvtOptions
from hal.drivers.terminal.zvt.session import Timing
from hal.main import main
from tests.system.payment.plain import PlainOptions

TIMING = Timing(connect_s=1, write_s=0.5, t3_s=0.5, t4_s=0.7, t4_max_s=0.7, short_t4_s=0.7, retry_s=0.05, settle_s=0.15)
CONFIRM_WINDOW_S = 0.45


class QuickTerminal(ZvtTerminal):
    def __init__(self, reporter: Reporter, **options: Any) -> None:
        super().__init__(reporter, timing=TIMING, **{**options, "confirm_window_s": CONFIRM_WINDOW_S})


def quicken() -> None:
    models = cast("MutableMapping[tuple[str, str], Model]", registry.MODELS)
    models["terminal", "zvt"] = Model(Kind.terminal, ZvtOptions, "tests.system.payment.quick_hal:QuickTerminal")
    models["terminal", "plain"] = Model(Kind.terminal, PlainOptions, "tests.system.payment.plain:PlainDriver")
    supervisor.BACKOFF_FIRST_S = supervisor.BACKOFF_LAST_S = 0.02


if __name__ == "__main__":
    quicken()
    sys.exit(main())
