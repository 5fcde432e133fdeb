"""Which decisions a person looks at besides those that wait, and what is at stake in each. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

_MILLION = 1_000_000
_CERTAIN = 100  # a score from which on the whole amount counts as lost


def drawn(name: str, *, per_mille: int) -> bool:
    """Whether `name` belongs to the share that is looked at: always the same answer for the same name and share."""
    number = int.from_bytes(hashlib.sha256(f"risk.look:{name}".encode()).digest()[:8], "big")
    return number % 1000 < per_mille


def expected_loss(*, amount: int, score: int, model: Mapping[str, Any]) -> int:
    """Minor units that are lost on average when nobody looks: by the model's probability, else by the score."""
    probability = model.get("probability_ppm")
    if probability is None:
        probability = min(max(score, 0), _CERTAIN) * _MILLION // _CERTAIN
    return max(amount, 0) * min(int(probability), _MILLION) // _MILLION
