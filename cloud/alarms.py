"""What an operator must know of a kiosk. The same thing told again counts up instead of filling the table."""

import sqlalchemy as sa

from cloud.schema import alarms


def raise_alarm(connection: sa.Connection, now_ms: int, dev: str, kind: str, ep: int, seq: int, text: str) -> None:
    text = text.replace("\x00", "\ufffd")[:500]  # it may hold a lane's own words; PostgreSQL takes no NUL
    here = sa.and_(alarms.c.dev == dev, alarms.c.kind == kind, alarms.c.ep == ep, alarms.c.seq == seq)
    again = alarms.update().where(here).values(last_ms=now_ms, count=alarms.c.count + 1, text=text)
    if connection.execute(again).rowcount == 0:
        connection.execute(
            alarms.insert().values(
                dev=dev, kind=kind, ep=ep, seq=seq, text=text, first_ms=now_ms, last_ms=now_ms, count=1
            )
        )
