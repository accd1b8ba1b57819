"""Someone who looks at the live file from outside, as `kassa-journal verify` does, while its writers die and come."""

from multiprocessing.connection import Connection
from pathlib import Path

from kiosk.journal.source import BrokenOff, Source, Unreadable
from kiosk.journal.verify import verify
from tests.core.journal.lane import TestLane

_PAUSE_S = 0.05


def verify_until_stopped(folder: Path, pipe: "Connection[bytes, bytes]") -> None:
    """Until anything comes through the pipe. Reports `looks COUNT` at the end, `failed WHY` before."""
    lane, looks = TestLane(folder), 0
    while not pipe.poll(_PAUSE_S):
        try:
            with Source(lane.path) as source:
                if source.live:
                    bad = verify(source.entries(), source.certificates, source.acknowledgements, lane.keys()).bad
                    looks += 1
                    if bad is not None:
                        pipe.send_bytes(f"failed onlooker: {bad}".encode())
        except Unreadable:
            # Between two writers the file is read without locks, and the next writer may begin meanwhile.
            continue
        except BrokenOff as error:
            pipe.send_bytes(f"failed onlooker: {error.bad}".encode())
    pipe.send_bytes(f"looks {looks}".encode())
    pipe.close()
