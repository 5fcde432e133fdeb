"""Reads of the books and of the audit journal, for every app: frozen dataclasses only."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef, Sum

from ledger.errors import TransactionNotFound
from ledger.facts import AccountBalance, AuditView, TransactionView, TrialBalance
from ledger.facts import Entry as Line
from ledger.identifiers import MalformedIdentifier, decode, encode
from ledger.models import Account, AuditEntry, AuditSeal, Entry, Transaction
from ledger.money import Money
from ledger.rules import kind_of


def balance(account: str, currency: str, at: datetime | None = None) -> Money:
    """The balance of `account`, debits positive; zero when it was never used. Raises `UnknownAccount`.

    Without `at`: one statement that reads the latest snapshot and the entries after it, however many there
    are in all. With `at`: what had happened (`happened_at`) up to and including then, summed from the lines.
    """
    kind_of(account)
    if at is None:
        found = Account.objects.filter(name=account, currency=currency).balances()
        minor = sum(minor for _, minor in found)
    else:
        lines = Entry.objects.filter(
            account__name=account, account__currency=currency, transaction__happened_at__lte=at
        )
        minor = lines.aggregate(total=Sum("amount"))["total"]
    return Money(int(minor or 0), currency)


def transaction(public_id: str) -> TransactionView:
    """The transaction "txn_…" with its entries. Raises `TransactionNotFound`."""
    try:
        return _view(Transaction.objects.with_entries().get(id=decode("txn", public_id)))
    except (MalformedIdentifier, Transaction.DoesNotExist) as error:
        raise TransactionNotFound(f"there is no transaction {public_id[:60]!r}") from error


def transactions_of(reference: str) -> list[TransactionView]:
    """What was posted for `reference`, oldest first."""
    found = Transaction.objects.with_entries().filter(reference=reference)
    return [_view(row) for row in found.order_by("created_at", "id")]


def entries_by_key(business_keys: Sequence[str]) -> dict[str, tuple[Line, ...]]:
    """What was posted under each of these business keys; keys that were never used are left out. One query each
    for heads and lines, so hand it some thousands at a time."""
    found = Transaction.objects.with_entries().filter(business_key__in=business_keys)
    return {row.business_key: row.lines() for row in found}


def trial_balance() -> TrialBalance:
    """Every account and the total per currency."""
    accounts = tuple(
        AccountBalance(account=row.name, kind=row.kind, balance=Money(minor, row.currency))
        for row, minor in Account.objects.order_by("currency", "name").balances()
    )
    sums: dict[str, int] = defaultdict(int)
    for row in accounts:
        sums[row.balance.currency] += row.balance.minor
    return TrialBalance(
        accounts=accounts, totals=tuple(Money(total, currency) for currency, total in sums.items())
    )


def audit_trail(object_id: str) -> list[AuditView]:
    """What was done to the object with this public identifier, oldest first."""
    sealed = Exists(AuditSeal.objects.filter(entry=OuterRef("pk")))
    return [
        AuditView(
            happened_at=row.happened_at,
            actor=row.actor,
            action=row.action,
            object_id=row.object_id,
            before=row.before,
            after=row.after,
            reason=row.reason,
            request_id=row.request_id,
            sealed=row.sealed,
        )
        for row in AuditEntry.objects.filter(object_id=object_id).annotate(sealed=sealed).order_by("id")
    ]


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
