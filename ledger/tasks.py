"""Celery: what the ledger does beside the requests."""

import logging

from celery import shared_task

from ledger.services import anchor_audit as anchor
from ledger.services import close_due_days as close
from ledger.services import seal_audit as seal
from ledger.services import take_snapshots as snapshots

logger = logging.getLogger(__name__)
_BATCH = 5000
_BATCHES_A_RUN = 20
_LONG = 3600


@shared_task
def seal_audit() -> None:
    """Every few seconds. The head goes to the log, where cutting the chain short does not reach it."""
    for _ in range(_BATCHES_A_RUN):
        head = seal.seal_audit(at_most=_BATCH)
        if head.sealed:
            logger.info("audit sealed: sequence=%d hash=%s", head.sequence, head.hash)
        if head.sealed < _BATCH:
            return


@shared_task
def anchor_audit() -> None:
    """Every hour, for one anchor a day: to the file and, as it stands there, to the log."""
    if written := anchor.anchor_audit():
        logger.info("audit anchored: %s", written.line)


# The first run of an old shop closes years. The broker may hand the task to a second worker meanwhile: no day is closed
# twice.
@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 60)
def close_due_days() -> None:
    """Every hour from 03:10 on, by the ledger's clock: a day is due once a day, what was refused is tried again."""
    close.close_due_days()


@shared_task
def take_snapshots() -> None:
    """Every few minutes."""
    snapshots.take_snapshots()
