"""Ask the customer to prove something before the payment goes on."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from ledger.identifiers import decode
from risk.challenges import ChallengeView, challenge_view
from risk.models import Challenge, Decision

LIFE = timedelta(minutes=15)


def open_challenge(
    *,
    decision: str,
    respondent: Mapping[str, Any],
    latest: datetime,
    life: timedelta = LIFE,
) -> ChallengeView:
    """This will open a challenge about the payment of a decision, for `life` or until `latest`, whichever is first.

    Operation: needs an open transaction, with the payment locked. `respondent` is what `challenges.respondent` said of
    the session that may answer; the first of its kinds is asked. Nothing is sent yet: see `send_challenge_code`.
    """
    assert connection.in_atomic_block, "open_challenge() belongs to the transaction of the payment"
    row = Decision.objects.get(pk=decode("dec", decision))
    challenge = Challenge.objects.create(
        decision=row,
        subject=row.subject,
        amount=row.amount,
        currency=row.currency,
        owner_key=respondent["owner"],
        customer_key=row.customer_key,
        network_key=respondent["network"],
        kinds=respondent["kinds"],
        kind=respondent["kinds"][0],
        sent_to=respondent["sent_to"],
        nonce=secrets.token_hex(32),
        expires_at=min(latest, timezone.now() + life),
    )
    return challenge_view(challenge)
