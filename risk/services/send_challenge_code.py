"""Send a one-time code for a challenge."""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from django.db import connection, transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from ledger.money import Money
from risk import challenges
from risk.challenges import ChallengeView
from risk.errors import (
    ChallengeKindUnavailable,
    ChallengeNotFound,
    ChallengeNotYours,
    ChallengeOver,
    CodeLimitReached,
)
from risk.messengers import registry
from risk.messengers.contract import Message
from risk.models import Challenge, ChallengeCode
from risk.models.challenges import MOST_CODES
from risk.models.lists import key_of
from risk.services.apply_code_fate import apply_code_fate
from risk.states import BY_CODE, ChallengeState
from risk.wording import language as language_of

CODE_LIFE = timedelta(minutes=10)


def send_challenge_code(
    *, challenge: str, owner: str | None, kind: str, contacts: Mapping[str, str], language: str = "en"
) -> ChallengeView:
    """This will send a new code for an open challenge by `kind`; it takes the place of every code before it.

    Opens its own transactions: (1) the code is stored, sealed, as SENT; (2) the messenger is called with nothing
    open; (3) its answer is applied. No clear answer leaves the code UNKNOWN, and good if it arrives. Wrong answers
    stay counted. `owner` is the session that asks for it, None when we do ourselves. Raises `ChallengeNotFound`,
    `ChallengeOver`, `ChallengeNotYours`, `ChallengeKindUnavailable`, `CodeLimitReached`.
    """
    assert not connection.in_atomic_block, "no messenger is called inside a transaction"
    to = contacts.get(kind, "")
    with transaction.atomic(durable=True):
        row = Challenge.objects.locked().filter(pk=challenges.find(challenge).pk).first()
        if row is None:
            raise ChallengeNotFound("There is no such challenge.")
        _require_sendable(row, owner, kind, to)
        code, secret = _store(row, kind, to)
    message = _message(code, row, to, secret, language)
    fate = registry.messenger(kind).send(message)
    with transaction.atomic(durable=True):
        apply_code_fate(code=code, fate=fate)
    return challenges.challenge(challenge)


def _require_sendable(row: Challenge, owner: str | None, kind: str, to: str) -> None:
    if owner is not None and row.owner_key != challenges.owner_key(owner):
        raise ChallengeNotYours("Go on in the browser in which you began to pay.")
    if row.state != ChallengeState.OPEN or row.expires_at <= timezone.now():
        raise ChallengeOver("This payment does not wait for a code any more.")
    if kind not in BY_CODE or kind not in row.kinds or not to:
        raise ChallengeKindUnavailable("No code can be sent this way; choose another.", param="kind")
    if challenges.masked(kind, to) != row.sent_to.get(kind):
        raise ChallengeKindUnavailable("The address has changed; begin the payment again.", param="kind")
    if row.codes.count() >= MOST_CODES:
        raise CodeLimitReached(
            "No more codes are sent for this payment. Use the last one, or pay another way."
        )


def _store(row: Challenge, kind: str, to: str) -> tuple[ChallengeCode, str]:
    recipient = key_of(kind, to)
    named = {f"recipient:{recipient}", f"customer:{row.customer_key}", f"network:{row.network_key}"}
    ChallengeCode.objects.lock_senders(named)
    if challenges.too_many_lately(row, recipient):
        raise CodeLimitReached("Too many codes were sent lately. Pay another way, or try again in an hour.")
    secret = f"{secrets.randbelow(10**6):06d}"
    if row.kind != kind:
        row.kind = kind
        row.store()
    code = ChallengeCode(
        challenge=row,
        kind=kind,
        recipient_key=recipient,
        customer_key=row.customer_key,
        network_key=row.network_key,
        seal=row.seal(secret),
        expires_at=min(timezone.now() + CODE_LIFE, row.expires_at),
    )
    code.ask_later()
    code.save(force_insert=True)
    return code, secret


def _message(code: ChallengeCode, row: Challenge, to: str, secret: str, language: str) -> Message:
    spoken = "zh-hans" if language_of(language) == "zh" else "en"
    amount = Money(row.amount, row.currency).formatted(language_of(language))
    minutes = max(1, round((code.expires_at - code.created_at).total_seconds() / 60))
    with override(spoken):
        text = render_to_string(
            f"risk/code_by_{code.kind}.{spoken}.txt", {"code": secret, "amount": amount, "minutes": minutes}
        )
    subject, _, body = text.partition("\n")
    return Message(key=code.public_id, to=to, subject=subject.strip(), body=body.strip())
