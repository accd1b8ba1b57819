"""The operator's pages. Everything that stands in a record is hostile: escaped here, and nothing inline is allowed."""

import ipaddress
from collections.abc import Iterator
from typing import Any

import msgspec
from flask import Blueprint, Response, abort, make_response, render_template, request

from cloud import queries
from cloud import troubles as of_lanes
from cloud.web import show
from cloud.web.service import Service

_KEEPALIVE_S = 2.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def blueprint(service: Service) -> Blueprint:
    pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/static", template_folder="templates")
    for name in ("troubles", "worst", "standing", "lasting", "plain"):
        pages.add_app_template_filter(getattr(of_lanes, name), name)
    for name in ("money", "total", "quantity", "rate", "local", "offset", "ago", "decimal"):
        pages.add_app_template_filter(getattr(show, name), name)

    @pages.before_request
    def _only_here() -> None:
        """There is no login yet: the pages are for this machine only. The address stops other machines, the Host
        header stops other sites' scripts in this machine's browser (DNS rebinding)."""
        if not _is_loopback(request.remote_addr or "") or not _is_loopback(_host()):
            abort(403, "the operator's pages are served to this machine only, as http://127.0.0.1 or http://localhost")

    @pages.after_request
    def _harden(response: Response) -> Response:
        response.headers.update(_HEADERS)
        if request.endpoint != "pages.static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @pages.get("/")
    def _overview() -> str:
        now = service.clock()
        return render_template("overview.html", view=queries.overview(service.store, now), now=now)

    @pages.get("/kiosks/<dev>")
    def _kiosk(dev: str) -> str:
        now = service.clock()
        found = queries.kiosk(service.store, dev, now) or abort(404, "there is no such kiosk")
        return render_template("kiosk.html", view=found, now=now)

    @pages.get("/sales/<dev>/<int:ep>/<int:seq>")
    def _sale(dev: str, ep: int, seq: int) -> str:
        known = ep < 2**53 and seq < 2**53
        found = (queries.sale(service.store, dev, ep, seq) if known else None) or abort(404, "there is no such sale")
        return render_template("sale.html", view=found, now=service.clock())

    @pages.get("/api/kiosks")
    def _kiosks() -> Response:
        view = queries.overview(service.store, service.clock())
        return _json([msgspec.to_builtins(kiosk) for kiosk in view.kiosks])

    @pages.get("/api/sales")
    def _sales() -> Response:
        """`since`: what the answer before gave as `next`, or UTC milliseconds; without it from the beginning."""
        since = request.args.get("since", "0")
        try:
            ms, *place = since.split(".")
            after = (place[0], int(place[1]), int(place[2])) if place else ("\U0010ffff", 0, 0)
            rows = queries.sales_since(service.store, int(ms), after)
        except (ValueError, IndexError, OverflowError):
            abort(400, "since: UTC milliseconds, or `next` of the answer before")
        last = rows[-1] if rows else None
        following = f"{last['received_ms']}.{last['dev']}.{last['ep']}.{last['seq']}" if last else since
        return _json({"sales": rows, "next": following})

    @pages.get("/events")
    def _events() -> Response:
        if not service.bell.admit(service.config.live_streams):
            response = make_response("too many open pages", 503)
            response.headers["Retry-After"] = "10"
            return response
        return Response(_Stream(service), content_type="text/event-stream")

    return pages


class _Stream:
    """Server-sent events: `change` whenever something did. Gives its place back however it ends."""

    def __init__(self, service: Service) -> None:
        self._bell = service.bell
        self._seen = service.bell.count
        self._open = True
        self._first = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first:
            self._first = False
            return b"retry: 2000\nevent: hello\ndata: \n\n"
        count = self._bell.wait(self._seen, _KEEPALIVE_S)
        if self._bell.closed:
            raise StopIteration
        if count == self._seen:
            return b": still here\n\n"
        self._seen = count
        return b"event: change\ndata: %d\n\n" % count

    def close(self) -> None:
        if self._open:
            self._open = False
            self._bell.leave()


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), content_type="application/json")


def _host() -> str:
    """The Host header without its port."""
    host = request.headers.get("Host", "")
    return host[: host.index("]") + 1].strip("[]") if host.startswith("[") and "]" in host else host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
