"""The fiscal port: what a country wants to see between payment and close. `none` asks for nothing.

A scheme may take time, fail and be asked again; it is idempotent per sale. A failure is a state of the sale, and the
customer is told; it never makes a paid sale disappear.
"""

from typing import Protocol

from kiosk.records.sale import Fiscal, Sale


class FiscalPort(Protocol):
    async def fiscalise(self, sale: Sale) -> Fiscal:
        """Hand in a paid sale, once per sale_id; a repeated call answers the same."""


class NoFiscal:
    """Scheme `none`: nobody is told, and nothing is added to the receipt."""

    async def fiscalise(self, sale: Sale) -> Fiscal:
        return Fiscal("none")


SCHEMES = {"none": NoFiscal}
