"""The bench's HTTP API and page. Loopback only: other Host headers and non-JSON posts are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from hal.virtual.bench.devices import DeviceName, Devices
from hal.virtual.bench.events import Streams, TooManyClients
from hal.virtual.bench.shop import Shop
from hal.virtual.printer import Receipt, png
from hal.virtual.printer.status import PrinterError
from hal.virtual.scanner import ScannerUnplugged, ScanRefused
from hal.virtual.terminal import OUTCOMES, Refused

BODY_LIMIT_BYTES = 64 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
DEVICES: tuple[DeviceName, ...] = get_args(DeviceName)
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'"

Setter = Callable[[Devices, str, dict[str, Any]], None]


def create_app(devices: Devices, streams: Streams, shop: Shop | None, staff: Path | None = None) -> Flask:
    """`staff`: a JSON file `{"badge", "pin"}` of somebody who may identify at the lane; it may come later."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT_BYTES
    _guard(app)
    _page(app, shop)
    _staff(app, staff)
    _state(app, devices, streams)
    _scanner(app, devices)
    _terminal(app, devices)
    _printer(app, devices)
    return app


def _guard(app: Flask) -> None:
    def known_host() -> tuple[Response, int] | None:
        host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if host in LOOPBACK:
            return None
        return jsonify(error=f"host {host[:60]!r} is not allowed; use 127.0.0.1 or localhost"), 403

    def policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    def refused(error: Exception) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400

    def unplugged(error: Exception) -> tuple[Response, int]:
        return jsonify(error=str(error)), 409

    def other(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=f"{request.method} {request.path}: {error.name}"), error.code or 500

    app.before_request(known_host)
    app.after_request(policy)
    for kind in (Refused, ScanRefused):
        app.register_error_handler(kind, refused)
    app.register_error_handler(ScannerUnplugged, unplugged)
    app.register_error_handler(HTTPException, other)


