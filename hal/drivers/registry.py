"""Which drivers there are. A new device is one folder and one row here.

The driver's module is imported only when a configured device uses it, so that a lane without a printer does not
pay for the printer's libraries at start.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from hal.api.records import Kind
from hal.drivers.contract import Driver, Reporter
from hal.drivers.options import DeviceOptions
from hal.drivers.printer.escpos.options import EscposOptions
from hal.drivers.scanner.serial.options import SerialScannerOptions
from hal.drivers.terminal.zvt.options import ZvtOptions


@dataclass(frozen=True)
class Model:
    kind: Kind
    options: type[DeviceOptions]
    driver: str
    """`module:class`; the class is called with the reporter and the options as keywords."""

    def create(self, reporter: Reporter, options: DeviceOptions) -> Driver:
        module, _, name = self.driver.partition(":")
        constructor = getattr(importlib.import_module(module), name)
        return cast(Driver, constructor(reporter, **msgspec.structs.asdict(options)))


MODELS: Mapping[tuple[str, str], Model] = {
    ("scanner", "serial"): Model(Kind.scanner, SerialScannerOptions, "hal.drivers.scanner.serial.driver:SerialScanner"),
    ("printer", "escpos"): Model(Kind.printer, EscposOptions, "hal.drivers.printer.escpos.driver:EscposPrinter"),
    ("terminal", "zvt"): Model(Kind.terminal, ZvtOptions, "hal.drivers.terminal.zvt.driver:ZvtTerminal"),
}
