"""Enrolment of a lane, step by step, so that a crash at any point is healed by the same command.

Keys first (they are kept), then the question, then the journal key of the granted epoch and its certificate, and
`enrolment.json` last: where it is, the lane is enrolled.
"""

import hashlib
from pathlib import Path

import msgspec

from kiosk.records.identity import Enrolment, EnrolmentRequest, certify, identity_public, prove
from provisioning.enrol import backend as backends
from provisioning.enrol import files, keys
from provisioning.enrol.backend import EnrolmentFailed


class _Kept(Enrolment, frozen=True):
    """What lies in `enrolment.json`: the enrolment, and by which token it came (SHA-256)."""

    token_sha256: str = ""


class AlreadyEnrolled(Exception):
    """The state folder belongs to an enrolled lane."""


def enrol(backend: str, token: str, state: Path, *, replace: bool = False) -> Enrolment:
    """Blocks on network and disk. Raises EnrolmentFailed, AlreadyEnrolled, keys.BadKey, OSError.

    The token's hash is kept with the enrolment: the same command run again after its success says so, and changes
    nothing.
    """
    address = backends.check_address(backend)
    token = token.strip()
    if not 1 <= len(token) <= 64 or not token.isascii():
        raise EnrolmentFailed("the token is 1 to 64 ASCII characters, as the backend printed it")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with files.locked(state):
            return _enrol(address, token, state, replace=replace)
    except BlockingIOError:
        raise EnrolmentFailed(f"another enrolment of {state} is running") from None


def _enrol(backend: str, token: str, state: Path, *, replace: bool) -> Enrolment:
    mark = hashlib.sha256(b"kassa enrolled with\x00" + token.encode()).hexdigest()
    present = _read(state)
    if present is not None:
        if present.token_sha256 == mark:
            return present
        if not replace:
            raise AlreadyEnrolled(
                f"{state} is enrolled as {present.dev} at {present.shop_name}, register {present.reg}; "
                "use --replace to enrol it anew (its identity and earlier journal keys stay)"
            )
    identity = keys.identity(state)
    proof = prove(identity, token)
    answer = backends.ask(backend, EnrolmentRequest(token, identity_public(identity), proof, keys.newest_epoch(state)))
    # The backend may know itself by another name; what worked just now is what the lane will use.
    answer = msgspec.structs.replace(answer, backend=backend)
    certificate = certify(identity, answer.dev, answer.ep, keys.journal(state, answer.ep))
    files.write(state / f"journal-{answer.ep}.cert.json", msgspec.json.encode(certificate) + b"\n", 0o644)
    kept = _Kept(**msgspec.structs.asdict(answer), token_sha256=mark)
    files.write(state / "enrolment.json", msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    return kept


def _read(state: Path) -> _Kept | None:
    """The enrolment of a state folder, if there is one. Raises EnrolmentFailed when it cannot be read as one."""
    path = state / "enrolment.json"
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnrolmentFailed(f"{path}: is no enrolment: {error}") from None
