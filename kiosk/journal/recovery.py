"""What the journal needs to help itself when it finds that it is damaged, was put back, or was copied."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records.identity import KeyCertificate
from kiosk.records.journal import Head
from kiosk.records.lifecycle import Place

JournalKey = tuple[Ed25519PrivateKey, KeyCertificate]
# What may be lost beyond what is known: the anchor may be half a minute behind after a power cut, and a record uses
# one number of a series at most.
NUMBERS_MARGIN = 1_000


class KeyRing(Protocol):
    """The journal keys of this device, which lie outside of the journal."""

    def find(self, ep: int, public: str) -> JournalKey | None:
        """The key pair of an epoch whose public half is `public`."""

    def make(self, ep: int) -> JournalKey:
        """A new key for a new epoch, certified by the identity key, durable on return. Raises OSError, ValueError."""

    def newest(self) -> int:
        """The highest epoch that there ever was a key for; 0 when there is none."""


@dataclass(frozen=True)
class Recovery:
    """`identity_key`: SubjectPublicKeyInfo in base64. `below(n)`: random, 0 to n - 1."""

    ring: KeyRing
    identity_key: str
    below: Callable[[int], int]


NOWHERE = Place()


@dataclass(frozen=True)
class Departure:
    """Why the journal goes on in a new epoch; the words are those of `EpochBegun`."""

    reason: str
    why: str
    previous: Place = NOWHERE
    file: Place = NOWHERE
    aside: str = ""

    @property
    def skip(self) -> int:
        if self.reason == "key":
            return 0  # every record is there
        same = self.previous.ep == self.file.ep
        lost = max(self.previous.seq - (self.file.seq if same else 0), 0)
        return lost + NUMBERS_MARGIN


def place(head: Head | None) -> Place:
    return NOWHERE if head is None else Place(head.ep, head.seq, head.hash)
