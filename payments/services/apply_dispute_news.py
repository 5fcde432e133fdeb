from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from ledger.audit import record
from ledger.money import Money
from ledger.services.post import Entry, post
from payments import outbox
from payments.channels.contract import DisputeNews, DisputeNewsState
from payments.events import (
    DisputeClosed,
    DisputeEvent,
    DisputeOpened,
    DisputeUpdated,
    Event,
    PaymentMismatched,
)
from payments.evidence import category_of
from payments.models import Attempt, Dispute, Payment
from payments.services.note_fraud import note_fraud
from payments.services.queue_refund import queue_refund
from payments.states import LOST_DISPUTE, OPEN_DISPUTE, DisputeMovementKind, DisputeState

_RANK = {
    DisputeNewsState.WARNING: 0,
    DisputeNewsState.NEEDS_RESPONSE: 1,
    DisputeNewsState.UNDER_REVIEW: 2,
    DisputeNewsState.WON: 3,
    DisputeNewsState.LOST: 3,
}
_STEPS = {
    (DisputeState.WARNING, DisputeState.NEEDS_RESPONSE),
    (DisputeState.WARNING, DisputeState.UNDER_REVIEW),
    (DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW),
    (DisputeState.NEEDS_RESPONSE, DisputeState.ACCEPTED),
    (DisputeState.NEEDS_RESPONSE, DisputeState.EXPIRED),
    (DisputeState.UNDER_REVIEW, DisputeState.WON),
    (DisputeState.UNDER_REVIEW, DisputeState.LOST),
}
_MOVES: dict[DisputeState, Callable[[Dispute], None]] = {
    DisputeState.NEEDS_RESPONSE: Dispute.need_response,
    DisputeState.UNDER_REVIEW: Dispute.review,
    DisputeState.WON: Dispute.win,
    DisputeState.LOST: Dispute.lose,
    DisputeState.ACCEPTED: Dispute.accept,
    DisputeState.EXPIRED: Dispute.expire,
}
# kind of posting → (debit, credit); {} is the channel
_ACCOUNTS = {
    "withdrawn": ("disputed:{}", "receivable:{}"),
    "fee": ("dispute_fees", "receivable:{}"),
    "won": ("receivable:{}", "disputed:{}"),
    "lost": ("dispute_losses", "disputed:{}"),
}


def apply_dispute_news(
    *, attempt: Attempt, news: DisputeNews, heard_at: datetime, asked: bool = False
) -> list[Event]:
    """This will open or move the dispute to what the provider says, and post what it took, gave back and charged.

    An operation: needs an open transaction; locks payment, then dispute. News in any order, however often, ends in
    the same state and the same books: of every fact the one of the higher rank counts, then the newer. `heard_at`
    dates news that say no time themselves, and answers to what we `asked`, which are as new as the question. News of
    another currency, or of more than was asked for, are published
    as `PaymentMismatched` and not applied. Returns what it published.
    """
    assert connection.in_atomic_block, "apply_dispute_news() is an operation"
    payment, attempt = _locked(attempt)
    if not _fits(payment, news):
        return _published([_mismatched(payment, news)])
    row = Dispute.objects.locked().filter(channel=attempt.channel, channel_reference=news.reference).first()
    at = (news.happened_at or heard_at).astimezone(UTC)
    if asked:
        at = max(at, heard_at.astimezone(UTC))
    opened = row is None
    row = row or _opened(payment, attempt, news, at)
    row.payment = payment
    before = _told(row)
    _hear(row, news, at)
    _move(row)
    _book(payment, row, news)
    _date(row, news, at)
    row.watch()
    row.store()
    payment.store()
    note_fraud(dispute=row, at=at)
    events = _published(_events(row, opened, before))
    if payment.surplus and payment.refundable:
        _send_back(payment, row)
    return events


def _locked(attempt: Attempt) -> tuple[Payment, Attempt]:
    """The payment that the attempt belongs to by now: it may have moved beside another."""
    payment = Payment.objects.locked().get(pk=attempt.payment_id)
    row = Attempt.objects.get(pk=attempt.pk)
    return (payment, row) if row.payment_id == payment.pk else _locked(row)


def _fits(payment: Payment, news: DisputeNews) -> bool:
    told = [money for money in (news.amount, news.withdrawn, news.fee) if money]
    taken = [money.minor for money in (news.amount, news.withdrawn) if money]
    return (
        all(money.currency == payment.currency and money.minor >= 0 for money in told)
        and news.amount.minor > 0
        and max(taken) <= payment.amount
    )


def _mismatched(payment: Payment, news: DisputeNews) -> Event:
    told = max((money for money in (news.amount, news.withdrawn) if money), key=lambda money: money.minor)
    return PaymentMismatched(
        **payment.told(), told_amount=told.minor, told_currency=told.currency, source="dispute"
    )


def _opened(payment: Payment, attempt: Attempt, news: DisputeNews, at: datetime) -> Dispute:
    """The provider may tell of its end first: it is opened as what it is said to be."""
    state = DisputeState(news.state.value.upper())
    if state in LOST_DISPUTE and _nobody_answered(news.submitted, news.due_by, at):
        state = DisputeState.EXPIRED
    return Dispute.objects.create(
        payment=payment,
        attempt=attempt,
        channel=attempt.channel,
        channel_reference=news.reference,
        state=state,
        currency=payment.currency,
        amount=news.amount.minor,
        reason=news.reason[:60],
        category=category_of(news.reason),
        next_check_at=at,
    )


