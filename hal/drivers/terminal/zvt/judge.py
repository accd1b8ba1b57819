"""What a terminal's own record says of a payment: pure decisions over status information.

A charge is found by comparing the record before the payment (the witness) with the record now. Trace and receipt
numbers wrap, and may restart after an end of day, so neither proves anything alone: the record must have moved on in
number *and* time, and be of our amount and currency. Whatever is not clearly one thing or the other is unknown,
for a wrong "not charged" charges twice and a wrong "approved" gives the goods away.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from hal.api.records import CardDetails, PaymentAnswer, PaymentState
from hal.drivers.terminal.zvt.codec import Fields
from hal.drivers.terminal.zvt.currency import letters
from hal.drivers.terminal.zvt.words import FUNCTION_NOT_POSSIBLE, SCHEMES

_MAX_WITNESS_CHARS = 1024
_NOT_POSSIBLE = f"{FUNCTION_NOT_POSSIBLE:02X}"
"""Said by a terminal that has no transaction yet, and by one that cannot repeat receipts at all."""

_FORWARD = timedelta(days=183)
"""A record dated up to half a year later is later; otherwise it is earlier, for dates come without a year."""


@dataclass(frozen=True)
class Record:
    """The terminal's last transaction. `empty`: it has none. `error`: it could not say."""

    tid: str = ""
    trace: str = ""
    receipt: str = ""
    date: str = ""
    time: str = ""
    amount: int | None = None
    currency: str = ""
    result: int | None = None
    reversal: bool = False
    empty: bool = False
    error: str = ""


def record_of(fields: Fields, terminal_id: str) -> Record:
    """Status information of a repeated receipt as a record; what cannot be fully read is an error."""
    if fields.undecoded or fields.conflicting or fields.result_code is None:
        return Record(tid=terminal_id, error="undecoded")
    if fields.totals:  # the last thing the terminal did was an end of day: no payment since
        return Record(tid=terminal_id, error="end_of_day")
    return Record(
        tid=fields.terminal_id or terminal_id,
        trace=fields.trace,
        receipt=fields.receipt,
        date=fields.date,
        time=fields.time,
        amount=fields.amount_minor,
        currency=fields.currency,
        result=fields.result_code,
        reversal=bool(fields.original_trace.strip("0")),
    )


def write_witness(record: Record) -> str:
    """Small JSON, without what is absent."""
    told = {k: v for k, v in asdict(record).items() if v is not None and v is not False and v != ""}
    return json.dumps(told, separators=(",", ":"))


def read_witness(text: str) -> Record:
    """The record a witness holds; one that cannot be read is a record with an error, which settles nothing."""
    bad = Record(error="witness")
    if len(text) > _MAX_WITNESS_CHARS:
        return bad
    try:
        told = json.loads(text)
        record = Record(**told)
    except (ValueError, TypeError, RecursionError):
        return bad
    kinds = {name: type(value) for name, value in asdict(Record()).items()} | {"amount": int, "result": int}
    if any(type(value) is not kinds[name] for name, value in told.items()):
        return bad
    if any(number and not (number.isascii() and number.isdecimal()) for number in (record.trace, record.receipt)):
        return bad
    return record


def compare(before: Record, now: Record, amount_minor: int, currency: str) -> tuple[PaymentState, str]:
    """State and why. `currency` is the numeric code."""
    unknown = PaymentState.unknown
    if before.error == _NOT_POSSIBLE and not now.error and not now.empty:
        before = Record(tid=before.tid, empty=True)  # it does tell its record, so then it had none
    if before.error or now.error:
        return unknown, "unreadable_record"
    if before.tid and now.tid and before.tid != now.tid:
        return unknown, "other_terminal"
    if now.empty:
        return (PaymentState.not_charged, "empty") if before.empty else (unknown, "record_gone")
    if now == before:
        return PaymentState.not_charged, "unchanged"
    if now.reversal or now.result != 0:
        return unknown, "other_transaction"
    if now.amount != amount_minor or now.currency not in ("", currency):
        return unknown, "other_amount"
    if before.empty or advanced(before, now):
        return PaymentState.approved, "advanced"
    return unknown, "not_advanced"


def advanced(before: Record, now: Record) -> bool:
    """Whether `now` is a later transaction: another trace number (another receipt number where there is none), at a
    later time. Within the same second it must be the very next number. Both records must tell both."""
    numbers = (before.trace, now.trace) if before.trace and now.trace else (before.receipt, now.receipt)
    then, later = _moment(before), _moment(now)
    if not all(numbers) or numbers[0] == numbers[1] or then is None or later is None:
        return False
    ahead = (later - then) % timedelta(days=366)
    return ahead < _FORWARD if ahead else _is_next(*numbers)


def _is_next(before: str, now: str) -> bool:
    """Numbers count on to all nines, and from there to zero or one."""
    return int(now) == int(before) + 1 or (before.strip("9") == "" and int(now) in (0, 1))


def _moment(record: Record) -> datetime | None:
    """Date and time in a leap year, so that 29 February exists."""
    try:
        return datetime.strptime("2024" + record.date + record.time, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the terminal's own local time
    except ValueError:
        return None


def card_of(fields: Fields, amount_minor: int, currency: str) -> CardDetails:
    """Details of an approval. `amount_minor` stands in when the terminal sent no amount (BMP 04 is optional)."""
    return CardDetails(
        authorised_minor=amount_minor if fields.amount_minor is None else fields.amount_minor,
        currency=currency,
        masked_pan=fields.masked_pan,
        scheme=fields.card_name or SCHEMES.get(fields.card_type or 0, ""),
        terminal_id=fields.terminal_id,
        trace_no=fields.trace,
        receipt_no=fields.receipt,
        authorisation_code=fields.authorisation,
        terminal_time=_shown(fields),
    )


def last_card(record: Record, fields: Fields) -> CardDetails | None:
    """The terminal's last transaction as it tells it, for whoever must judge where `compare` cannot; None when it has
    none, or none that can be read."""
    if record.empty or record.error:
        return None
    return card_of(fields, 0, letters(fields.currency))


def _shown(fields: Fields) -> str:
    d, t = fields.date, fields.time
    return f"{d[:2]}-{d[2:]} {t[:2]}:{t[2:4]}:{t[4:]}" if d and t else ""


def answer(
    state: PaymentState, detail: str = "", card: CardDetails | None = None, result_seq: int = 0
) -> PaymentAnswer:
    return PaymentAnswer(state, result_seq, card, detail)
