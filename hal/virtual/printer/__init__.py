"""An ESC/POS receipt printer on TCP: 80 mm, 576 dots. See `device.VirtualPrinter`."""

from hal.virtual.printer.device import VirtualPrinter
from hal.virtual.printer.paint import picture, png
from hal.virtual.printer.paper import Receipt

__all__ = ["Receipt", "VirtualPrinter", "picture", "png"]
