"""Judge one payment."""

from dataclasses import asdict
from datetime import timedelta
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from ledger import identifiers
from risk import evidence, features, rules, selectors, starting, wording
from risk.facts import PaymentFacts, Reason, Verdict
from risk.models import Decision, LimitUse, Policy, RiskCase
from risk.models.lists import entity_secret
from risk.rules import Judgement, PolicyDocument
from risk.states import Action, EntityKind, PolicyState, Stage


def assess(*, facts: PaymentFacts) -> Verdict:
    """This will judge a payment by the active policy and store the decision with all that it looked at.

    Operation: needs an open transaction. Opens a case when a person must decide. Raises nothing for any facts.
    Locks the customer's limits (verified customers, at the payment's stage only): call it with the payment locked,
    before stock. Two statements, and one more for each of: limits locked, limits taken, case opened.
    """
    assert connection.in_atomic_block, "assess() belongs to the transaction of the payment that it judges"
    started = perf_counter_ns()
    entities = features.entities(facts, secret=entity_secret())
    keys = _keys(dict(entities))
    limited = _has_limits(facts)
    if limited:
        LimitUse.objects.lock_customer(keys["customer"])
    gathered = evidence.gather(facts, entities, keys)
    policy_id = gathered.policy_id or _starting_policy()
    policy = selectors.policy_document(policy_id)
    inputs = features.inputs_of(facts, gathered.evidence, _single(entities))
    judgement = rules.judge(policy, inputs)
    decision = _store(facts, policy_id, policy, inputs, judgement, keys, started)
    if limited and judgement.action != Action.REJECT and judgement.amount_cny is not None:
        _take_limit(decision, keys["customer"], judgement.amount_cny)
    case = _case(decision, gathered.live_case_id, policy) if judgement.action == Action.REVIEW else None
    return _verdict(decision, policy.name, case)


def _has_limits(facts: PaymentFacts) -> bool:
    payment = features.stage(facts.stage) == Stage.PAYMENT
    return payment and facts.customer.verification_level > 0 and bool(features.text(facts.customer.reference))


def _keys(known: dict[str, str]) -> dict[str, str]:
    """A guest is known by the e-mail address."""
    return {
        "customer": known.get(EntityKind.CUSTOMER) or known.get(EntityKind.EMAIL, ""),
        "card": known.get(EntityKind.CARD, ""),
        "device": known.get(EntityKind.DEVICE, ""),
    }


def _single(entities: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {kind: key for kind, key in entities if kind != EntityKind.SKU}


def _starting_policy() -> UUID:
    """Nothing decides at all (a restored or emptied database): the policy that ships does, rather than no one."""
    policy, _ = Policy.objects.get_or_create(
        name=starting.NAME,
        version=starting.VERSION,
        defaults={
            "rules": starting.RULES,
            "thresholds": starting.THRESHOLDS,
            "limits": starting.LIMITS,
            "rates": starting.RATES,
            "state": PolicyState.ACTIVE,
            "created_by": "system",
        },
    )
    return policy.pk


def _store(
    facts: PaymentFacts,
    policy_id: UUID,
    policy: PolicyDocument,
    inputs: dict[str, Any],
    judgement: Judgement,
    keys: dict[str, str],
    started: int,
) -> Decision:
    outcome = rules.outcome(judgement)
    reasons = _reasons(policy, judgement)
    return Decision.objects.create(
        stage=inputs["facts"]["stage"],
        subject=inputs["facts"]["subject"],
        happened_at=features.moment(facts.happened_at),
        amount=inputs["facts"]["amount"],
        currency=inputs["facts"]["currency"][:3],
        policy_id=policy_id,
        inputs=inputs,
        outcome=outcome,
        reasons=reasons,
        explanation=_explanation(policy, judgement, reasons),
        score=judgement.score,
        level=judgement.level,
        action=judgement.action,
        digest=rules.digest(inputs, outcome),
        latency_us=(perf_counter_ns() - started) // 1000,
        customer_key=keys["customer"],
        card_key=keys["card"],
        device_key=keys["device"],
    )


def _reasons(policy: PolicyDocument, judgement: Judgement) -> list[dict[str, Any]]:
    messages = {rule.id: rule.message for rule in policy.rules}
    return [
        {**asdict(ground), "message": wording.message_of(ground, messages)} for ground in judgement.grounds
    ]


def _explanation(policy: PolicyDocument, judgement: Judgement, reasons: list[dict[str, Any]]) -> str:
    if judgement.score <= policy.thresholds.explain_above and judgement.action == Action.ACCEPT:
        return ""
    words = [(reason.text, reason.weight) for reason in selectors.reasons_in_words(reasons)]
    return wording.explanation(
        score=judgement.score, level=judgement.level, action=judgement.action, reasons=words
    )


def _take_limit(decision: Decision, customer_key: str, amount_cny: int) -> None:
    LimitUse.objects.take(
        LimitUse(
            subject=decision.subject,
            customer_key=customer_key,
            used_on=features.calendar_day(decision.happened_at),
            amount=amount_cny,
        )
    )


def _case(decision: Decision, live_case_id: UUID | None, policy: PolicyDocument) -> RiskCase:
    """The case that a person decides: the one that is open on this subject already, or a new one."""
    if live_case_id is not None:
        return RiskCase.objects.get(pk=live_case_id)
    now = timezone.now()
    return RiskCase.objects.create(
        decision=decision,
        subject=decision.subject,
        opened_at=now,
        decide_by=now + timedelta(minutes=policy.thresholds.review_minutes),
    )


def _verdict(decision: Decision, policy: str, case: RiskCase | None) -> Verdict:
    reasons: tuple[Reason, ...] = selectors.reasons_in_words(decision.reasons)
    return Verdict(
        decision=decision.public_id,
        action=str(decision.action),
        level=str(decision.level),
        score=decision.score,
        reasons=reasons,
        explanation=decision.explanation,
        policy=policy,
        case=identifiers.encode("case", case.pk) if case else "",
        decide_by=case.decide_by if case else None,
        challenges=tuple(decision.outcome.get("challenges", ())),
    )
