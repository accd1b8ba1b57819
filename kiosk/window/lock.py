"""Takes from the web view everything that a customer, or a page, could use to get away from the lane's screen.

pywebview's own settings stop only the context menu and the developer tools. Everything else is a signal of the
WebKitGTK view (WebKit2GTK 4.1 reference, WebKitWebView): each is answered here, before the first page is loaded.
"""

from collections.abc import Callable
from typing import Any

from gi.repository import GLib, WebKit2

from kiosk.window.policy import allowed, kept

RETRY_MS = 1000
CRASH_RETRY_MS = 300
STUCK_MS = 15_000

OFF = (
    "allow_file_access_from_file_urls",
    "allow_universal_access_from_file_urls",
    "enable_back_forward_navigation_gestures",
    "enable_caret_browsing",
    "enable_developer_extras",
    "enable_fullscreen",
    "enable_html5_database",
    "enable_html5_local_storage",
    "enable_media_stream",
    "enable_page_cache",
    "enable_webgl",
    "javascript_can_access_clipboard",
    "javascript_can_open_windows_automatically",
    "media_playback_requires_user_gesture",  # the till's tones may sound before the first touch
)


class Lock:
    """Locks one pywebview GTK window to its home, and brings the page back whenever it is lost.

    `home` is asked anew for each attempt, so that a new boot token is picked up. Runs on the GTK thread.
    """

    def __init__(self, home: Callable[[], str]) -> None:
        self._home = home
        self._view: Any = None
        self._again = 0

    def apply(self, browser: Any) -> None:
        """`browser` is a `webview.platforms.gtk.BrowserView` that has loaded nothing yet."""
        view = self._view = browser.webview
        _detach(browser, view)
        for name in OFF:
            view.get_settings().set_property(name.replace("_", "-"), False)  # noqa: FBT003 - GObject takes it by place
        view.get_context().connect("download-started", lambda _context, download: download.cancel())
        answers: dict[str, Callable[..., Any]] = {
            "decide-policy": self._decide,
            "create": lambda *_: None,
            "context-menu": lambda *_: True,
            "run-file-chooser": lambda _view, request: _done(request.cancel),
            "run-color-chooser": lambda _view, request: _done(request.cancel),
            "permission-request": lambda _view, request: _done(request.deny),
            "authenticate": lambda _view, request: _done(request.cancel),
            "print": lambda *_: True,
            "script-dialog": _silence,
            "show-notification": lambda *_: True,
            "enter-fullscreen": lambda *_: True,
            "load-failed": self._failed,
            "web-process-terminated": lambda *_: self._retry(CRASH_RETRY_MS),
            "notify::is-web-process-responsive": self._responsive,
        }
        for signal, answer in answers.items():
            view.connect(signal, answer)
        view.drag_dest_unset()

    def _decide(self, view: Any, decision: Any, kind: Any) -> bool:
        if kind == WebKit2.PolicyDecisionType.RESPONSE:
            self._answer(view, decision)
        elif kind == WebKit2.PolicyDecisionType.NAVIGATION_ACTION and self._homeward(decision):
            decision.use()
        else:
            decision.ignore()
        return True

    def _homeward(self, decision: Any) -> bool:
        return allowed(decision.get_navigation_action().get_request().get_uri(), self._home())

    def _answer(self, view: Any, decision: Any) -> None:
        response = decision.get_response()
        headers = response.get_http_headers()
        disposition = (headers.get_one("Content-Disposition") or "") if headers is not None else ""
        status = response.get_status_code()
        supported = decision.is_mime_type_supported()
        attachment = disposition.lower().startswith("attachment")
        if allowed(response.get_uri(), self._home()) and kept(status, supported=supported, attachment=attachment):
            decision.use()
            return
        decision.ignore()
        if status >= 400 and decision.is_main_frame_main_resource():
            self._retry(RETRY_MS)

    def _failed(self, view: Any, event: Any, uri: str, error: Any) -> bool:
        """No error page: the till's process is not there yet, or no longer. What a policy stopped is no failure."""
        if not error.matches(WebKit2.policy_error_quark(), WebKit2.PolicyError.FRAME_LOAD_INTERRUPTED_BY_POLICY_CHANGE):
            self._retry(RETRY_MS)
        return True

    def _responsive(self, view: Any, _: Any) -> None:
        if not view.get_is_web_process_responsive():
            GLib.timeout_add(STUCK_MS, self._unstick)

    def _unstick(self) -> bool:
        if not self._view.get_is_web_process_responsive():
            self._view.terminate_web_process()
        return False

    def _retry(self, after_ms: int) -> None:
        if not self._again:
            self._again = GLib.timeout_add(after_ms, self._load)

    def _load(self) -> bool:
        self._again = 0
        self._view.load_uri(self._home())
        return False


def _detach(browser: Any, view: Any) -> None:
    """pywebview's own answers, and its bridge from the page into Python, which this page has no use for."""
    browser.manager.unregister_script_message_handler("jsBridge")
    for handler in (browser.on_navigation, browser.on_load_finish, browser.on_drag_data, browser.on_request):
        view.disconnect_by_func(handler)
    view.set_opacity(1.0)


def _silence(_view: Any, dialog: Any) -> bool:
    """alert, confirm and prompt show nothing; leaving a page is never asked about."""
    if dialog.get_dialog_type() == WebKit2.ScriptDialogType.BEFORE_UNLOAD_CONFIRM:
        dialog.confirm_set_confirmed(True)  # noqa: FBT003 - GObject takes it by place
    return True


def _done(act: Callable[[], None]) -> bool:
    act()
    return True
