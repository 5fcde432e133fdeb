from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from payments.booked import transfers_named
from payments.movements import MOVEMENTS
from reconciliation.archive import BANK, account_of
from reconciliation.at_bank import OWED
from reconciliation.models import BankLine, Discrepancy, Repair, StatementFile
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.states import DiscrepancyKind, DiscrepancyState
from reconciliation.terms import terms_of

# What is missing for longer was reported long ago.
_BACK: Final = timedelta(days=92)
_MISSING: Final = DiscrepancyKind.MISSING_THERE.value
_NAME: Final = """ledger_public_id(CASE kind WHEN 'payment' THEN 'att' ELSE 'ref' END, movement)
    || CASE WHEN kind = 'refund' AND part > 1 THEN '_' || part ELSE '' END"""
# A line that names it, and that somebody has to look at, is told of already.
_IS_TOLD: Final = """
    EXISTS (SELECT FROM reconciliation_bankline b
        WHERE b.movement = {name} AND b.movement <> '' AND b.state = 'EXPLAINED')
    OR EXISTS (SELECT FROM reconciliation_discrepancy d
        WHERE d.subject = {name} AND d.kind = 'bank_unexplained' AND d.closed_by <> 'system')
"""
_UNSEEN: Final = f"""
SELECT * FROM (
    SELECT {_NAME} AS name, kind, amount, currency, happened_at, reference, left(their_reference, 100)
    FROM {MOVEMENTS}
    WHERE channel = %s AND happened_at >= %s AND happened_at < %s AND kind IN ('payment', 'refund')
) AS moved WHERE NOT ({_IS_TOLD.format(name="moved.name")}) ORDER BY happened_at
"""  # noqa: S608 - our own words
_TOLD: Final = f"SELECT name FROM unnest(%s::text[]) AS name WHERE {_IS_TOLD.format(name='name')}"  # noqa: S608


class _Unseen(NamedTuple):
    name: str  # att_…, ref_…
    kind: str
    amount: int
    currency: str
    happened_at: datetime
    reference: str
    their_reference: str


def report_missing_transfers(*, arrived: Collection[UUID], seen_until: date | None) -> int:
    """This will write down which transfers that we booked, of customers or back to them, no line of the bank's is, once
    its statements of their day and of as many days as a line may be late are here (`seen_until`).

    What was reported and is told of by now, or came back, is explained; of what was corrected meanwhile, that is asked
    about the lines that just `arrived`. An operation: needs an open transaction. Returns how many are new.
    """
    assert connection.in_atomic_block, "report_missing_transfers() is an operation"
    _explain(arrived)
    if seen_until is None:
        return 0
    terms = terms_of(BANK)
    until = terms.window(seen_until - timedelta(days=terms.late_days))[1]
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN, [BANK, until - _BACK, until])
        unseen = [_Unseen(*row) for row in cursor.fetchall()]
    booked = transfers_named({one.name for one in unseen})
    missing = [one for one in unseen if one.name in booked and booked[one.name].amount == one.amount]
    files = _files(missing)
    found = [_missing(one, files[day]) for one in missing if (day := terms.day_of(one.happened_at)) in files]
    return _write(found)


def _explain(arrived: Collection[UUID]) -> None:
    lines = BankLine.objects.filter(pk__in=arrived).exclude(movement="")
    posted = Repair.objects.standing().exclude(posted="")
    corrected = Q(subject__in=lines.values("movement"), pk__in=posted.values("discrepancy"))
    is_open = ~Q(state__in=(DiscrepancyState.RESOLVED.value, DiscrepancyState.WRITTEN_OFF.value))
    rows = list(Discrepancy.objects.filter(corrected | is_open, kind=_MISSING, channel=BANK))
    if not rows:
        return
    names = [row.subject for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, [names])
        told = {name for (name,) in cursor.fetchall()}
    booked = transfers_named(names)
    gone = [
        row.pk
        for row in rows
        if row.subject in told or row.subject not in booked or booked[row.subject].amount != row.amount
    ]
    explain_discrepancies(
        rows=Discrepancy.objects.filter(pk__in=gone), reason="The bank's statements tell of it by now"
    )


def _files(missing: Sequence[_Unseen]) -> dict[date, StatementFile]:
    """The bank's own statement of each day, the feed's before those that are brought by hand."""
    days = {terms_of(BANK).day_of(one.happened_at) for one in missing}
    banks = Q(channel=BANK) | Q(channel__startswith=f"{BANK}:")
    rows = StatementFile.objects.live().filter(banks, day_on__in=days).order_by("-channel", "pk")
    return {row.day_on: row for row in rows}


def _missing(one: _Unseen, file: StatementFile) -> Discrepancy:
    ours = {"kind": one.kind, "reference": one.name, "happened_at": one.happened_at.isoformat()}
    return Discrepancy(
        kind=_MISSING,
        channel=BANK,
        subject=one.name,
        reference=one.reference,
        amount=one.amount,
        amount_at_risk=abs(one.amount),
        currency=one.currency,
        told_amount=0,
        source="statement",
        file=file,
        line_kind=one.kind,
        their_reference=one.their_reference,
        happened_at=one.happened_at,
        ours=ours | {"account": OWED, "bank": f"bank:{account_of(file.channel)}"},
    )


def _write(found: Sequence[Discrepancy]) -> int:
    """Each once, whatever people made of it."""
    rows = {row.subject: row for row in found}
    known = Discrepancy.objects.filter(kind=_MISSING, channel=BANK, subject__in=rows)
    known.unexplained_again()
    for old in known.all():
        row = rows.pop(old.subject, None)
        if row and row.file_id != old.file_id:
            Discrepancy.objects.filter(pk=old.pk).update(file=row.file)
    Discrepancy.objects.bulk_create(rows.values(), ignore_conflicts=True)
    return len(rows)
