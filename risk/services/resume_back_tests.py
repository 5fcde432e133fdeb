from datetime import datetime, timedelta

from django.db.models import Q

from risk.models import BackTest
from risk.services.run_back_test import run_back_test
from risk.states import BackTestState

_TAKEN_UP = timedelta(seconds=20)
_MOST = 3


def resume_back_tests(*, now: datetime) -> int:
    """This will do the back-tests that nobody took up, or that whoever began is gone, and return how many.

    Each in transactions of its own; what runs is left alone.
    """
    waiting = Q(state=BackTestState.WAITING.value) | Q(state=BackTestState.RUNNING.value)
    found = BackTest.objects.filter(waiting, moved_at__lt=now - _TAKEN_UP).order_by("moved_at")[:_MOST]
    return sum(bool(run_back_test(back_test=row.public_id)) for row in found)
