"""Who gets in, what is understood, and what is refused with which words."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kiosk.lane import port as wishes
from kiosk.web.app import create_app
from tests.core.web.lane import HeldLane
from tests.core.web.states import FULL, IDLE

TOKEN = "a-token-for-one-boot"
HOST = "127.0.0.1:8080"
OWN = f"http://{HOST}"


@pytest.fixture
def lane() -> HeldLane:
    return HeldLane(FULL)


@pytest.fixture
def client(lane: HeldLane) -> Iterator[FlaskClient]:
    with create_app(lane, token=TOKEN, port=8080).test_client() as client:
        client.environ_base["HTTP_HOST"] = HOST
        yield client


@pytest.fixture
def window(client: FlaskClient) -> FlaskClient:
    """The client after it came in by the token."""
    assert client.get(f"/?token={TOKEN}", base_url=OWN).status_code == 303
    return client


def wish(client: FlaskClient, body: bytes = b'{"wish":"pay"}', **headers: str) -> TestResponse:
    sent = {"Origin": OWN, "Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return client.post("/wish", base_url=OWN, data=body, headers=sent)


def test_the_token_becomes_a_cookie(client: FlaskClient) -> None:
    answer = client.get(f"/?token={TOKEN}", base_url=OWN)
    assert (answer.status_code, answer.location) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"kassa_8080={TOKEN};")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = client.get("/", base_url=OWN)
    assert page.status_code == 200
    assert 'data-screen="basket"' in page.text


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=another-token-of-some-boot", "/?token=%ff", "/events"])
def test_no_entry_without_the_token(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url=OWN)
    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["error"] == "token"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8081", "localhost:8080.evil.example", ""])
def test_another_host_is_refused(window: FlaskClient, host: str) -> None:
    for path in ("/", "/healthz", "/static/kassa.css"):
        assert window.get(path, base_url=OWN, headers={"Host": host}).status_code == 403


def test_a_wish_reaches_the_lane(window: FlaskClient, lane: HeldLane) -> None:
    assert wish(window).status_code == 204
    assert wish(window, b'{"wish":"remove","line_id":"l3"}').status_code == 204
    assert wish(window, b'{"wish":"receipt","how":"qr"}').status_code == 204
    assert wish(window, b'{"wish":"resolve","charged":"no"}').status_code == 204
    assert lane.wishes == [wishes.GoToPay(), wishes.Remove("l3"), wishes.ChooseReceipt("qr"), wishes.Resolve("no")]


REFUSED: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"", {}, 400, "wish"),
    (b"[]", {}, 400, "wish"),
    (b'{"wish":"free_beer"}', {}, 400, "wish"),
    (b'{"wish":"pay","amount":0}', {}, 400, "wish"),
    (b'{"wish":"receipt","how":"fax"}', {}, 400, "wish"),
    (b'{"wish":"remove","line_id":7}', {}, 400, "wish"),
    (b'{"wish":"resolve","charged":"perhaps"}', {}, 400, "wish"),
    (b'{"wish":"remove","line_id":"\xff"}', {}, 400, "wish"),
    (b'{"wish":"pay"}', {"Content_Type": "text/plain"}, 415, "content_type"),
    (b'{"wish":"pay"}', {"Content_Type": "application/x-www-form-urlencoded"}, 415, "content_type"),
    (b'{"wish":"pay"}', {"Origin": "http://evil.example"}, 403, "origin"),
    (b'{"wish":"pay"}', {"Origin": "null"}, 403, "origin"),
    (b'{"wish":"pay"}', {"Origin": ""}, 403, "origin"),
    (b'{"wish":"pay"}', {"Origin": "http://localhost:8080"}, 403, "origin"),
    (b'{"wish":"pay"}' + b" " * 2000, {}, 413, "too_large"),
]


@pytest.mark.parametrize(("body", "headers", "status", "error"), REFUSED)
def test_a_bad_wish_is_refused(
    window: FlaskClient, lane: HeldLane, body: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    answer = wish(window, body, **headers)
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json["error"] == error
    assert answer.json["detail"]
    assert lane.wishes == []


def test_a_wish_without_the_cookie_is_refused(client: FlaskClient, lane: HeldLane) -> None:
    assert wish(client).status_code == 403
    assert lane.wishes == []


def test_every_answer_is_locked_down(window: FlaskClient) -> None:
    for path in ("/", "/static/kassa.js", "/brand.css", "/healthz", "/nowhere"):
        with window.get(path, base_url=OWN) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_unknown_paths_and_methods_answer_in_json(window: FlaskClient) -> None:
    assert window.get("/nowhere", base_url=OWN).json == {"error": "not_found", "detail": "there is no such path"}
    assert window.get("/wish", base_url=OWN).status_code == 405


def test_the_accent_is_served_as_a_style_sheet(window: FlaskClient, lane: HeldLane) -> None:
    answer = window.get("/brand.css", base_url=OWN)
    assert answer.mimetype == "text/css"
    assert "--accent:#0f6b4f;" in answer.text


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        create_app(HeldLane(IDLE), token="short", port=1)
