"""Reads of the books and of the audit journal, for every app: frozen dataclasses only."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from ledger import anchors
from ledger.errors import TransactionNotFound
from ledger.facts import (
    AccountBalance,
    AuditView,
    ChainState,
    ClosedDay,
    DayTotals,
    TransactionView,
    TrialBalance,
)
from ledger.facts import Entry as Line
from ledger.identifiers import MalformedIdentifier, decode, encode
from ledger.models import Account, AuditEntry, AuditSeal, DayClose, Transaction
from ledger.models.days import BY_ITSELF
from ledger.money import Money
from ledger.statements import account_statement as account_statement
from ledger.statements import balance_at, balance_now

_PROGRAMS: dict[str, Any] = {"system": _("system"), "guest": _("guest"), BY_ITSELF: _("automatic")}


def balance(account: str, currency: str, at: date | datetime | None = None) -> Money:
    """The balance of `account`, debits positive; zero when it was never used. Raises `UnknownAccount`.

    One statement that reads the latest snapshot and the entries after it, however many there are in all. With
    `at`: what counted then, see `ledger.statements`.
    """
    return balance_now(account, currency) if at is None else balance_at(account, currency, at)


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


def closed_through() -> date | None:
    """The last day that is closed."""
    last = DayClose.objects.order_by("-posted_on").first()
    return last.posted_on if last else None


def closed_days(*, before: date = date.max, limit: int = 100) -> list[ClosedDay]:
    """What was kept of the days before `before` when they were closed, the newest first."""
    found = DayClose.objects.filter(posted_on__lt=before).prefetch_related("totals")
    return [
        ClosedDay(
            posted_on=row.posted_on,
            entry_count=row.entry_count,
            closed_by=row.closed_by,
            closed_at=row.closed_at,
            totals=tuple(
                DayTotals(
                    moved=Money(total.moved_amount, total.currency),
                    balances=Money(total.balance_amount, total.currency),
                )
                for total in sorted(row.totals.all(), key=lambda total: total.currency)
            ),
        )
        for row in found.order_by("-posted_on")[:limit]
    ]


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
            network=row.network,
            sealed=row.sealed,
        )
        for row in AuditEntry.objects.filter(object_id=object_id).annotate(sealed=sealed).order_by("id")
    ]


def chain_state(folder: Path | None = None) -> ChainState:
    """Where the chain's head and the last anchor (of `folder`, else of AUDIT_ANCHOR_DIR) are; proves nothing."""
    head = AuditSeal.objects.order_by("-sequence").first()
    anchor = anchors.last(folder or anchors.directory())
    return ChainState(
        sealed=head.sequence if head else 0,
        hash=head.hash if head else "",
        sealed_at=head.sealed_at if head else None,
        unsealed=AuditEntry.objects.filter(id__gt=head.entry_id if head else 0).count(),
        anchored=anchor.sequence if anchor else 0,
        anchored_at=datetime.fromisoformat(anchor.at) if anchor else None,
    )


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Actor → what to call them, in one statement: people ("user:12") by their names, programs by what they are."""
    wanted = set(actors)
    keys = [key for one in wanted if (key := one.removeprefix("user:")) != one and key.isdecimal()]
    people: Any = get_user_model().objects.filter(pk__in=keys)
    known = {f"user:{person.pk}": person.get_full_name() or person.get_username() for person in people}
    return {one: known.get(one) or str(_PROGRAMS.get(one, one)) for one in wanted}


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
