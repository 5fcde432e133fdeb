"""Celery: one service call each. Every task may run twice, late, or next to itself."""

import redis
import structlog
from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from risk.histories import HistoriesLost
from risk.services import settle_challenge_codes as settling
from risk.services.catch_up_histories import catch_up_histories
from risk.services.count_decisions import count_decisions
from risk.services.judge_along import judge_along
from risk.services.rebuild_histories import rebuild_histories
from risk.services.resume_back_tests import resume_back_tests
from risk.services.run_back_test import run_back_test
from risk.services.take_day_figures import take_day_figures
from risk.services.take_up_advice import take_up_advice
from risk.services.watch_jumps import watch_jumps
from risk.services.watch_roll_out import watch_roll_out
from risk.services.write_advice import write_advice

log = structlog.get_logger(__name__)

_REBUILD = 3600
_LONG = 600


@shared_task
def judge_along_and_watch() -> int:
    """Who does not decide judges what was decided; then the roll-out is counted by it."""
    given = judge_along(now=timezone.now())
    watch_roll_out()
    return given


# The broker may hand the task to a second worker meanwhile, who finds it running.
@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 10)
def do_back_test(back_test: str) -> None:
    run_back_test(back_test=back_test)


def back_test_soon(back_test: str) -> None:
    """Have a worker do it; where the broker is lost, the next sweep finds it."""
    try:
        do_back_test.delay(back_test)
    except OperationalError as problem:
        log.warning("risk.back_test_waits", back_test=back_test, problem=str(problem)[:200])


@shared_task(soft_time_limit=_LONG, time_limit=_LONG + 10)
def do_waiting_back_tests() -> int:
    """What nobody took up, or nobody finished."""
    return resume_back_tests(now=timezone.now())


@shared_task
def take_figures_and_watch() -> int:
    """What machines are told, the figures of the days, and an alarm where one of them jumps."""
    now = timezone.now()
    # Each reads for itself: they count others (every stage, payments only) from another day on, and keys and actions,
    # which both read, are less than a hundredth of what the two cost.
    count_decisions(now=now)
    read = take_day_figures(now=now)
    watch_jumps(now=now)
    return read


# A rebuild reads two months of decisions. A second worker that is handed the task meanwhile rebuilds nothing.
@shared_task(soft_time_limit=_REBUILD, time_limit=_REBUILD + 60)
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


@shared_task(ignore_result=True)
def settle_challenge_codes() -> int:
    """Every 10 seconds: codes whose messenger gave no clear answer."""
    return settling.settle_challenge_codes(now=timezone.now())


@shared_task(ignore_result=True)
def see_to_advice() -> None:
    """Every 5 seconds: cases are open by now, so their decisions are committed."""
    waiting = take_up_advice(now=timezone.now())
    if waiting:
        write_one_advice.delay(waiting)


# A model that sends its head byte by byte is given up here: payments need the workers.
@shared_task(ignore_result=True, soft_time_limit=60, time_limit=70)
def write_one_advice(advice: str) -> None:
    write_advice(advice=advice)
