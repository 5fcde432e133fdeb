from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import structlog
from django.utils import timezone

from ledger.errors import Refusal
from reconciliation.errors import RunUnderWay
from reconciliation.facts import Brought
from reconciliation.models import StatementFile, StatementRun
from reconciliation.services.fetch_statement import fetch_statement
from reconciliation.services.open_runs import open_runs
from reconciliation.services.process_statement import process_statement
from reconciliation.states import RunState, StatementState

log = structlog.get_logger(__name__)

# Of one call: the next one goes on.
_MOST = 200
_PATIENCE = timedelta(minutes=40)
# What was received this long ago and is not settled was left behind by a worker that died.
_LEFT_BEHIND = timedelta(minutes=10)


def bring_statements(
    *,
    now: datetime,
    channel: str = "",
    since: date | None = None,
    until: date | None = None,
    tell: Callable[[str], None] | None = None,
) -> Brought:
    """This will fetch, match and settle every statement that is due, oldest day first, and finish what was left behind.

    Of one `channel`, or of days from `since` to `until`, when those are named: then also what waits for its next try.
    Owns its transactions (see `fetch_statement`); beside another caller, each works on what the other does not.
    """
    open_runs(now=now, channel=channel, since=since, until=until)
    due = _due(now, channel, since, until)
    fetched, still_due, failed = 0, 0, 0
    for key in due:
        try:
            view = fetch_statement(run=key, tell=tell)
        except RunUnderWay:
            continue
        fetched += view.state in (RunState.DONE, RunState.EMPTY)
        still_due += view.state == RunState.DUE
        failed += view.state == RunState.UNAVAILABLE
        if timezone.now() > now + _PATIENCE:
            break
    finished = sum(_finish(file) for file in _left_behind(now))
    return Brought(fetched=fetched, not_ready=still_due, failed=failed, finished=finished)


def _due(now: datetime, channel: str, since: date | None, until: date | None) -> list[str]:
    named = bool(channel or since or until)
    rows = StatementRun.objects.in_turn()
    rows = rows if named else rows.filter(next_try_at__lte=now)
    if channel:
        rows = rows.filter(channel=channel)
    if since:
        rows = rows.filter(day_on__gte=since)
    if until:
        rows = rows.filter(day_on__lte=until)
    return [row.public_id for row in rows[: None if named else _MOST]]


def _left_behind(now: datetime) -> Iterator[str]:
    states = (StatementState.RECEIVED.value, StatementState.MATCHED.value)
    rows = StatementFile.objects.filter(state__in=states, received_at__lt=now - _LEFT_BEHIND)
    for row in rows.order_by("received_at")[:_MOST]:
        yield row.public_id


def _finish(file: str) -> bool:
    try:
        process_statement(file=file)
    except Refusal as refusal:
        log.warning("statement.refused", file=file, code=refusal.code)
        return False
    return True
