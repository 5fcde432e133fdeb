"""Reads of single postings by their business keys, and of what moved an account: frozen dataclasses only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import CharField, Count, Exists, F, Func, OuterRef, Q, Sum, Value

from ledger.facts import TransactionView
from ledger.identifiers import encode
from ledger.models import Entry, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What the postings of one sort came to on an account: keys begin with `prefix` ("pay", "stm") and go on with
    `word` ("capture", "settled"). `reversed`: it reverses others; `undone`: others reverse it. Minor units, debits
    positive."""

    currency: str
    prefix: str
    word: str
    reversed: bool
    undone: bool
    count: int
    amount: int


def transactions_by_key(business_keys: Sequence[str]) -> dict[str, TransactionView]:
    """The transactions with these business keys; keys that were never used are left out. Two queries."""
    found = Transaction.objects.with_entries().filter(business_key__in=business_keys)
    return {row.business_key: _view(row) for row in found}


def first_entry_at(account: str) -> datetime | None:
    """When what first moved this account had happened; None when nothing did."""
    rows = Entry.objects.filter(account__name=account).order_by("id").values_list("transaction_id", flat=True)
    found = Transaction.objects.filter(pk__in=rows[:1])
    return found.values_list("happened_at", flat=True).first()


def moved_between(account: str, begin: datetime, end: datetime) -> list[Moved]:
    """What happened from `begin` until before `end`, by sort and currency. One statement."""
    key = F("transaction__business_key")
    lines = Entry.objects.filter(
        account__name=account,
        posted_on__gte=_no_earlier(begin),
        transaction__happened_at__gte=begin,
        transaction__happened_at__lt=end,
    )
    rows = (
        lines.annotate(
            prefix=_part(key, "_", 1),
            word=_part(key, ":", 2),
            is_reversed=Q(transaction__reverses__isnull=False),
            is_undone=Exists(Transaction.objects.filter(reverses=OuterRef("transaction"))),
        )
        .order_by()
        .values_list("currency", "prefix", "word", "is_reversed", "is_undone")
        .annotate(Count("id"), Sum("amount"))
    )
    return [
        Moved(
            currency=currency,
            prefix=prefix,
            word=word,
            reversed=back,
            undone=undone,
            count=count,
            amount=int(amount),
        )
        for currency, prefix, word, back, undone, count, amount in rows
    ]


def _part(text: F, mark: str, number: int) -> Func:
    return Func(text, Value(mark), Value(number), function="split_part", output_field=CharField())


def _no_earlier(begin: datetime) -> date:
    """Nothing is posted into a day before it happened, whatever the zone of the books."""
    return begin.date() - timedelta(days=1)


def _view(row: Transaction) -> TransactionView:
    return TransactionView(
        id=row.public_id,
        business_key=row.business_key,
        reference=row.reference,
        description=row.description,
        happened_at=row.happened_at,
        posted_on=row.posted_on,
        created_at=row.created_at,
        reverses=encode("txn", row.reverses_id) if row.reverses_id else "",
        entries=row.lines(),
    )
