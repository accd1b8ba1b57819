"""Who may talk to the page: this machine's own window, with the token of this boot, and nobody else.

A page of another origin in a browser on the same machine is the adversary: it can send requests here, but neither
read the cookie nor choose Host or Origin (Fetch standard, forbidden request-headers).
"""

import hmac
from collections.abc import Mapping

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=(), clipboard-read=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """The checks, for a server on this loopback port."""

    def __init__(self, token: str, port: int) -> None:
        if len(token) < 16:
            raise ValueError("the page's token has to be at least 16 characters long")
        self._token = token.encode()
        self.cookie = f"kassa_{port}"  # cookies know no ports: another server of this host must not overwrite it
        self.hosts = frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))

    def token_right(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(errors="replace"), self._token)

    def host_right(self, host: str | None) -> bool:
        """Against DNS rebinding: only the loopback names."""
        return host in self.hosts

    def origin_right(self, origin: str | None, host: str | None) -> bool:
        return host in self.hosts and origin == f"http://{host}"
