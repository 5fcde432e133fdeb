"""What we booked behind the references that statements name."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from ledger.identifiers import MalformedIdentifier, decode
from payments.models import Attempt, Refund
from payments.models.refund import movement_of
from payments.movements import MOVEMENTS
from payments.states import AttemptKind, RefundState

_BANK = "bank"
_NAMES: Final = f"""
    SELECT kind, their_reference, ledger_public_id(CASE kind WHEN 'payment' THEN 'att' ELSE 'ref' END, movement)
        || CASE WHEN kind = 'refund' AND part > 1 THEN '_' || part ELSE '' END
    FROM {MOVEMENTS}
    WHERE channel = %s AND happened_at >= %s AND happened_at < %s AND their_reference = ANY(%s)
        AND kind IN ('payment', 'refund')
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class BookedTransfer:
    """What we booked of one transfer to or from our bank account, minor units.

    Nothing, of one that we did not hear of yet, and of a refund that came back.
    """

    movement: str  # att_… or the refund's try, ref_… or ref_…_2
    reference: str  # what it pays
    amount: int
    currency: str


def orders_behind(references: Collection[str]) -> dict[str, str]:
    """What each movement (att_…, ref_…, ref_…_2) pays; those that are not ours are left out. Two queries."""
    attempts, refunds = dict(_attempts(references)), dict(_refunds(references))
    paid = dict(Attempt.objects.filter(pk__in=attempts).values_list("pk", "payment__reference"))
    keys = {key for key, _ in refunds.values()}
    returned = dict(Refund.objects.filter(pk__in=keys).values_list("pk", "payment__reference"))
    found = {name: paid[key] for key, name in attempts.items() if key in paid}
    return found | {name: returned[key] for name, (key, _) in refunds.items() if key in returned}


def transfers_behind(quotes: Collection[str], refunds: Collection[str]) -> dict[str, BookedTransfer]:
    """By what the customer quoted ("SC…") and by our order's name (ref_…): what we booked of it. Two queries."""
    started = Attempt.objects.filter(channel=_BANK, kind=AttemptKind.START, channel_reference__in=quotes)
    found = {
        row.channel_reference: BookedTransfer(row.public_id, row.payment.reference, row.brought, row.currency)
        for row in started.select_related("payment")
    }
    return found | _refunds_sent(refunds)


def transfers_named(movements: Collection[str]) -> dict[str, BookedTransfer]:
    """The same by our names of the movements (att_…, ref_…). Two queries."""
    attempts = dict(_attempts(movements))
    rows = Attempt.objects.filter(pk__in=attempts, channel=_BANK).select_related("payment")
    found = {
        attempts[row.pk]: BookedTransfer(attempts[row.pk], row.payment.reference, row.brought, row.currency)
        for row in rows
    }
    return found | _refunds_sent(movements)


def _refunds_sent(names: Collection[str]) -> dict[str, BookedTransfer]:
    named, found = dict(_refunds(names)), {}
    rows = Refund.objects.filter(pk__in={key for key, _ in named.values()}, payment__channel=_BANK)
    known = {row.pk: row for row in rows.select_related("payment")}
    for name, (key, number) in named.items():
        if row := known.get(key):
            gone = row.state == RefundState.SUCCEEDED and number == row.movement and not row.hand_by
            amount = -row.amount if gone else 0
            found[name] = BookedTransfer(name, row.payment.reference, amount, row.currency)
    return found


def names_behind(
    channel: str, theirs: Collection[str], begin: datetime, end: datetime
) -> dict[tuple[str, str], str]:
    """By kind of movement and the provider's own name of it: ours (att_…, ref_…), of what moved in this time."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [channel, begin, end, list(theirs)])
        return {(kind, name): ours for kind, name, ours in cursor.fetchall()}


def _attempts(references: Collection[str]) -> Iterator[tuple[UUID, str]]:
    for name in references:
        if name.startswith("att_"):
            try:
                yield decode("att", name), name
            except MalformedIdentifier:
                continue


def _refunds(references: Collection[str]) -> Iterator[tuple[str, tuple[UUID, int]]]:
    for name in references:
        if name.startswith("ref_"):
            try:
                public_id, number = movement_of(name)
                yield name, (decode("ref", public_id), number)
            except MalformedIdentifier:
                continue
