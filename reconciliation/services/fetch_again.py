from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.facts import RunView
from reconciliation.models import StatementRun
from reconciliation.runs import run_view
from reconciliation.states import RunState


def fetch_again(*, run: str, actor: str, reason: str = "") -> RunView:
    """This will have a day's statement fetched again, at the next turn of the job. The same bytes change nothing.

    Owns its transaction; locks the run. Raises `RunNotFound`.
    """
    key, now = StatementRun.objects.by_public_id(run).pk, timezone.now()
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = StatementRun.objects.locked().get(pk=key)
        if row.state != RunState.DUE:
            row.ask_again(now)
        else:
            row.next_try_at = now
        row.store()
        return run_view(row, now)
