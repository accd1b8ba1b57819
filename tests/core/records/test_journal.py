"""One record: its bytes, its place, its signature; and the certificates and counter-signatures over chains."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.records import identity
from kiosk.records.canonical import NotCanonical, canonical, parse
from kiosk.records.journal import (
    GENESIS,
    MAX_RECORD_BYTES,
    Actor,
    BadRecord,
    Head,
    Header,
    check_signature,
    decode,
    encode,
    follow,
    leaf_hash,
    sign,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
IDENTITY = ec.derive_private_key(7, ec.SECP256R1())
HEADER = Header(
    v=1,
    dev="dev-1",
    ep=1,
    inc="inc",
    seq=1,
    typ="sale.opened",
    txn="t",
    boot="b",
    mono_us=1,
    wall_ms=2,
    tzo=-60,
    clk="synced",
    tenant="t",
    shop="s",
    reg="r",
    mode="live",
    actor=Actor("customer"),
    bday="2026-11-21",
    sw="0",
    schema=1,
    prev=GENESIS,
)
START = Head("dev-1", 1, 0, GENESIS)


def _with(change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = parse(encode(HEADER, {"a": 1}))
    change(fields)
    return canonical(fields)


def test_a_record_comes_back_as_it_went_in() -> None:
    data = encode(HEADER, {"b": ["x", None, True], "a": -1})
    record, head = follow(START, data)
    assert record.body == {"b": ["x", None, True], "a": -1}
    assert msgspec.convert(msgspec.to_builtins(record), Header) == HEADER
    assert head == Head("dev-1", 1, 1, leaf_hash(data))
    assert canonical(parse(data)) == data


def test_a_leaf_is_hashed_as_in_rfc_6962() -> None:
    """The leaf of an empty entry, from RFC 6962's own reference tree."""
    assert leaf_hash(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "foreign": (lambda f: f.update(dev="dev-2"), "of device 'dev-2', expected 'dev-1'"),
    "epoch": (lambda f: f.update(ep=2), "of epoch 2, expected 1"),
    "gap": (lambda f: f.update(seq=2), "has number 2, expected 1"),
    "broken_chain": (lambda f: f.update(prev="1" * 64), "does not follow the hash of record 0"),
    "bad_field": (lambda f: f.update(seq="1"), "seq"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_record_that_does_not_follow_is_named(kind: str) -> None:
    change, message = WRONG[kind]
    with pytest.raises(BadRecord, match=message) as caught:
        follow(START, _with(change))
    assert caught.value.kind == kind


def test_unknown_fields_are_in_the_bytes_that_count() -> None:
    newer = _with(lambda fields: fields.update(seal={"n": 1}))
    record, head = follow(START, newer)
    assert record.seq == 1
    assert head.hash != leaf_hash(_with(lambda fields: None))


def test_bytes_that_are_not_canonical_are_no_record() -> None:
    with pytest.raises(BadRecord) as caught:
        decode(encode(HEADER, {}) + b"\n")
    assert caught.value.kind == "not_canonical"


def test_a_record_is_bounded_both_ways() -> None:
    with pytest.raises(BadRecord, match="at most 1048576 are allowed"):
        encode(HEADER, {"a": "x" * MAX_RECORD_BYTES})
    with pytest.raises(BadRecord, match="at most 1048576 are allowed"):
        decode(b" " * (MAX_RECORD_BYTES + 1))


@pytest.mark.parametrize("body", [{"a": 0.5}, {"a": 2**53}, {"a": {"ø": 1}}, {"a": "\udfff"}])
def test_a_body_outside_the_form_is_refused(body: object) -> None:
    with pytest.raises(NotCanonical):
        encode(HEADER, body)


def test_a_signature_holds_for_its_hash_and_key_alone() -> None:
    leaf = leaf_hash(b"x")
    signature = sign(KEY, leaf)
    check_signature(KEY.public_key(), leaf, signature)
    other = Ed25519PrivateKey.from_private_bytes(b"\2" * 32).public_key()
    for key, digest, signed in (
        (other, leaf, signature),
        (KEY.public_key(), leaf_hash(b"y"), signature),
        (KEY.public_key(), leaf, signature[:-1]),
        (KEY.public_key(), leaf, KEY.sign(bytes.fromhex(leaf))),
    ):
        with pytest.raises(BadRecord) as caught:
            check_signature(key, digest, signed)
        assert caught.value.kind == "bad_signature"


def test_a_certificate_holds_for_its_device_epoch_and_key_alone() -> None:
    certificate = identity.certify(IDENTITY, "dev-1", 1, KEY)
    spki = identity.identity_public(IDENTITY)
    assert identity.raw_public(KEY) == identity.b64(identity.check_certificate(certificate, spki).public_bytes_raw())
    for change in ({"dev": "dev-2"}, {"ep": 2}, {"key": identity.b64(b"\3" * 32)}, {"signature": ""}):
        with pytest.raises(identity.BadIdentity):
            identity.check_certificate(msgspec.structs.replace(certificate, **change), spki)
    stranger = identity.identity_public(ec.derive_private_key(9, ec.SECP256R1()))
    with pytest.raises(identity.BadIdentity, match="not signed by the identity key"):
        identity.check_certificate(certificate, stranger)
    foreign_curve = identity.identity_public(ec.derive_private_key(9, ec.SECP384R1()))
    with pytest.raises(identity.BadIdentity, match="P-256"):
        identity.check_certificate(certificate, foreign_curve)


def test_a_counter_signature_holds_for_its_head_alone() -> None:
    head = Head("dev-1", 1, 5, "ab" * 32)
    ack = identity.acknowledge(KEY, head)
    assert identity.check_acknowledgement(KEY.public_key(), "dev-1", 1, ack) == head
    for dev, ep, changed in (
        ("dev-2", 1, ack),
        ("dev-1", 2, ack),
        ("dev-1", 1, msgspec.structs.replace(ack, hwm=6)),
        ("dev-1", 1, msgspec.structs.replace(ack, hash="cd" * 32)),
        ("dev-1", 1, msgspec.structs.replace(ack, cosig="*")),
    ):
        with pytest.raises(identity.BadIdentity):
            identity.check_acknowledgement(KEY.public_key(), dev, ep, changed)
