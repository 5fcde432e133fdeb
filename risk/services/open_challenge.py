"""Ask the customer to prove something before the payment goes on."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from ledger.identifiers import decode
from risk.challenges import ChallengeView, challenge_view, masked, owner_key
from risk.features import network
from risk.models import Challenge, Decision
from risk.models.lists import key_of
from risk.states import ChallengeKind, EntityKind

LIFE = timedelta(minutes=15)


def open_challenge(
    *,
    decision: str,
    owner: str,
    contacts: Mapping[str, str],
    address: str,
    latest: datetime,
) -> ChallengeView:
    """This will open the challenge that a decision asked for, for the session `owner` only, until `latest` at most.

    Operation: needs an open transaction, with the payment locked. `contacts` says where codes may be sent, by kind;
    `address` is the network address that asked. Nothing is sent yet: see `send_challenge_code`.
    """
    assert connection.in_atomic_block, "open_challenge() belongs to the transaction of the payment"
    row = Decision.objects.get(pk=decode("dec", decision))
    kinds = [kind for kind in row.outcome["challenges"] if kind != ChallengeKind.THREE_D_SECURE]
    challenge = Challenge.objects.create(
        decision=row,
        subject=row.subject,
        amount=row.amount,
        currency=row.currency,
        owner_key=owner_key(owner),
        customer_key=row.customer_key,
        network_key=key_of(EntityKind.IP, network(address)) if network(address) else "",
        kinds=kinds,
        kind=kinds[0],
        sent_to={kind: masked(kind, to) for kind, to in contacts.items() if kind in kinds},
        nonce=secrets.token_hex(32),
        expires_at=min(latest, timezone.now() + LIFE),
    )
    return challenge_view(challenge)
