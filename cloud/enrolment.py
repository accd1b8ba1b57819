"""Enrolment: a one-time token and a proven key become a device, an epoch and a bearer token.

The same token with the same key is answered again with the same words (the first answer may have been lost); with any
other key it is refused. The register's epochs and numbers go on, whichever device stands at it; epochs that came
before on the same register are fenced.
"""

import hashlib

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.alarms import raise_alarm
from cloud.clock import Clock
from cloud.keys import Keys, token_hash
from cloud.store import Store
from kiosk.records.identity import BadIdentity, Enrolment, EnrolmentRequest, check_proof, raw_public, unb64
from kiosk.records.journal import GENESIS
from kiosk.records.lifecycle import MAX_EPOCH

_MAX_TOKEN_CHARS = 64


class Refused(Exception):
    """No enrolment. `kind` is a stable word for the answer, `status` its HTTP code."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def enrol(store: Store, keys: Keys, clock: Clock, tenant: str, address: str, request: EnrolmentRequest) -> Enrolment:
    """Blocks on the database. `address`: where the kiosk reached us. Raises Refused, Busy."""
    if len(request.token) > _MAX_TOKEN_CHARS or not request.token.isascii() or len(request.identity_key) > 512:
        raise Refused(400, "bad_request", "the token or the identity key is too long")
    try:
        check_proof(request)
    except BadIdentity as error:
        raise Refused(403, "bad_proof", str(error)) from None
    identity = _canonical_key(request.identity_key)
    return store.run(lambda connection: _spend(connection, keys, clock(), tenant, address, identity, request))


def _spend(
    connection: sa.Connection, keys: Keys, now: int, tenant: str, address: str, identity: str, request: EnrolmentRequest
) -> Enrolment:
    row = connection.execute(
        sa.select(schema.tokens).where(schema.tokens.c.hash == token_hash(request.token)).with_for_update()
    ).one_or_none()
    if row is None:
        raise Refused(403, "unknown_token", "this token is not known here; ask for a new one")
    if row.answer is not None:
        if row.identity_key != identity:
            raise Refused(403, "token_used", "this token was used by another device; ask for a new one")
        answer = msgspec.json.decode(row.answer, type=Enrolment)
        return msgspec.structs.replace(answer, device_token=keys.device_token(answer.dev))
    if row.expires_ms <= now:
        raise Refused(403, "token_expired", "this token has expired; ask for a new one")
    return _admit(connection, keys, now, tenant, address, identity, row, request.last_ep)


def _canonical_key(spki_base64: str) -> str:
    """One spelling per key: the proof has already shown that it parses."""
    return hashlib.sha256(unb64(spki_base64)).hexdigest() + ":" + spki_base64


def identity_key(stored: str) -> str:
    """The SubjectPublicKeyInfo (base64) of a stored identity."""
    return stored.partition(":")[2]


def _admit(
    connection: sa.Connection,
    keys: Keys,
    now: int,
    tenant: str,
    address: str,
    identity: str,
    token: "sa.Row[tuple[object, ...]]",
    last_ep: int,
) -> Enrolment:
    dev = "d" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    _check_not_revoked(connection, dev)
    ep, sale_no, receipt_no = _advance_register(connection, str(token.shop), str(token.reg), dev, last_ep, now)
    _put_kiosk(connection, keys, dev, identity, token, now)
    connection.execute(
        schema.epochs.insert().values(
            dev=dev,
            ep=ep,
            shop=token.shop,
            reg=token.reg,
            state="open",
            opened_ms=now,
            hwm=0,
            hash=GENESIS,
            uninterpreted=0,
        )
    )
    answer = Enrolment(
        backend=address,
        tenant=tenant,
        shop=str(token.shop),
        shop_name=str(connection.scalar(sa.select(schema.shops.c.name).where(schema.shops.c.shop == token.shop))),
        reg=str(token.reg),
        dev=dev,
        ep=ep,
        mode=str(token.mode),
        device_token="",
        cosign_key=raw_public(keys.cosign),
        release_key=raw_public(keys.release),
        next_sale_no=sale_no + 1,
        next_receipt_no=receipt_no + 1,
        cosign_changes=keys.changes,
    )
    connection.execute(
        schema.tokens.update()
        .where(schema.tokens.c.hash == token.hash)
        .values(used_ms=now, identity_key=identity, answer=msgspec.json.encode(answer).decode())
    )
    return msgspec.structs.replace(answer, device_token=keys.device_token(dev))


def _check_not_revoked(connection: sa.Connection, dev: str) -> None:
    kiosks = schema.kiosks
    if connection.scalar(sa.select(kiosks.c.revoked_ms).where(kiosks.c.dev == dev)) is not None:
        raise Refused(403, "revoked", "this device's identity is revoked; it needs a new identity key")


def _advance_register(
    connection: sa.Connection, shop: str, reg: str, dev: str, last_ep: int, now: int
) -> tuple[int, int, int]:
    """The new epoch, and the last sale and receipt numbers known. Fences what stood at the register before."""
    table = schema.registers
    here = sa.and_(table.c.shop == shop, table.c.reg == reg)
    row = connection.execute(sa.select(table).where(here).with_for_update()).one_or_none()
    # A device that moves between registers must never get an epoch number twice.
    own = connection.scalar(sa.select(sa.func.max(schema.epochs.c.ep)).where(schema.epochs.c.dev == dev)) or 0
    own = max(own, min(last_ep, MAX_EPOCH // 2))
    if row is None:
        connection.execute(
            table.insert().values(shop=shop, reg=reg, last_ep=own + 1, last_sale_no=0, last_receipt_no=0)
        )
        sale_no, receipt_no, ep = 0, 0, own + 1
    else:
        sale_no, receipt_no, ep = row.last_sale_no, row.last_receipt_no, max(row.last_ep, own) + 1
        connection.execute(table.update().where(here).values(last_ep=ep))
    if ep > MAX_EPOCH:
        raise Refused(403, "epochs_used_up", "this device has used up its epochs; it needs a new identity key")
    _fence(connection, shop, reg, dev, now)
    return ep, sale_no, receipt_no


def _fence(connection: sa.Connection, shop: str, reg: str, dev: str, now: int) -> None:
    epochs = schema.epochs
    at_register = sa.and_(epochs.c.shop == shop, epochs.c.reg == reg)
    older = sa.and_(sa.or_(at_register, epochs.c.dev == dev), epochs.c.state != "fenced")
    for row in connection.execute(sa.select(epochs.c.dev, epochs.c.ep, epochs.c.hwm).where(older)).all():
        text = f"register {reg} was given to a new epoch; epoch {row.ep} ends at record {row.hwm}"
        raise_alarm(connection, now, row.dev, "replaced", row.ep, row.hwm, text)
    connection.execute(epochs.update().where(older).values(state="fenced"))


def _put_kiosk(
    connection: sa.Connection, keys: Keys, dev: str, identity: str, token: "sa.Row[tuple[object, ...]]", now: int
) -> None:
    values = {
        "shop": token.shop,
        "reg": token.reg,
        "mode": token.mode,
        "identity_key": identity,
        "token_hash": token_hash(keys.device_token(dev)),
        "enrolled_ms": now,
    }
    table = schema.kiosks
    if connection.execute(table.update().where(table.c.dev == dev).values(**values)).rowcount == 0:
        connection.execute(table.insert().values(dev=dev, tzo=0, **values))
