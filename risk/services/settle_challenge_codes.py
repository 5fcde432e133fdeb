"""Ask messengers about codes of which nobody knows whether they left."""

from datetime import datetime

from django.db import transaction

from risk.messengers import registry
from risk.models import ChallengeCode
from risk.services.apply_code_fate import apply_code_fate

BATCH = 100


def settle_challenge_codes(*, now: datetime) -> int:
    """This will ask once about each code that is due, and apply the answer; returns how many it asked about.

    The janitor's step: opens its own transactions, none while a messenger is asked; safe to repeat.
    """
    claimed = ChallengeCode.objects.claim_due(now, BATCH)
    for code in claimed:
        fate = registry.messenger(code.kind).ask(code.public_id)
        with transaction.atomic(durable=True):
            apply_code_fate(code=code, fate=fate)
    return len(claimed)
