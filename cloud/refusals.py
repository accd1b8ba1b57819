"""Every reason to refuse what a device sends, in the words of the answer, whichever way it came."""

from dataclasses import dataclass

from cloud import devices, ingest
from cloud.store import Busy
from kiosk.records.identity import Acknowledgement
from kiosk.records.segment import BadSegment

BUSY_RETRY_S = 5
REASONS = (devices.Unauthorised, devices.Revoked, BadSegment, ingest.Rejected, Busy)


@dataclass(frozen=True)
class Refusal:
    """`error`: a stable word. `head`: what the backend holds, where the device needs to know it."""

    status: int
    error: str
    message: str
    retry_after_s: int = 0
    head: Acknowledgement | None = None


def refusal(reason: Exception) -> Refusal:
    """For one of `REASONS`; anything else is raised again."""
    match reason:
        case devices.Unauthorised():
            return Refusal(401, "unauthorised", str(reason))
        case devices.Revoked():
            return Refusal(403, "revoked", str(reason))
        case BadSegment():
            return Refusal(400, "bad_segment", str(reason))
        case ingest.Rejected():
            return Refusal(reason.status, reason.kind, str(reason), head=reason.head)
        case Busy():
            return Refusal(503, "busy", str(reason), BUSY_RETRY_S)
        case _:
            raise reason
