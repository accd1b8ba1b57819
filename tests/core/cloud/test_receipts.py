"""The digital receipt: the issued document, for whoever was given the sale's id."""

import json
from typing import Any

from cloud import schema
from tests.core.cloud.lane import Backend, Device

SALE_ID = "5f0c2a9e7d1b4c38a6e0f1b2c3d4e5f6"
HOSTILE = "<script>alert(1)</script>"


def document(*blocks: dict[str, Any], sale_id: str = SALE_ID) -> str:
    head = {"language": "da", "receipt_series": "A", "receipt_no": 7, "sale_id": sale_id}
    return json.dumps({**head, "blocks": list(blocks)})


def issue(backend: Backend, text: object) -> Device:
    device = backend.device()
    device.append("receipt.issued", {"event": {"type": "receipt.issued", "document": text}})
    assert backend.upload(device, device.segment(1, 1)).status == 200
    return device


def test_it_is_shown_as_it_was_issued(backend: Backend) -> None:
    issue(
        backend,
        document(
            {"type": "heading", "text": "Havnens Købmand"},
            {"type": "item", "name": HOSTILE, "amount": "24,95", "detail": "2 × 12,50", "mark": "", "level": 0},
            {"type": "total", "label": "I alt", "amount": "24,95 kr."},
            {"type": "from a later version", "text": "?"},
        ),
    )
    answer = backend.call("GET", f"/r/{SALE_ID}")
    body = answer.body.decode()
    assert answer.status == 200
    assert '<html lang="da">' in body
    assert "Havnens Købmand" in body
    assert "24,95 kr." in body
    assert HOSTILE not in body


def test_one_that_has_not_come_in_is_on_its_way(backend: Backend) -> None:
    for path in (f"/r/{SALE_ID}", "/r/..%2f..%2fetc", "/r/x"):
        answer = backend.call("GET", path)
        assert answer.status == 404
    assert "on its way" in backend.call("GET", f"/r/{SALE_ID}").body.decode()


def test_one_that_cannot_be_read_is_counted_and_blocks_nothing(backend: Backend) -> None:
    device = issue(backend, 7)
    device.append("receipt.issued", {"event": {"type": "receipt.issued", "document": "{"}})
    device.append("receipt.issued", {"event": {"type": "receipt.issued", "document": document()}})
    assert backend.upload(device, device.segment(2, 3)).ack.hwm == 3
    assert backend.call("GET", f"/r/{SALE_ID}").status == 200


def test_one_whose_sale_has_no_likely_id_blocks_nothing(backend: Backend) -> None:
    """An index on PostgreSQL takes no entry of more than 2.7 kB."""
    letters = "".join(chr(0x4E00 + n * 7 % 20_000) for n in range(9_000))  # nothing that compresses
    device = issue(backend, document(sale_id=letters))
    assert backend.held(device) == device.records
    [epoch] = backend.rows(schema.epochs)
    assert epoch["uninterpreted"] == 1
