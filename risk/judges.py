"""Who judges: a policy with its model, in memory, so that to ask them takes no database."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from risk import scorers, selectors
from risk.errors import ModelNotFound, UnusableModel
from risk.rules import PolicyDocument
from risk.scorers import Loaded
from risk.signals import Signals

log = structlog.get_logger(__name__)

_MOST = 16
_known: dict[UUID, "Judge"] = {}


@dataclass(frozen=True, slots=True)
class Judge:
    """A policy that has left DRAFT. `model` is None where it has none, or none that can be asked."""

    policy_id: UUID
    policy: PolicyDocument
    model: Loaded | None

    def ask_model(self, found: Signals) -> dict[str, Any]:
        """What the model says, as it is stored; one that can not be asked leaves the rules to decide."""
        if self.policy.model is None:
            return {}
        if self.model is None:
            return {"degraded": ["model"]}
        answer = scorers.answer_of(self.model, found)
        return {
            "model": {
                "name": answer.name,
                "digest": answer.digest,
                "points": answer.score,
                "base": answer.base,
                "probability_ppm": answer.probability_ppm,
                "groups": [[group, points] for group, points in answer.groups],
            }
        }


def known(policy_id: UUID | None) -> Judge | None:
    """One that has judged in this process before. Reads nothing."""
    return _known.get(policy_id) if policy_id else None


def judge(policy_id: UUID) -> Judge:
    """Reads once per process what judges, and a model that could not be read each time again."""
    return _known.get(policy_id) or _read(policy_id)


def _read(policy_id: UUID) -> Judge:
    policy = selectors.policy_document(policy_id)
    model = None
    if policy.model is not None:
        try:
            model = scorers.loaded(policy.model.name)
            scorers.prepare_soon(model)
        except (ModelNotFound, UnusableModel) as problem:
            log.error("risk.model_unusable", model=policy.model.name, problem=str(problem))  # noqa: TRY400 -- in words
            return Judge(policy_id, policy, None)
    if len(_known) >= _MOST:
        _known.clear()
    _known[policy_id] = Judge(policy_id, policy, model)
    return _known[policy_id]
