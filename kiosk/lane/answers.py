"""What the hardware daemon says of payments, as events of the core: its words and figures, and nothing guessed."""

from hal.api import records as hal
from kiosk.core import events as on
from kiosk.records.sale import CardReferences


def result(seq: int, result: hal.PaymentResult) -> on.Any:
    match result.outcome:
        case hal.Outcome.approved if result.card is not None:
            card = result.card
            return on.PaymentApproved(result.payment_id, seq, card.authorised_minor, card.currency, references(card))
        case hal.Outcome.approved:
            return on.PaymentLost(result.payment_id, sent=True, reason="approved_without_details")
        case hal.Outcome.declined:
            return on.PaymentDeclined(result.payment_id, seq, "declined", result.reason, result.code)
        case hal.Outcome.cancelled:
            return on.PaymentDeclined(result.payment_id, seq, "cancelled", result.reason, result.code)


def queried(tender_id: str, answer: hal.PaymentAnswer, wall_ms: int) -> on.PaymentQueried:
    card = answer.card
    return on.PaymentQueried(
        tender_id,
        answer.state.value,
        answer.result_seq,
        card.authorised_minor if card is not None else 0,
        card.currency if card is not None else "",
        references(card) if card is not None else None,
        answer.detail,
        wall_ms,
    )


def references(card: hal.CardDetails) -> CardReferences:
    return CardReferences(
        masked_pan=card.masked_pan,
        scheme=card.scheme,
        terminal_id=card.terminal_id,
        trace_no=card.trace_no,
        receipt_no=card.receipt_no,
        authorisation_code=card.authorisation_code,
        terminal_time=card.terminal_time,
    )
