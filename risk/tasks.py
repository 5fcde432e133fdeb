"""Celery: one service call each. Every task may run twice, late, or next to itself."""

import redis
import structlog
from celery import shared_task

from risk.histories import HistoriesLost
from risk.services.catch_up_histories import catch_up_histories
from risk.services.rebuild_histories import rebuild_histories

log = structlog.get_logger(__name__)
_LONG = 3600


# A rebuild reads two months of decisions. A second worker that is handed the task meanwhile rebuilds nothing.
@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 60)
def keep_histories_whole() -> int:
    """Tells the histories what a crash or a pause of Redis kept from them; makes lost ones anew."""
    try:
        return catch_up_histories()
    except HistoriesLost as lost:
        log.warning("risk.histories_lost", reason=str(lost))
    except redis.RedisError as error:
        log.warning("risk.histories_unreachable", error=type(error).__name__)
        return 0
    return rebuild_histories()
