"""Celery: one service call each. Every task may run twice, late, or next to itself."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from reconciliation.services.apply_resolve_rules import apply_resolve_rules
from reconciliation.services.bring_statements import bring_statements
from reconciliation.services.process_statement import process_statement
from reconciliation.services.revisit_channels import revisit_channels
from reconciliation.services.sight_stuck_money import sight_stuck_money
from reconciliation.services.sound_stuck_alarms import sound_stuck_alarms

_RECENT = timedelta(days=2)
_LONG = 3600


@shared_task
def watch_stuck_money() -> int:
    """Compares what is recent, then tells of what has been stuck for too long."""
    now = timezone.now()
    sight_stuck_money(since=now - _RECENT)
    return sound_stuck_alarms(now=now)


@shared_task
def compare_all_money() -> int:
    """Every order and all money, however old."""
    return sight_stuck_money(since=None)


# A file may hold a million rows. The broker may hand the task to a second worker meanwhile, who finds it claimed.
@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 60)
def fetch_due_statements() -> int:
    """Asks for what is due, catches up on what was missed, and goes on with what was left half done."""
    brought = bring_statements(now=timezone.now())
    return brought.fetched


@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 60)
def process_received_statement(file: str) -> None:
    process_statement(file=file)


def process_soon(file: str) -> None:
    """Have a worker match and settle it."""
    process_received_statement.delay(file)


@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 60)
def look_at_open_items_again() -> int:
    """What our books have by now, and what is missing for longer than it may be."""
    return revisit_channels(now=timezone.now())


@shared_task
def resolve_by_rules() -> int:
    """What the active rules resolve of what was found since."""
    return apply_resolve_rules(now=timezone.now())
