"""Celery: jobs over all apps."""

import structlog
from celery import shared_task

from config.proof import prove

log = structlog.get_logger(__name__)


# Acknowledged at once: it may run for longer than the broker waits before it hands a task to another worker.
@shared_task(acks_late=False, soft_time_limit=3600, time_limit=3660)
def prove_the_books() -> int:
    """Every night: the same as `manage.py verify`; each broken row is an error in the log. Returns how many."""
    broken = 0
    for name, rows, findings in prove():
        broken += len(findings)
        for finding in findings:
            log.error("invariant.broken", check=name, subject=finding.subject, detail=finding.detail)
        log.info("invariant.checked", check=name, rows=rows, broken=len(findings))
    return broken