def _hear(row: Dispute, news: DisputeNews, at: datetime) -> None:
    facts: dict[str, Any] = {
        "state": news.state.value,
        "amount": news.amount.minor,
        "reason": news.reason[:60],
        "submitted": news.submitted,
        "due_by": news.due_by and news.due_by.astimezone(UTC).isoformat(),
        "withdrawn": news.withdrawn and news.withdrawn.minor,
        "fee": news.fee and news.fee.minor,
    }
    won = news.state == DisputeNewsState.WON
    moment = at.isoformat(timespec="microseconds")
    for name, value in facts.items():
        if value is None:
            continue
        # Of two that were told in the same second: money is taken after the opening and given back after the end.
        tie = -value if won and name in ("withdrawn", "fee") else value
        newer = [_RANK[news.state], moment, tie, value]
        row.known[name] = max(row.known.get(name, newer), newer)
    row.known["peak"] = max(row.known.get("peak", 0), facts["withdrawn"] or 0)
    row.amount, row.reason = _known(row, "amount"), _known(row, "reason")
    row.category = category_of(row.reason)
    due_by = _known(row, "due_by")
    row.due_by = datetime.fromisoformat(due_by) if due_by else None
    # Not for good: an inquiry that was answered may become a dispute that asks again.
    if not _known(row, "submitted"):
        row.submitted_at = None
    elif row.submitted_at is None:
        row.submitted_at = datetime.fromisoformat(row.known["submitted"][1])


def _known(row: Dispute, name: str) -> Any:
    return row.known[name][3] if name in row.known else None


def _move(row: Dispute) -> None:
    before, after = DisputeState(row.state), _target(row)
    if before != after:
        _MOVES[after](row)
        if (before, after) not in _STEPS:
            record(
                action="dispute.jumped",
                object_id=row.public_id,
                before=before,
                after=after,
                reason="the provider says so",
            )
    if after not in OPEN_DISPUTE:
        row.close_at(datetime.fromisoformat(row.known["state"][1]))


def _target(row: Dispute) -> DisputeState:
    told = DisputeState(_known(row, "state").upper())
    if told != DisputeState.LOST:
        return told
    ours = set(row.movements.counting().values_list("kind", flat=True))
    if DisputeMovementKind.ACCEPT in ours:
        return DisputeState.ACCEPTED
    answered = _known(row, "submitted") or DisputeMovementKind.SUBMIT in ours
    ended_at = datetime.fromisoformat(row.known["state"][1])
    return DisputeState.EXPIRED if _nobody_answered(answered, row.due_by, ended_at) else DisputeState.LOST


def _nobody_answered(answered: bool, due_by: datetime | None, ended_at: datetime) -> bool:
    return not answered and due_by is not None and ended_at >= due_by


def _book(payment: Payment, row: Dispute, news: DisputeNews) -> None:
    """Bring every total to what is known; what differs is posted, whichever way."""
    peak, now = row.known["peak"], _known(row, "withdrawn") or 0
    kept_before = row.kept_from_us
    totals = {
        "withdrawn": (row.withdrawn, peak),
        "fee": (row.fee, _known(row, "fee") or 0),
        "won": (row.reinstated, peak - now),
        "lost": (row.lost, now if row.state in LOST_DISPUTE else 0),
    }
    for kind, (booked, total) in totals.items():
        if booked != total:
            moved_at = news.reinstated_at if kind == "won" else news.withdrawn_at if kind != "lost" else None
            _post(payment, row, kind, row.money(total - booked), moved_at or news.happened_at)
    row.withdrawn, row.fee, row.reinstated, row.lost = (total for _, total in totals.values())
    payment.amount_disputed += row.kept_from_us - kept_before
    returned = payment.amount_refunding + payment.amount_refunded
    if row.kept_from_us and returned and returned + payment.amount_disputed > payment.amount_captured:
        row.double_risk = True


def _date(row: Dispute, news: DisputeNews, at: datetime) -> None:
    """When the provider moved the money, by its own word; by what we heard first until it says so."""
    if row.withdrawn:
        row.withdrawn_at = news.withdrawn_at or row.withdrawn_at or at
    if row.reinstated:
        row.reinstated_at = news.reinstated_at or row.reinstated_at or at


def _post(payment: Payment, row: Dispute, kind: str, amount: Money, happened_at: datetime | None) -> None:
    row.postings[kind] = row.postings.get(kind, 0) + 1
    debit, credit = (account.format(row.channel) for account in _ACCOUNTS[kind])
    post(
        business_key=row.posting_keys(kind)[-1],
        reference=payment.reference,
        description=f"Dispute {row.channel_reference}: {kind}",
        entries=[Entry(debit, amount), Entry(credit, -amount)],
        happened_at=happened_at,
    )


def _told(row: Dispute) -> dict[str, Any]:
    return {**row.told(), "submitted": row.submitted_at}


def _events(row: Dispute, opened: bool, before: dict[str, Any]) -> list[DisputeEvent]:
    events: list[DisputeEvent] = []
    if opened:
        events.append(DisputeOpened(**row.told(), double_risk=row.double_risk))
    closed = not row.is_open and (opened or before["state"] != row.state)
    if closed:
        events.append(DisputeClosed(**row.told()))
    elif not opened and _told(row) != before:
        events.append(DisputeUpdated(**row.told()))
    return events


def _published(events: list[Any]) -> list[Event]:
    for event in events:
        outbox.publish(event)
    return events


def _send_back(payment: Payment, row: Dispute) -> None:
    """What came twice and was disputed meanwhile is ours again, and still not owed to us."""
    queue_refund(
        payment=payment.public_id,
        amount=None,
        reason="Paid twice: another payment of the same order counts",
        actor="system",
        key=f"{row.public_id}:surplus",
    )
