"""Who is calling: bearer tokens of devices, revocation, last contact."""

import hmac
from dataclasses import dataclass
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.clock import Clock
from cloud.keys import token_hash
from cloud.store import Store

_CONTACT_STEP_MS = 5_000


class Unauthorised(Exception):
    """No such device, or not its token: the caller is not told which."""


class Revoked(Exception):
    """The device was taken out of service; its past records stay valid."""


@dataclass(frozen=True)
class Device:
    dev: str
    shop: str
    reg: str
    identity_key: str
    contact_ms: int | None
    revoked: bool = False


def by_name(store: Store, dev: str) -> Device:
    """A device that has yet to show who it is, maybe a revoked one. Blocks on the database.

    Raises Unauthorised, Busy."""
    table = schema.kiosks
    with store.read() as connection:
        row = connection.execute(sa.select(table).where(table.c.dev == dev)).one_or_none()
    if row is None:
        raise Unauthorised("no device of this name")
    return Device(row.dev, row.shop, row.reg, row.identity_key, row.contact_ms, row.revoked_ms is not None)


def authenticate(store: Store, dev: str, authorisation: str | None) -> Device:
    """Blocks on the database. Raises Unauthorised, Revoked, Busy."""
    scheme, _, token = (authorisation or "").partition(" ")
    table = schema.kiosks
    with store.read() as connection:
        row = connection.execute(sa.select(table).where(table.c.dev == dev)).one_or_none()
    expected = row.token_hash if row is not None else token_hash("")
    if not hmac.compare_digest(token_hash(token), expected) or row is None or scheme.lower() != "bearer":
        raise Unauthorised("no device with this token")
    if row.revoked_ms is not None:
        raise Revoked("this device is revoked")
    return Device(row.dev, row.shop, row.reg, row.identity_key, row.contact_ms)


def authenticate_any(store: Store, shop: str, authorisation: str | None) -> Device:
    """A device by its token alone, which must be of `shop`. Raises as `authenticate`."""
    scheme, _, token = (authorisation or "").partition(" ")
    table = schema.kiosks
    with store.read() as connection:
        row = connection.execute(sa.select(table).where(table.c.token_hash == token_hash(token))).one_or_none()
    if row is None or row.shop != shop or scheme.lower() != "bearer":
        raise Unauthorised("no device of this shop with this token")
    if row.revoked_ms is not None:
        raise Revoked("this device is revoked")
    return Device(row.dev, row.shop, row.reg, row.identity_key, row.contact_ms)


def seen(store: Store, clock: Clock, device: Device) -> None:
    """Note the contact, at most every few seconds. Blocks on the database."""
    now = clock()
    if device.contact_ms is None or now - device.contact_ms >= _CONTACT_STEP_MS:
        table = schema.kiosks
        with store.write(lasting=False) as connection:
            connection.execute(table.update().where(table.c.dev == device.dev).values(contact_ms=now))


Figure = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class DeviceStatus(msgspec.Struct, frozen=True):
    """Words of the lane's hardware daemon."""

    name: str = ""
    condition: str = ""
    reason: str = ""
    warnings: Annotated[list[str], msgspec.Meta(max_length=16)] = []


class Status(msgspec.Struct, frozen=True):
    """What a kiosk tells of itself, for the operator's eyes only. All of it is hostile text.

    `received_ms`: when it came, set here; 0: nothing was told yet. `journal`: why the lane takes no records, empty
    while it does. `backlog_s`: since the oldest record that is not here yet was made. See `kassa.lane.Lane`.
    """

    software: str = ""
    screen: str = ""
    open_sale: bool = False
    catalogue: str = ""
    products: Figure = 0
    backlog: Figure = 0
    backlog_s: Figure = 0
    halt: str = ""
    hal: bool = True
    devices: Annotated[list[DeviceStatus], msgspec.Meta(max_length=32)] = []
    journal: str = ""
    disk_free_bytes: Figure | None = None
    clock: str = ""
    received_ms: int = 0


def read_status(text: str | None) -> Status:
    """As it was stored; one of another version's form is as good as none."""
    try:
        return msgspec.json.decode(text, type=Status) if text else Status()
    except msgspec.MsgspecError:
        return Status()


def put_status(store: Store, clock: Clock, device: Device, status: Status) -> None:
    """Blocks on the database. Raises Busy."""
    table = schema.kiosks
    now = clock()
    text = msgspec.json.encode(msgspec.structs.replace(status, received_ms=now)).decode().replace("\\u0000", "\\ufffd")
    with store.write(lasting=False) as connection:
        connection.execute(table.update().where(table.c.dev == device.dev).values(status=text, contact_ms=now))


def revoke(store: Store, clock: Clock, dev: str) -> bool:
    """False if there is no such device. Blocks on the database."""
    table = schema.kiosks
    with store.write() as connection:
        return connection.execute(table.update().where(table.c.dev == dev).values(revoked_ms=clock())).rowcount == 1