def body(*allowed: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON object of a post; keys only from `allowed` (any when empty). Raises `Refused`."""
    if request.mimetype != "application/json":
        raise Refused(f"content type {request.mimetype or 'none'!r} is not application/json")
    data = request.get_data()
    sent = request.get_json(silent=True) if data else {}
    if not isinstance(sent, dict):
        raise Refused("the body is not a JSON object")
    for key in sent:
        if allowed and key not in allowed:
            raise Refused(f"{key!r} is not known here; allowed are {', '.join(allowed)}")
    for key in required:
        if key not in sent:
            raise Refused(f"{key!r} is missing")
    return sent


def _page(app: Flask, shop: Shop | None) -> None:
    @app.get("/")
    def page() -> str:
        return render_template("bench.html", categories=shop.categories if shop else [], shop=shop is not None)

    @app.get("/shop")
    def shelf() -> Response:
        if shop is None:
            return jsonify(total=0, products=[])
        return jsonify(shop.find(request.args.get("q", "")[:80], request.args.get("category", "")[:80]))


def _staff(app: Flask, path: Path | None) -> None:
    @app.get("/staff")
    def staff() -> Response:
        """The demo attendant's badge and PIN, empty while there is none."""
        known = json.loads(path.read_text()) if path is not None and path.exists() else {}
        return jsonify(badge=str(known.get("badge", "")), pin=str(known.get("pin", "")))


def _state(app: Flask, devices: Devices, streams: Streams) -> None:
    @app.get("/state")
    def state() -> Response:
        return jsonify(devices.state())

    @app.get("/events")
    def events() -> Response | tuple[Response, int]:
        try:
            return Response(streams.open(), mimetype="text/event-stream")
        except TooManyClients:
            return jsonify(error="too many event streams are open; close a page of the bench"), 503

    @app.post("/<any(scanner, terminal, printer):device>/<any(plug, unplug):what>")
    def plugging(device: DeviceName, what: Literal["plug", "unplug"]) -> Response | tuple[Response, int]:
        body("device")
        try:
            (devices.plug if what == "plug" else devices.unplug)(device)
        except OSError as error:
            return jsonify(error=f"the {device} cannot be plugged in: {error.strerror}"), 409
        return jsonify(devices.state()[device])


def _scanner(app: Flask, devices: Devices) -> None:
    @app.post("/scanner/scan")
    def scan() -> Response:
        sent = body("text", "aim", "partial", required=("text",))
        text, aim, partial = sent["text"], sent.get("aim"), sent.get("partial", False)
        if not isinstance(text, str):
            raise Refused("'text' is not a string")
        if aim is not None and not isinstance(aim, str):
            raise Refused("'aim' is not a string or null")
        if not isinstance(partial, bool):
            raise Refused("'partial' is not true or false")
        written = devices.scanner.scan_partial(text) if partial else devices.scanner.scan(text, aim)
        return jsonify(written_mono_ns=written)


def _terminal(app: Flask, devices: Devices) -> None:
    @app.post("/terminal/card")
    def card() -> Response:
        sent = body("outcome")
        if "outcome" not in sent:
            raise Refused(f"'outcome' is missing; allowed are {', '.join(OUTCOMES)}")
        devices.call(lambda: devices.terminal.tap(sent["outcome"]))
        return jsonify(devices.state()["terminal"])

    @app.post("/terminal/faults")
    def faults() -> Response:
        sent = body()
        devices.call(lambda: devices.terminal.set_faults(sent))
        return jsonify(devices.state()["terminal"])

    @app.post("/terminal/profile")
    def profile() -> Response:
        sent = body()
        devices.call(lambda: devices.terminal.set_profile(sent))
        return jsonify(devices.state()["terminal"])


def _printer(app: Flask, devices: Devices) -> None:
    @app.post("/printer/<any(paper, cover, near_end, cable, drawer, error, jam):part>")
    def move(part: str) -> Response:
        sent = body("state", *(("left_mm",) if part == "paper" else ()))
        states, setter = PARTS[part]
        state = sent.get("state")
        if not isinstance(state, str) or state not in states:
            raise Refused(f"state {state!r} of the printer's {part} is not one of {', '.join(states)}")
        setter(devices, state, sent)
        return jsonify(devices.state()["printer"])

    @app.get("/printer/receipts")
    def receipts() -> Response:
        rows = [{**summary(receipt), "text": receipt.text} for receipt in devices.printer.receipts]
        return jsonify(receipts=rows)

    @app.get("/printer/receipts/<int:number>.png")
    def receipt_picture(number: int) -> Response | tuple[Response, int]:
        found = find(number)
        return missing(number) if found is None else Response(png(found), mimetype="image/png")

    @app.get("/printer/receipts/<int:number>.json")
    def receipt_json(number: int) -> Response | tuple[Response, int]:
        found = find(number)
        return missing(number) if found is None else jsonify(found.as_json())

    def find(number: int) -> Receipt | None:
        return next((r for r in devices.printer.receipts if r.number == number), None)

    def missing(number: int) -> tuple[Response, int]:
        return jsonify(error=f"there is no receipt {number}; GET /printer/receipts lists them"), 404


def summary(receipt: Receipt) -> dict[str, Any]:
    return {
        "number": receipt.number,
        "height": receipt.height,
        "cut": receipt.cut,
        "qr": receipt.qr,
        "png": f"/printer/receipts/{receipt.number}.png",
    }


def _set_paper(devices: Devices, state: str, sent: dict[str, Any]) -> None:
    left = sent.get("left_mm")
    if left is not None and (isinstance(left, bool) or not isinstance(left, int | float) or not 0 < left <= 1e5):
        raise Refused(f"left_mm {left!r} is not a number above 0, at most 100000")
    devices.call(lambda: devices.printer.set_paper(present=state == "ok", left_mm=left))


def _set_cover(devices: Devices, state: str, _sent: dict[str, Any]) -> None:
    devices.call(lambda: devices.printer.set_cover(is_open=state == "open"))


def _set_near_end(devices: Devices, state: str, _sent: dict[str, Any]) -> None:
    devices.call(lambda: devices.printer.set_near_end(near=state == "on"))


def _set_cable(devices: Devices, state: str, _sent: dict[str, Any]) -> None:
    devices.run(lambda: devices.printer.set_cable(connected=state == "ok"))


def _set_drawer(devices: Devices, state: str, _sent: dict[str, Any]) -> None:
    devices.call(lambda: devices.printer.set_drawer(is_open=state == "open"))


def _set_error(devices: Devices, state: str, _sent: dict[str, Any]) -> None:
    error = next(e for e in get_args(PrinterError) if e == state)
    devices.call(lambda: devices.printer.set_error(error))


def _set_jam(devices: Devices, _state: str, _sent: dict[str, Any]) -> None:
    devices.call(devices.printer.jam_next_cut)


PARTS: dict[str, tuple[tuple[str, ...], Setter]] = {
    "paper": (("ok", "out"), _set_paper),
    "cover": (("closed", "open"), _set_cover),
    "near_end": (("off", "on"), _set_near_end),
    "cable": (("ok", "cut"), _set_cable),
    "drawer": (("closed", "open"), _set_drawer),
    "error": (get_args(PrinterError), _set_error),
    "jam": (("next",), _set_jam),
}
