"""Let the next decision know what became of a payment."""

import logging
from datetime import timedelta

import redis
from django.utils import timezone

from risk import histories
from risk.histories import HistoriesLost
from risk.services.tell_outcomes import tell_outcomes
from risk.services.tell_proofs import tell_proofs

_log = logging.getLogger(__name__)
# What was heard of earlier, the catch-up has told.
_RECENT = timedelta(minutes=10)


def pass_on_verdict(*, subject: str) -> None:
    """This will tell the histories what was just heard of `subject`, once that is committed.

    Without Redis it tells nothing: the next catch-up does.
    """
    try:
        generation, since = histories.current(), timezone.now() - _RECENT
        tell_outcomes(since=since, generation=generation, subject=subject)
        tell_proofs(since=since, generation=generation, subject=subject)
    except (redis.RedisError, HistoriesLost) as error:
        _log.warning("A verdict is told to the histories later (%s).", type(error).__name__)
