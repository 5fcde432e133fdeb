"""Proof of work for the customer's browser, by altcha's protocol: nobody else is asked, nothing is tracked."""

import hashlib
import hmac
from datetime import UTC
from typing import Any

from altcha.v1 import ChallengeOptions, Payload, create_challenge, extract_params, verify_solution

from risk.models import Challenge
from risk.models.lists import entity_secret

# About a second of a phone's time; a machine that tries a thousand cards pays it a thousand times.
WORK = 60_000


def puzzle(row: Challenge) -> dict[str, Any]:
    """A new puzzle for this challenge, in the words of the protocol. Nothing is stored: it carries its signature."""
    made = create_challenge(
        ChallengeOptions(
            algorithm="SHA-256",
            max_number=WORK,
            hmac_key=_key(),
            expires=row.expires_at.astimezone(UTC),
            params={"challenge": row.public_id},
        )
    )
    return dict(made.to_dict())


def is_solved(row: Challenge, answer: str) -> bool:
    """Whether `answer` (the protocol's base64) solves a puzzle that was made for this challenge."""
    try:
        payload = Payload.from_base64(answer)
        meant = extract_params(payload.to_dict()).get("challenge", [])
        solved, _ = verify_solution(payload.to_dict(), _key())
    except Exception:  # noqa: BLE001 -- whatever came from outside and can not be read is no solution
        return False
    return solved and meant == [row.public_id]


def _key() -> str:
    """Of its own, so that what is signed here signs nothing elsewhere."""
    return hmac.digest(entity_secret(), b"risk.puzzles", hashlib.sha256).hex()
