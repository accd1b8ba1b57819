"""The customer's page over HTTP on loopback: the screen, its changes, and the customer's wishes."""

import msgspec
from flask import Flask, Response, jsonify, redirect, request
from werkzeug.exceptions import HTTPException

from kiosk.lane.port import AnyWish, LanePort
from kiosk.web.brand import brand_css
from kiosk.web.gate import HEADERS, Gate
from kiosk.web.render import Renderer
from kiosk.web.stream import Hub

WISH_BYTES = 1024


def create_app(lane: LanePort, *, token: str, port: int) -> Flask:
    """The application for `kiosk.web.serve`.

    `token`: this boot's secret, at least 16 characters; `/?token=…` turns it into a cookie. `port`: where the page
    is served, for the check of Host and Origin. `app.extensions["kassa.hub"].stop()` ends the open streams.
    """
    app = Flask(__name__, static_folder="static", template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = WISH_BYTES
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = None  # revalidated, so that an update shows at once
    gate, renderer = Gate(token, port), Renderer()
    lane.on_coming(renderer.ahead)  # while the disk syncs: the customer waits for the longer of both, not for the sum
    hub = Hub(lane, renderer.frame)
    app.extensions["kassa.hub"] = hub
    _guard(app, gate)
    _pages(app, lane, gate, renderer, hub)
    _wishes(app, lane, gate)
    _errors(app)
    return app


def _guard(app: Flask, gate: Gate) -> None:
    @app.before_request
    def only_loopback() -> Response | None:
        if not gate.host_right(request.headers.get("Host")):
            return _refuse(403, "host", f"Host must be one of: {', '.join(sorted(gate.hosts))}")
        return None

    @app.after_request
    def locked_down(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _pages(app: Flask, lane: LanePort, gate: Gate, renderer: Renderer, hub: Hub) -> None:
    @app.get("/")
    def page() -> Response:
        given = request.args.get("token")
        if gate.token_right(given):
            answer = redirect("/", 303)
            answer.set_cookie(gate.cookie, given or "", httponly=True, samesite="Strict", path="/")
            return Response(answer.get_data(), answer.status_code, answer.headers)
        if not gate.token_right(request.cookies.get(gate.cookie)):
            return _refuse(403, "token", "this page opens only from the lane's own window, with the token of this boot")
        return Response(renderer.page(lane.snapshot()), mimetype="text/html")

    @app.get("/events")
    def events() -> Response:
        if not gate.token_right(request.cookies.get(gate.cookie)):
            return _refuse(403, "token", "the cookie of this boot is missing or wrong")
        return Response(hub.listen(), mimetype="text/event-stream")

    @app.get("/brand.css")
    def brand() -> Response:
        return Response(brand_css(lane.snapshot().state.shop.accent), mimetype="text/css")

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok", revision=lane.snapshot().revision)


def _wishes(app: Flask, lane: LanePort, gate: Gate) -> None:
    decoder = msgspec.json.Decoder(AnyWish)

    @app.post("/wish")
    def wish() -> Response:
        if not gate.token_right(request.cookies.get(gate.cookie)):
            return _refuse(403, "token", "the cookie of this boot is missing or wrong")
        if not gate.origin_right(request.headers.get("Origin"), request.headers.get("Host")):
            return _refuse(403, "origin", "Origin must be this page's own")
        if request.mimetype != "application/json":
            return _refuse(415, "content_type", "Content-Type must be application/json")
        try:
            decoded = decoder.decode(request.get_data())
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return _refuse(400, "wish", f"not a wish: {problem}")
        lane.post(decoded)
        return Response(status=204)


def _errors(app: Flask) -> None:
    @app.errorhandler(404)
    def no_such_path(_: HTTPException) -> Response:
        return _refuse(404, "not_found", "there is no such path")

    @app.errorhandler(405)
    def other_method(_: HTTPException) -> Response:
        return _refuse(405, "method", "this path does not take that method")

    @app.errorhandler(413)
    def too_large(_: HTTPException) -> Response:
        return _refuse(413, "too_large", f"a wish has at most {WISH_BYTES} bytes")


def _refuse(status: int, error: str, detail: str) -> Response:
    answer = jsonify(error=error, detail=detail)
    answer.status_code = status
    return answer
