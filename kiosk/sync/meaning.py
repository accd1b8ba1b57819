"""What the backend's status and word mean to the lane, whichever way they came."""

from kiosk.records.identity import Acknowledgement
from kiosk.sync.backend import (
    Accepted,
    Answer,
    Busy,
    Denied,
    Fork,
    Gap,
    Rejected,
    Stale,
    Strange,
    TooLarge,
)


class Failed(Exception):
    """A request without a usable answer. `status` is 0 when there was none at all."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def meaning(status: int, kind: str, message: str, ack: Acknowledgement | None, retry_after_s: float = 0.0) -> Answer:
    """Never raises. `kind`: the backend's stable word, empty with 200."""
    match status, kind:
        case 200, _ if ack is not None:
            return Accepted(ack)
        case 409, "gap" if ack is not None:
            return Gap(ack)
        case 409, "fork":
            return Fork(printable(message), ack)
        case 410, "stale_epoch":
            return Stale(printable(message))
        case 404, "unknown_epoch":
            return Rejected(kind, printable(message))
        case ((401 | 403), _):
            return Denied(printable(message))
        case 413, _:
            return TooLarge()
        case ((429 | 503), _):
            return Busy(retry_after_s, printable(message))
        case ((400 | 422), _):
            return Rejected(printable(kind)[:40], printable(message))
        case _:
            return Strange(f"status {status}: {printable(message or kind) or 'without a reason'}")


def printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
