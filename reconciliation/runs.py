"""Reads of the statements that are to be fetched."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from payments.channels import registry
from payments.channels.contract import Capability
from payments.movements import MOVEMENTS
from reconciliation.facts import RunView
from reconciliation.models import BankMapping, StatementRun
from reconciliation.rules import PayoutTerms
from reconciliation.states import RunState
from reconciliation.terms import terms_of


def moved_on(channel: str, day: date) -> bool:
    """Whether we booked any movement of the channel's on its day."""
    begin, end = terms_of(channel).window(day)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {MOVEMENTS} WHERE channel = %s AND happened_at >= %s AND happened_at < %s)",  # noqa: S608
            [channel, begin, end],
        )
        return bool(cursor.fetchone()[0])


def channels_with_statements(channel: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each configured channel that writes statements, and their kinds."""
    for code in sorted(registry.configured()):
        if channel in ("", code) and Capability.STATEMENT in registry.channel(code).capabilities:
            yield code, registry.statement_source(code).statement_kinds


def payout_terms(channel: str) -> PayoutTerms | None:
    """How the channel pays, if it does (`settings.SETTLEMENT`)."""
    told = settings.SETTLEMENT.get(channel)
    return PayoutTerms(**told) if told else None


def run_view(row: StatementRun, now: datetime) -> RunView:
    return RunView(
        id=row.public_id,
        channel=row.channel,
        kind=row.kind,
        day=row.day_on,
        state=RunState(row.state),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        last_error=row.last_error,
        file=row.file.public_id if row.file else "",
        overdue=row.state in (RunState.DUE, RunState.UNAVAILABLE) and row.day_on < overdue_before(now),
    )


def run(public_id: str, now: datetime) -> RunView:
    """Raises `RunNotFound`."""
    return run_view(StatementRun.objects.by_public_id(public_id), now)


def runs(
    now: datetime, *, channel: str = "", state: str = "", limit: int = 50, offset: int = 0
) -> list[RunView]:
    """The newest day first; empty days only when they are asked for."""
    rows = StatementRun.objects.select_related("file").order_by("-day_on", "channel", "kind")
    if channel:
        rows = rows.filter(channel=channel)
    rows = rows.filter(state=state) if state else rows.exclude(state=RunState.EMPTY.value)
    return [run_view(row, now) for row in rows[offset : offset + limit]]


def overdue_before(now: datetime) -> date:
    """Days before this one should have come by now."""
    return (now - timedelta(hours=settings.STATEMENT_OVERDUE_HOURS + 24)).date()


def overdue(now: datetime) -> QuerySet[StatementRun]:
    """Those that should be here and are not, or can not be had: somebody has to look."""
    late = StatementRun.objects.filter(day_on__lt=overdue_before(now))
    return late.filter(state__in=(RunState.DUE.value, RunState.UNAVAILABLE.value))


def banks() -> list[BankMapping]:
    """The accounts whose files are brought by hand."""
    return list(BankMapping.objects.all()[:200])
