"""Where the window may go. Pure."""

from urllib.parse import urlsplit

Origin = tuple[str, str, int]
PORTS = {"http": 80, "https": 443}


def origin(url: str) -> Origin | None:
    """Scheme, host and port (RFC 6454, clause 4); None for what has no such origin: `file:`, `data:`, `about:` …"""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]


def allowed(url: str, home: str) -> bool:
    """Whether the window may show this address: only its home's own origin."""
    return origin(url) is not None and origin(url) == origin(home)


def kept(status: int, *, supported: bool, attachment: bool) -> bool:
    """Whether an answer from home is a page to show. A download never is; nor is an error: the screen is tried
    again instead."""
    return supported and not attachment and status < 400
