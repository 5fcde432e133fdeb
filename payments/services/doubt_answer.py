from django.db import connection

from ledger.money import Money
from payments import outbox
from payments.channels.contract import Answer
from payments.events import Event, PaymentMismatched
from payments.models import Attempt, Payment


def doubt_answer(
    *, payment: Payment, attempt: Attempt, answer: Answer, source: str, told: Money | None
) -> list[Event]:
    """This will leave an attempt UNKNOWN about which the provider told another sum than ours, for a person.

    An operation: needs an open transaction and both rows' locks; the caller stores them. It publishes the event that
    it returns itself, and only once: the same sum told again is no news, however often the provider is asked.
    """
    assert connection.in_atomic_block, "doubt_answer() is an operation"
    words = f"{answer.outcome} {told.minor} {told.currency}" if told else f"{answer.outcome} nothing"
    news = attempt.mismatch != words
    attempt.mismatch = words
    if attempt.is_open:
        attempt.doubt()
    event = PaymentMismatched(
        **payment.told(),
        told_amount=told.minor if told else 0,
        told_currency=told.currency if told else "",
        source=source,
    )
    if news:
        outbox.publish(event)
    return [event]
