from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import structlog
from django.db import connection, transaction
from django.utils import timezone

from ledger.errors import Refusal
from payments.channels import registry
from payments.channels.contract import (
    ChannelUnavailable,
    Statement,
    StatementNotReady,
    StatementUnavailable,
)
from reconciliation.errors import RunUnderWay, StatementRefused
from reconciliation.facts import RunView
from reconciliation.models import StatementFile, StatementRun
from reconciliation.runs import moved_on, run_view
from reconciliation.services.process_statement import process_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.states import RunState, StatementSource, StatementState

log = structlog.get_logger(__name__)


def fetch_statement(*, run: str, tell: Callable[[str], None] | None = None) -> RunView:
    """This will ask the provider for one day's statement, archive, match and settle it.

    One worker at a time: whoever claims it first has it until it is done, and after a crash the next one does what is
    left. A statement that is not ready is asked for again, less and less often; one that will never be
    there, or that is refused, waits for a person. The provider is asked outside any transaction. `tell` is given words
    about each step. Raises `RunNotFound` and `RunUnderWay`.
    """
    row = StatementRun.objects.by_public_id(run)
    with _claimed(row) as mine:
        if not mine:
            raise RunUnderWay(f"{row} is being fetched by another worker")
        row = StatementRun.objects.get(pk=row.pk)
        if row.state != RunState.DUE:
            return run_view(row, timezone.now())
        return _fetch(row, tell or (lambda words: None))


def _fetch(row: StatementRun, tell: Callable[[str], None]) -> RunView:
    try:
        statement = _asked(row)
        tell(f"{row}: fetched {len(statement.content):,} bytes")
        file = _taken_in(statement)
        view, settled = process_statement(file=file.public_id)
    except (StatementUnavailable, StatementRefused) as problem:
        tell(f"{row}: {problem}")
        log.warning("statement.unavailable", channel=row.channel, kind=row.kind, day=str(row.day_on))
        row.give_up(str(problem))
    except (StatementNotReady, ChannelUnavailable, Refusal) as problem:
        tell(f"{row}: {problem}")
        row.put_off(str(problem), timezone.now())
    else:
        fees = settled.fees if settled else 0
        tell(f"{row}: {view.rows:,} rows, {view.matched:,} matched, {fees:,} fees posted")
        _done(row, file, statement)
    with transaction.atomic(durable=True):
        row.store()
    return run_view(row, timezone.now())


def _asked(row: StatementRun) -> Statement:
    """Some providers write no file about an empty day. That is believed where we have booked nothing either."""
    try:
        return registry.statement_source(row.channel).fetch_statement(row.kind, row.day_on)
    except StatementUnavailable:
        if moved_on(row.channel, row.day_on):
            raise
        return Statement(row.channel, row.kind, row.day_on, "", b"")


@contextmanager
def _claimed(row: StatementRun) -> Iterator[bool]:
    """Whether the caller alone works on it; a claim ends with the connection at the latest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [row.public_id])
        (mine,) = cursor.fetchone()
        try:
            yield bool(mine)
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [row.public_id])


def _taken_in(statement: Statement) -> StatementFile:
    view = receive_statement(
        channel=statement.channel,
        kind=statement.kind,
        day=statement.day,
        name=statement.name or f"{statement.channel}_{statement.kind}_{statement.day:%Y%m%d}",
        content=BytesIO(statement.content),
        source=StatementSource.FETCHED,
        actor="system",
    )
    return StatementFile.objects.by_public_id(view.id)


def _done(row: StatementRun, file: StatementFile, statement: Statement) -> None:
    file = StatementFile.objects.get(pk=file.pk)
    row.file = file
    if file.state == StatementState.REFUSED:
        row.give_up(file.refusal_detail)
    elif statement.content:
        row.finish()
    else:
        row.find_empty()
