"""Epochs that a lane began by itself, because it found that its journal had been put back, cut, lost or copied.

| the first segment of an unknown epoch                         | answer                                      |
|----------------------------------------------------------------|---------------------------------------------|
| of the device that stands at the register, naming its epoch    | opened, the one before fenced, alarm        |
| of a device that was replaced at the register                  | 410 stale_epoch                             |
| naming an epoch before the one that is open                    | 410 stale_epoch: a second copy, alarm cloned |
| without a record that begins an epoch                          | 404 unknown_epoch                           |
"""

import sqlalchemy as sa

from cloud import schema
from cloud.alarms import raise_alarm
from cloud.devices import Device
from kiosk.records.gap import BadGap, GapNotice, read_gap
from kiosk.records.journal import GENESIS, BadRecord, Record, decode
from kiosk.records.lifecycle import MAX_EPOCH, EpochBegun, Place, read_epoch
from kiosk.records.segment import SignedSegment


class NotAdmitted(Exception):
    """`kind`: the answer's stable word."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def begun(ep: int, segment: SignedSegment) -> EpochBegun | None:
    """What the first record of the segment says, if it begins a provisional epoch with this number."""
    if not 0 < ep <= MAX_EPOCH:
        return None
    if segment.header.gap is not None:
        return _damaged(ep, segment.header.gap)
    if segment.header.first_seq != 1 or segment.header.prev != GENESIS:
        return None
    return _read(segment.records[0])


def _damaged(ep: int, notice: GapNotice) -> EpochBegun | None:
    """The record that began the epoch is damaged on the lane. The gap record, verified before anything is admitted,
    stands in for it."""
    record = _decoded(notice.record.encode("utf-8", "surrogatepass"))
    try:
        gap = None if record is None else read_gap(record)
    except BadGap:
        return None
    if gap is None or (gap.ep, gap.first, gap.before) != (ep, 1, GENESIS):
        return None
    return EpochBegun(provisional=True, reason="first_damaged", previous=Place(), file=Place())


def _read(data: bytes) -> EpochBegun | None:
    record = _decoded(data)
    return None if record is None else read_epoch(record)


def _decoded(data: bytes) -> Record | None:
    try:
        return decode(data)
    except BadRecord:
        return None


def admit(connection: sa.Connection, now_ms: int, device: Device, ep: int, told: EpochBegun) -> None:
    """Open the epoch and fence the one before. Raises NotAdmitted; alarms are raised either way."""
    table = schema.epochs
    of_device = connection.execute(sa.select(table).where(table.c.dev == device.dev)).all()
    present = [row for row in of_device if row.state == "open" and (row.shop, row.reg) == (device.shop, device.reg)]
    if not present:
        raise NotAdmitted("stale_epoch", f"the device stands at register {device.reg} no more; enrol it again")
    newest = max(row.ep for row in present)
    if ep <= max(row.ep for row in of_device) or (told.previous.ep < newest and told.previous.ep):
        text = f"a second copy of the device began epoch {ep} after {told.previous.ep}; epoch {newest} is in use"
        raise_alarm(connection, now_ms, device.dev, "cloned", ep, 1, text)
        raise NotAdmitted("stale_epoch", f"epoch {newest} of this device is in use: this is another copy of it")
    for row in present:
        text = f"{_WHY.get(told.reason, told.reason)}: epoch {ep} goes on for epoch {row.ep}, held up to {row.hwm}"
        raise_alarm(connection, now_ms, device.dev, "restored", row.ep, row.hwm, text)
    fenced = sa.and_(table.c.dev == device.dev, table.c.state == "open")
    connection.execute(table.update().where(fenced).values(state="fenced"))
    connection.execute(
        table.insert().values(
            dev=device.dev,
            ep=ep,
            shop=device.shop,
            reg=device.reg,
            state="open",
            opened_ms=now_ms,
            hwm=0,
            hash=GENESIS,
            uninterpreted=0,
        )
    )
    registers = schema.registers
    known = min(ep, MAX_EPOCH // 2)  # a number from the lane: the register's next device must still get one
    here = sa.and_(registers.c.shop == device.shop, registers.c.reg == device.reg, registers.c.last_ep < known)
    connection.execute(registers.update().where(here).values(last_ep=known))


_WHY = {
    "cut_tail": "the end of its journal is missing",
    "rewritten": "its journal was put back or rewritten",
    "missing": "its journal file was lost",
    "file": "its journal file is damaged",
    "key": "its journal key was lost",
    "fork": "its journal was restored or copied",
}


def second_copy(connection: sa.Connection, dev: str, ep: int, last_seq: int) -> bool:
    """Whether records of a fenced epoch come from another copy of the device: the one that went on in a provisional
    epoch has said where its own file of the fenced epoch ended."""
    epochs, records = schema.epochs, schema.records
    newest = connection.scalar(sa.select(sa.func.max(epochs.c.ep)).where(epochs.c.dev == dev))
    first = sa.and_(records.c.dev == dev, records.c.ep == newest, records.c.seq == 1)
    data = connection.scalar(sa.select(records.c.data).where(first))
    told = None if data is None else _read(bytes(data))
    if told is None or newest == ep:
        return False
    return last_seq > (told.file.seq if told.file.ep == ep else 0)
