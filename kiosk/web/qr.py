"""The digital receipt's address as a drawn QR code."""

from functools import lru_cache
from urllib.parse import quote

import qrcode
from markupsafe import Markup


def receipt_address(pattern: str, sale_id: str) -> str:
    """The shop's address for one receipt; empty if the shop has none."""
    return pattern.replace("{sale_id}", quote(sale_id, safe=""))


@lru_cache(maxsize=8)
def qr_svg(text: str) -> Markup:
    """An SVG of one path, black on white whatever the theme, with the quiet zone of 4 modules that ISO/IEC 18004
    (clause 6.3.8) asks for. Takes some milliseconds the first time for a text; remembered after that."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    size = len(matrix)
    path = "".join(f"M{x} {y}h1v1h-1z" for y, modules in enumerate(matrix) for x, dark in enumerate(modules) if dark)
    return Markup(
        f'<svg viewBox="0 0 {size} {size}" shape-rendering="crispEdges" aria-hidden="true" focusable="false">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path fill="#000" d="{path}"/></svg>'
    )
