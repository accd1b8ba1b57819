"""Realistic backlogs: signed segments of a recorded sale, sold again and again by as many kiosks as are wanted.

A record is made by putting the figures into the canonical bytes of a recorded one, not by encoding it: making a
thousand kiosks' day would else take longer than uploading it.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from kiosk.records.canonical import canonical
from kiosk.records.segment import SignedSegment
from tests.core.cloud.lane import WALL_MS, Device

RECORDED = Path(__file__).parents[1] / "recordings" / "journal" / "sale.ndjson"
"""The records of one sale of three products as a lane journaled them: `typ` and `body`, one per line."""

_NUMBERS = {"ep": 911_000_000_001, "seq": 911_000_000_002, "wall": 911_000_000_003}


def _templates() -> tuple[list[list[bytes]], list[list[str]]]:
    """Per record of the sale: the bytes between the figures, and which figure stands after each."""
    bodies = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    sale = next(body["body"]["sale"] for body in bodies if body["typ"] == "sale.closed")
    pieces, names = [], []
    for recorded in bodies:
        found = canonical(
            {
                "v": 1, "dev": "@dev@", "ep": _NUMBERS["ep"], "inc": "b0ca0e7045729462", "seq": _NUMBERS["seq"],
                "typ": recorded["typ"], "txn": "@txn@", "boot": "1139b07d-b6ce-472d-aae8-648fb1fb5143",
                "mono_us": 2_717_288_677, "wall_ms": _NUMBERS["wall"], "tzo": 60, "clk": "synced",
                "tenant": "@tenant@", "shop": "@shop@", "reg": "@reg@", "mode": "live",
                "actor": {"kind": "customer", "id": ""}, "bday": "2026-11-21", "sw": "kassa 0.1.0", "schema": 1,
                "prev": "@prev@", "body": recorded["body"],
            }
        )  # fmt: skip
        found = found.replace(sale["sale_id"].encode(), b"@sale@")
        for key in (b'"receipt_no":', b'"sale_no":'):
            found = found.replace(key + b"1,", key + b"@number@,").replace(key + b"1}", key + b"@number@}")
        for name, number in _NUMBERS.items():
            found = found.replace(str(number).encode(), b"@%s@" % name.encode())
        parts = found.split(b"@")
        pieces.append(parts[0::2])
        names.append([name.decode() for name in parts[1::2]])
    return pieces, names


class Backlog:
    """What one kiosk has to send. Only the segment that is asked for is held in memory."""

    def __init__(self, device: Device) -> None:
        me = device.enrolment
        self._device = device
        self._fixed = {
            "dev": me.dev.encode(), "ep": b"%d" % me.ep, "reg": me.reg.encode(), "shop": me.shop.encode(),
            "tenant": me.tenant.encode(),
        }  # fmt: skip
        self._records = self._endless()
        self._seq, self._prev = 0, "0" * 64

    def segment(self, count: int) -> SignedSegment:
        """The next `count` records, signed."""
        first, prev = self._seq + 1, self._prev
        records = [next(self._records) for _ in range(count)]
        header = self._device.head(first, prev, self._prev)
        return SignedSegment(header, records)

    def _endless(self) -> Iterator[bytes]:
        pieces, names = _templates()
        number = 0
        while True:
            number += 1
            sale = hashlib.sha256(b"%s %d" % (self._fixed["dev"], number)).hexdigest()[:32].encode()
            figures = self._fixed | {"sale": sale, "number": b"%d" % number}
            for between, wanted in zip(pieces, names, strict=True):
                self._seq += 1
                figures["seq"] = b"%d" % self._seq
                figures["txn"] = b"%032x" % self._seq
                figures["prev"] = self._prev.encode()
                figures["wall"] = b"%d" % (WALL_MS + self._seq * 1000)
                data = b"".join(
                    part for pair in zip(between, [*(figures[name] for name in wanted), b""], strict=True)
                    for part in pair
                )  # fmt: skip
                self._prev = hashlib.sha256(b"\x00" + data).hexdigest()
                yield data
