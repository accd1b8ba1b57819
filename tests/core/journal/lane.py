"""A lane's identity and stamp for journals in tests: everything that is random or a clock is counted."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.journal.reserve import Reserve
from kiosk.journal.stamp import Context, Moment
from kiosk.journal.store import Journal
from kiosk.journal.verify import Keys
from kiosk.records import identity
from kiosk.records.identity import Acknowledgement, KeyCertificate
from kiosk.records.journal import Actor, Head

CONTEXT = Context("tenant-1", "shop-1", "reg-1", "test", "0.1.0")
CUSTOMER = Actor("customer")


class CountingStamp:
    inc = "incarnation-1"

    def __init__(self) -> None:
        self.count = 0

    def moment(self) -> Moment:
        self.count += 1
        return Moment("boot-1", self.count * 1000, 1_700_000_000_000 + self.count, 60, "synced", "2026-11-21")

    def new_txn(self) -> str:
        return f"txn-{self.count}"


def _seeded(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


@dataclass
class TestLane:
    """Keys of one device and its backend, and where its journal lies."""

    __test__ = False
    folder: Path
    dev: str = "dev-1"
    identity: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.derive_private_key(7, ec.SECP256R1()))
    cosign: Ed25519PrivateKey = field(default_factory=lambda: _seeded(200))

    @property
    def path(self) -> Path:
        return self.folder / "journal.db"

    @property
    def anchor_path(self) -> Path:
        return self.folder / "anchor"

    def key(self, ep: int = 1) -> Ed25519PrivateKey:
        return _seeded(ep)

    def certificate(self, ep: int = 1) -> KeyCertificate:
        return identity.certify(self.identity, self.dev, ep, self.key(ep))

    def open(self, ep: int = 1, **changes: Any) -> Journal:
        arguments: dict[str, Any] = {
            "dev": self.dev,
            "ep": ep,
            "key": self.key(ep),
            "certificate": self.certificate(ep),
            "anchor_path": self.anchor_path,
            "cosign_key": self.cosign.public_key(),
            "stamp": CountingStamp(),
            "context": CONTEXT,
            "reserve": Reserve(self.folder / "reserve", ballast_bytes=4096, low_water_bytes=4096),
        }
        return Journal.open(self.path, **(arguments | changes))

    def keys(self) -> Keys:
        """What a verifier has."""
        return Keys(identity.identity_public(self.identity), self.cosign.public_key(), self.dev)

    def acknowledgement(self, head: Head) -> Acknowledgement:
        return identity.acknowledge(self.cosign, head)


def fill(journal: Journal, count: int, *, first: int = 1) -> list[Head]:
    return [journal.append("test.note", {"n": n, "text": "smørrebrød"}, CUSTOMER) for n in range(first, first + count)]
