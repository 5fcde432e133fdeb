from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from payments.channels import registry
from reconciliation.archive import BANK
from reconciliation.models import BankLine, Discrepancy, Settlement
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.states import CLOSED, DiscrepancyKind

# Where the bank's statements are brought by hand, or not at all.
_PATIENCE = timedelta(days=3)
_MOST = 2000
_SOURCE = "statement"
_KINDS = (DiscrepancyKind.BANK_UNEXPLAINED, DiscrepancyKind.DEPOSIT_AMOUNT, DiscrepancyKind.DEPOSIT_MISSING)


def report_deposits(
    *, lines: Sequence[BankLine], movements: Mapping[UUID, str], now: datetime, seen_until: date | None
) -> int:
    """This will write down which of the open `lines` nothing explains, payouts that did not arrive in time, and
    deposits of another sum; what was reported and is explained by now is closed.

    `movements` are the transfers (att_…, ref_…) that lines name and that we booked otherwise; the bank's statements are
    here up to `seen_until`. An operation: needs an open transaction. Returns how many are new.
    """
    assert connection.in_atomic_block, "report_deposits() is an operation"
    found = [_unexplained(line, movements.get(line.pk) or line.public_id) for line in lines]
    for row in Settlement.objects.announced().order_by("paid_on", "pk")[:_MOST]:
        if row.deposited_amount:
            found.append(_other_sum(row))
        elif _is_late(row, now.date(), seen_until):
            found.append(_missing(row))
    _close_explained(found)
    return _write(found)


def _is_late(row: Settlement, today: date, seen_until: date | None) -> bool:
    """The bank's statement of a later day is here. Where nobody fetches those, so many days have gone by."""
    if seen_until is not None and seen_until > row.due_on:
        return True
    return BANK not in registry.configured() and today > row.due_on + _PATIENCE


def _unexplained(line: BankLine, subject: str) -> Discrepancy:
    return Discrepancy(
        kind=DiscrepancyKind.BANK_UNEXPLAINED.value,
        channel=line.file.channel,
        subject=subject,
        reference=line.their_reference or line.reference,
        amount=0,
        amount_at_risk=abs(line.amount),
        currency=line.currency,
        told_amount=line.amount,
        told_currency=line.currency,
        source=_SOURCE,
        file=line.file,
        line=line.line,
        line_kind="credit" if line.amount > 0 else "debit",
        their_reference=line.their_reference,
        happened_at=line.booked_at,
        theirs={
            "account": f"bank:{line.account}",
            "booked_on": line.booked_on.isoformat(),
            "text": line.text,
        },
    )


def _other_sum(row: Settlement) -> Discrepancy:
    return _about(row, DiscrepancyKind.DEPOSIT_AMOUNT, row.deposited_amount, row.currency)


def _missing(row: Settlement) -> Discrepancy:
    return _about(row, DiscrepancyKind.DEPOSIT_MISSING, 0, "")


def _about(row: Settlement, kind: DiscrepancyKind, told: int, told_currency: str) -> Discrepancy:
    ours = {"account": f"in_transit:{row.channel}", "paid_on": row.paid_on.isoformat(), "payout": row.grp}
    return Discrepancy(
        kind=kind.value,
        channel=row.channel,
        subject=row.public_id,
        reference=row.grp,
        amount=row.net_amount,
        amount_at_risk=abs(row.net_amount - told),
        currency=row.currency,
        told_amount=told,
        told_currency=told_currency,
        source=_SOURCE,
        file=row.file,
        line=row.line,
        line_kind="payout",
        ours=ours | {"due_on": row.due_on.isoformat()},
    )


def _write(found: Iterable[Discrepancy]) -> int:
    """Each once, whatever people made of it; what is open is told as it stands now."""
    rows = {_key(row): row for row in found}
    subjects = {row.subject for row in rows.values()}
    known = Discrepancy.objects.filter(kind__in=_KINDS, subject__in=subjects, file__isnull=False)
    known.filter(pk__in=[old.pk for old in known if _key(old) in rows]).unexplained_again()
    for old in known.all():
        row = rows.pop(_key(old), None)
        if row and old.state not in CLOSED and row.told_amount != old.told_amount:
            Discrepancy.objects.filter(pk=old.pk).update(
                told_amount=row.told_amount, amount_at_risk=row.amount_at_risk
            )
    Discrepancy.objects.bulk_create(rows.values(), ignore_conflicts=True)
    return len(rows)


def _close_explained(found: Iterable[Discrepancy]) -> None:
    standing = {_key(row) for row in found}
    reported = Discrepancy.objects.filter(kind__in=_KINDS, file__isnull=False).unclosed()
    # What lies in suspense is told no more, and explained by nothing.
    line = BankLine.objects.filter(file=OuterRef("file"), line=OuterRef("line"))
    lies = Q(kind=DiscrepancyKind.BANK_UNEXPLAINED.value) & Q(Exists(line.unexplained()))
    gone = [
        row.pk
        for row in reported.exclude(lies).only("subject", "kind", "file", "line")
        if _key(row) not in standing
    ]
    explain_discrepancies(
        rows=Discrepancy.objects.filter(pk__in=gone), reason="Explained by what the statements say by now"
    )


def _key(row: Discrepancy) -> tuple[str, str, UUID | None, int]:
    return row.subject, row.kind, row.file_id, row.line
