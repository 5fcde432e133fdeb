"""Judge the customer's answer to a challenge."""

import hmac
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from risk import challenges, devices, passkeys, puzzles
from risk.errors import ChallengeNotYours, ChallengeOver, DeviceFrozen
from risk.models import Challenge, ChallengeCode
from risk.services.note_proof import note_proof
from risk.services.verify_device import verify_device
from risk.states import BY_CODE, ChallengeKind, ChallengeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`over` when the challenge has failed with this answer."""

    passed: bool
    over: bool
    answers_left: int


def check_challenge(
    *, challenge: str, subject: str, amount: int, currency: str, owner: str, kind: str, answer: str
) -> Trial:
    """This will judge `answer` once: right closes the challenge as PASSED, the fifth wrong one as FAILED.

    Operation: needs an open transaction; locks the challenge (after the payment), and the caller moves the payment
    in the same transaction. `subject`, amount in minor units and session `owner` must be those that were challenged.
    A proof of the customer verifies the device that asked. Raises `ChallengeOver`, `ChallengeNotYours` and
    `DeviceFrozen`; a wrong answer raises nothing, so that it is counted.
    """
    assert connection.in_atomic_block, "check_challenge() belongs to the transaction that moves the payment"
    row = Challenge.objects.locked().get(pk=challenges.find(challenge).pk)
    if not hmac.compare_digest(row.owner_key, challenges.owner_key(owner)):
        raise ChallengeNotYours("Go on in the browser in which you began to pay.")
    now = timezone.now()
    same = (row.subject, row.amount, row.currency) == (subject, amount, currency)
    if row.state != ChallengeState.OPEN or row.expires_at <= now or not same:
        raise ChallengeOver("This payment does not wait for an answer any more.")
    if devices.is_frozen(row.decision.device_key, row.decision.customer_key):
        raise DeviceFrozen("This device can not pay any more. Nothing was charged; write to us.")
    row.kind = kind if kind in row.kinds else row.kind
    if _is_right(row, answer):
        row.succeed(now)
        verify_device(decision=row.decision, kind=row.kind, happened_at=now)
    else:
        row.wrong_answers += 1
        if row.answers_left == 0:
            row.fail(now)
    row.store()
    if row.state != ChallengeState.OPEN:
        note_proof(
            subject=row.subject,
            kind=ChallengeKind(row.kind),
            passed=row.state == ChallengeState.PASSED,
            source=row.public_id,
            known_at=now,
        )
    return Trial(
        passed=row.state == ChallengeState.PASSED,
        over=row.state == ChallengeState.FAILED,
        answers_left=row.answers_left,
    )


def _is_right(row: Challenge, answer: str) -> bool:
    if row.kind in BY_CODE:
        return _is_code(row, answer)
    if row.kind == ChallengeKind.CAPTCHA:
        return puzzles.is_solved(row, answer)
    return row.kind == ChallengeKind.PASSKEY and passkeys.is_signed(row, answer)


def _is_code(row: Challenge, answer: str) -> bool:
    code = ChallengeCode.objects.newest(row)
    given = row.seal("".join(answer.split())[:20])
    # Compared whatever was found, so that the time taken tells nothing.
    same = hmac.compare_digest(code.seal if code else row.seal(row.nonce), given)
    return same and code is not None and code.expires_at > timezone.now()
