"""The digital receipt that the lane's QR code opens on the customer's phone.

No login: the address holds the sale's 128 random bits, and whoever has it was given it at the till. The document is
shown as it was issued, in its language. A receipt that has not come in yet is on its way: the lane may be offline.
"""

import re
from typing import Any

import msgspec
from flask import Blueprint, Response, make_response, render_template

from cloud import queries
from cloud.web.service import Service

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_SALE_ID = re.compile(r"[0-9a-zA-Z-]{8,64}")
_ASK_AGAIN_S = 5


def blueprint(service: Service) -> Blueprint:
    receipts = Blueprint("receipts", __name__, template_folder="templates")

    @receipts.after_request
    def _harden(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @receipts.get("/r/<sale_id>")
    def _receipt(sale_id: str) -> Response:
        text = queries.receipt(service.store, sale_id) if _SALE_ID.fullmatch(sale_id) else None
        if text is None:
            response = make_response(render_template("receipt_waiting.html"), 404)
            response.headers["Refresh"] = str(_ASK_AGAIN_S)
            return response
        document: dict[str, Any] = msgspec.json.decode(text)
        return make_response(render_template("receipt.html", document=document, mono=_mono))

    return receipts


def _mono(lines: object) -> str:
    """The terminal's own lines, in their columns."""
    return "\n".join(str(line) for line in lines) if isinstance(lines, list) else ""
