import pytest

from kiosk.window.main import main
from kiosk.window.policy import allowed, kept, origin

HOME = "http://127.0.0.1:8080/?token=secret-of-this-boot"

ALLOWED = ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/wish?x=1#y", "HTTP://127.0.0.1:8080/"]
REFUSED = [
    "http://127.0.0.1:8081/",
    "http://127.0.0.1/",
    "https://127.0.0.1:8080/",
    "http://localhost:8080/",
    "http://127.0.0.1:8080@evil.example/",
    "http://127.0.0.1:8080.evil.example/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:x/",
    "http://[::1/",
    "file:///etc/passwd",
    "data:text/html,out",
    "blob:http://127.0.0.1:8080/1",
    "about:blank",
    "javascript:void(0)",
    "",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_home_is_allowed(url: str) -> None:
    assert allowed(url, HOME)


@pytest.mark.parametrize("url", REFUSED)
def test_everywhere_else_is_refused(url: str) -> None:
    assert not allowed(url, HOME)
    assert not allowed(url, url if origin(url) is None else HOME)


def test_only_pages_are_kept() -> None:
    assert kept(200, supported=True, attachment=False)
    assert not kept(200, supported=False, attachment=False)
    assert not kept(200, supported=True, attachment=True)
    assert not kept(403, supported=True, attachment=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "file:///etc/passwd"], "--url: has to hold an address that begins with http:// or https://"),
        (["--url", "kassa"], "--url: has to hold"),
        (["--url-file", "/nowhere/at/all"], "--url-file /nowhere/at/all: has to hold"),
        (["--url", HOME, "--size", "big"], "--size 'big': has to be like 1080x1920"),
        (["--url", HOME, "--size", "0x0"], "--size '0x0'"),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "secret" not in said


def test_no_display_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["--url", HOME]) == 1
    assert "there is no display" in capsys.readouterr().err
