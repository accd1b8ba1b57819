"""Gap records of lanes: the one jump in a chain that is accepted, and what is kept of it."""

import msgspec
import sqlalchemy as sa

from cloud import schema
from cloud.alarms import raise_alarm
from cloud.devices import Device
from kiosk.records.gap import GAP, BadGap, Gap, GapNotice, check_notice, read_gap, rows_digest
from kiosk.records.identity import BadIdentity, unb64
from kiosk.records.journal import BadRecord, decode, leaf_hash
from kiosk.records.segment import SignedSegment

_MARK = b'"typ":"' + GAP.encode() + b'"'


def checked(device: Device, identity: str, ep: int, segment: SignedSegment) -> Gap | None:
    """The gap that the segment follows, verified by itself. Raises BadGap."""
    notice = segment.header.gap
    if notice is None:
        return None
    gap = check_notice(notice, device.dev, identity)
    if (gap.ep, gap.last + 1, gap.after_prev) != (ep, segment.header.first_seq, segment.header.prev):
        raise BadGap(
            f"the gap record is of epoch {gap.ep}, records {gap.first} to {gap.last}; "
            f"the segment goes on at epoch {ep}, record {segment.header.first_seq}"
        )
    if notice.damaged:
        try:
            rows = [(row.seq, unb64(row.data), unb64(row.signature)) for row in notice.damaged]
        except BadIdentity:
            raise BadGap("the damaged rows that came along are no base64") from None
        if any(not gap.first <= row[0] <= gap.last for row in rows) or rows_digest(rows) != gap.sha256:
            raise BadGap("the damaged rows that came along are not those of the gap record")
    return gap


def contradiction(gap: Gap, held: dict[int, str], hwm: int) -> bool:
    """Whether what is held here is another history than the one around the gap. `held`: hashes of what is held, and
    of record 0."""
    if held.get(gap.first - 1) != gap.before:
        return True
    # A lane that knows nothing of the record at the end of the gap says the hash before the gap.
    return gap.last <= hwm and held.get(gap.last) not in (None, gap.after_prev) and gap.after_prev != gap.before


def keep(connection: sa.Connection, now_ms: int, dev: str, gap: Gap, notice: GapNotice, hwm: int) -> None:
    """Once for each gap: its record, the damaged rows in quarantine, an alarm."""
    table = schema.gaps
    place = {"dev": dev, "ep": gap.ep, "first_seq": gap.first, "last_seq": gap.last}
    known = sa.select(table.c.first_seq).where(*(table.c[name] == value for name, value in place.items()))
    if connection.scalar(known) is not None:
        return
    text = msgspec.json.encode(msgspec.structs.replace(notice, damaged=())).decode()
    connection.execute(table.insert().values(**place, after_prev=gap.after_prev, notice=text))
    quarantine = schema.quarantine
    for row in notice.damaged:
        data = unb64(row.data)
        values = {"dev": dev, "ep": gap.ep, "seq": row.seq, "hash": leaf_hash(data)}
        there = sa.select(quarantine.c.seq).where(*(quarantine.c[name] == value for name, value in values.items()))
        if connection.scalar(there) is None:
            connection.execute(
                quarantine.insert().values(
                    **values, reason="gap", received_ms=now_ms, signature=unb64(row.signature), data=data
                )
            )
    _alarm(connection, now_ms, dev, gap, hwm)


def _alarm(connection: sa.Connection, now_ms: int, dev: str, gap: Gap, hwm: int) -> None:
    lost = max(gap.last - max(gap.first - 1, hwm), 0)
    held = "all of them are held here" if lost == 0 else f"{lost} of them are not held here"
    text = f"records {gap.first} to {gap.last} of epoch {gap.ep} are damaged on the lane ({gap.why}); {held}"
    raise_alarm(connection, now_ms, dev, "gap", gap.ep, gap.first, text[:500])


def tell(connection: sa.Connection, now_ms: int, dev: str, records: list[bytes]) -> None:
    """A gap record that arrives in its own place: an alarm, if none was raised yet for a jump over it."""
    for data in records:
        if _MARK not in data:
            continue
        try:
            gap = read_gap(decode(data))
        except (BadRecord, BadGap):
            continue
        table, epochs = schema.gaps, schema.epochs
        here = sa.and_(table.c.dev == dev, table.c.ep == gap.ep, table.c.first_seq == gap.first)
        if connection.scalar(sa.select(table.c.last_seq).where(here)) is None:
            of = sa.and_(epochs.c.dev == dev, epochs.c.ep == gap.ep)
            _alarm(connection, now_ms, dev, gap, connection.scalar(sa.select(epochs.c.hwm).where(of)) or 0)


def ends(connection: sa.Connection, dev: str, ep: int) -> dict[int, str]:
    """What stands in for the hash of the last record of each gap."""
    table = schema.gaps
    rows = connection.execute(
        sa.select(table.c.last_seq, table.c.after_prev).where(table.c.dev == dev, table.c.ep == ep)
    )
    return {row.last_seq: row.after_prev for row in rows}
