"""Whether a policy does what is expected of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from risk import rules
from risk.models import Expectation
from risk.rules import PolicyDocument
from risk.states import Must

MOST = 200  # of one policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """`action` is what the policy answers, `fired` the rules that fire. `about` is dec_…, or the example."""

    id: str
    label: str
    about: str
    must: str
    value: str
    met: bool
    action: str
    fired: Sequence[str]


def checked(document: PolicyDocument, policy: str) -> list[Checked]:
    """Every expectation of the policy called `policy` (a name without version), held against `document`."""
    rows = Expectation.objects.live(policy).select_related("decision")[:MOST]
    return [_checked(document, row) for row in rows]


def unmet(document: PolicyDocument, policy: str) -> list[Checked]:
    return [one for one in checked(document, policy) if not one.met]


def _checked(document: PolicyDocument, row: Expectation) -> Checked:
    inputs: Mapping[str, Any] = row.decision.inputs if row.decision else row.inputs
    judgement = rules.judge(document, inputs)
    fired = [ground.code for ground in judgement.grounds if ground.source == "rule"]
    answers = {
        Must.ACTION: judgement.action == row.value,
        Must.HIT: row.value in fired,
        Must.MISS: row.value not in fired,
    }
    return Checked(
        id=row.public_id,
        label=row.label,
        about=row.decision.public_id if row.decision else json.dumps(row.example, ensure_ascii=False),
        must=row.must,
        value=row.value,
        met=answers[Must(row.must)],
        action=str(judgement.action),
        fired=fired,
    )
