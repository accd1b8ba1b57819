"""Letters between a lane and the backend, carried by a broker that both use and neither has to trust.

A letter's body is a segment or a status. Its seal is an HMAC under the device's token, which itself never crosses the
broker. An answer is signed by the key that counter-signs journal heads and names the letter it answers: a foreign, a
forged and a replayed one are told from it. The broker's own acknowledgement says nothing of what is held.
"""

import hashlib
import hmac
import re
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace

from kiosk.records.canonical import canonical
from kiosk.records.identity import Acknowledgement, BadIdentity, CosignChange, changed

ID_PROPERTY = "kassa-id"
SEAL_PROPERTY = "kassa-seal"
MAX_ANSWER_BYTES = 64 * 1024
MAX_STATUS_BYTES = 32 * 1024
_SEAL_CONTEXT = b"kassa letter v1\x00"
_ANSWER_CONTEXT = b"kassa answer v1\x00"
_SIGNATURE_BYTES = 64
_ROOT = ("kassa", "v1")
_DEV = re.compile(r"[0-9a-z]{1,64}", re.ASCII)
_EP = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
Kind = Literal["journal", "status", "answer"]


class BadLetter(ValueError):
    """No letter of a lane: a wrong address, id or form."""


class Place(msgspec.Struct, frozen=True):
    """Where a letter goes. `ep` is 0 but for a journal. The parts are joined by `.` for NATS, by `/` for MQTT."""

    kind: Kind
    dev: str
    ep: int = 0

    @property
    def parts(self) -> tuple[str, ...]:
        return (*_ROOT, self.kind, self.dev, *([str(self.ep)] if self.kind == "journal" else []))


def place(parts: list[str]) -> Place:
    """The place of an address that was taken apart. Raises BadLetter."""
    match parts:
        case ["kassa", "v1", "journal", dev, ep] if _DEV.fullmatch(dev) and _EP.fullmatch(ep):
            return Place("journal", dev, int(ep))
        case ["kassa", "v1", "status", dev] if _DEV.fullmatch(dev):
            return Place("status", dev)
        case _:
            raise BadLetter("the address is neither a journal's nor a status's")


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the backend says to one letter. `status` and `error` are those of the HTTP API, `ack` the head it holds.
    `changes` lead from the counter-signing key that the lane has pinned to the one that signs this answer and `ack`;
    they travel once, here."""

    id: str
    dev: str
    ep: int
    status: int
    error: str = ""
    message: str = ""
    retry_after_s: float = 0.0
    ack: Acknowledgement | None = None
    changes: tuple[CosignChange, ...] = ()


def is_id(text: str) -> bool:
    """128 random bits as hex."""
    return _ID.fullmatch(text) is not None


def seal(token: str, where: Place, id: str, body: bytes) -> str:
    """The seal of a letter by the device's token, as hex."""
    digest = hashlib.sha256(body).hexdigest()
    said = canonical({"body": digest, "dev": where.dev, "ep": where.ep, "id": id, "kind": where.kind})
    return hmac.new(token.encode("utf-8", "surrogatepass"), _SEAL_CONTEXT + said, hashlib.sha256).hexdigest()


def is_sealed(token: str, where: Place, id: str, body: bytes, found: str) -> bool:
    return hmac.compare_digest(seal(token, where, id, body).encode(), found.encode("utf-8", "surrogatepass"))


def sign_answer(key: Ed25519PrivateKey, answer: Answer) -> bytes:
    """The bytes to send: the signature, then the JSON text that it is of."""
    if answer.ack is not None:
        answer = replace(answer, ack=replace(answer.ack, changes=()))
    said = msgspec.json.encode(answer)
    return key.sign(_ANSWER_CONTEXT + said) + said


def open_answer(key: Ed25519PublicKey, data: bytes) -> Answer:
    """Raises BadIdentity when it is not signed by the backend, or is no answer."""
    if not _SIGNATURE_BYTES < len(data) <= MAX_ANSWER_BYTES:
        raise BadIdentity(f"{len(data)} bytes are no answer of the backend")
    signature, said = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    try:
        answer = msgspec.json.decode(said, type=Answer)
        changed(key, answer.changes).verify(signature, _ANSWER_CONTEXT + said)
    except InvalidSignature:
        raise BadIdentity("the answer is not signed by the pinned key, nor by one that it leads to") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadIdentity(f"the answer cannot be read: {error}") from None
    return answer if answer.ack is None else replace(answer, ack=replace(answer.ack, changes=answer.changes))
