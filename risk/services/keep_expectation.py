"""Keep what a policy must answer."""

import re
from typing import Any

from django.db import transaction

from ledger import audit
from ledger.sentences import Sentence
from risk.errors import InvalidExpectation
from risk.expectations import MOST
from risk.models import Expectation, Policy
from risk.selectors import decision_row
from risk.sketches import inputs_of_sketch
from risk.states import Action, Must

_RULE = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")


def keep_expectation(
    *,
    policy: str,
    label: str,
    must: str,
    value: str,
    actor: str,
    decision: str = "",
    example: Any = None,
) -> str:
    """This will keep that every version of `policy` (a name without version) answers one payment as expected.

    The payment is a stored `decision` (dec_…) or an `example` (see `risk.sketches`). `must` is "action" (`value`:
    which), "hit" or "miss" (`value`: a rule's id). Use case; returns exp_…. Raises `InvalidExpectation` and
    `DecisionNotFound`.
    """
    if not label.strip() or must not in list(Must):
        raise InvalidExpectation(Sentence("Say what is expected, in words, and how it shows."), param="label")
    if value not in list(Action) if must == Must.ACTION else not _RULE.match(value):
        raise InvalidExpectation(Sentence("Name an action, or a rule by its id."), param="value")
    if bool(decision) == bool(example):
        raise InvalidExpectation(
            Sentence("Name a stored decision, or give an example: one of both."), param="decision"
        )
    row = decision_row(decision) if decision else None
    inputs = {} if row else inputs_of_sketch(example)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=label[:200])
        Policy.objects.lock_switching()
        if not Policy.objects.filter(name=policy).exists():
            raise InvalidExpectation(Sentence("There is no policy of this name."), param="policy")
        if Expectation.objects.live(policy).count() >= MOST:
            raise InvalidExpectation(
                Sentence("A policy has at most %(most)s expectations; end one first.", most=MOST),
                param="policy",
            )
        made = Expectation.objects.create(
            policy=policy,
            label=label.strip()[:200],
            decision=row,
            example=example or {},
            inputs=inputs,
            must=must,
            value=value,
            created_by=actor,
        )
        audit.record(action="expectation.kept", object_id=made.public_id, before="", after=f"{must} {value}")
    return made.public_id
