"""Find the case on which a language model is asked next."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from risk import adviser
from risk.models import Advice, RiskCase

_BATCH = 200
_SPARE = timedelta(seconds=30)  # beyond the time that an answer may take, for a worker that is slow


def take_up_advice(*, now: datetime) -> str | None:
    """This will note open cases without advice, and return the "adv_…" that the caller is to have written.

    Use case; locks nothing, safe to repeat. None where no language model is configured, nothing waits or another
    question is under way.
    """
    if not adviser.configured():
        return None
    with transaction.atomic(durable=True):
        fresh = RiskCase.objects.live().filter(decision__advice=None).exclude(decision__reasons=[])
        decisions = fresh.order_by("-expected_loss").values_list("decision_id", flat=True)[:_BATCH]
        Advice.objects.bulk_create(
            [Advice(decision_id=one, next_ask_at=now) for one in dict.fromkeys(decisions)],
            ignore_conflicts=True,
        )
        lease = timedelta(seconds=settings.LLM["timeout_seconds"]) + _SPARE
        claimed = Advice.objects.claim_due(now, lease)
    return claimed.public_id if claimed else None
