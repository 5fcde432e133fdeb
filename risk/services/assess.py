"""Judge one payment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from ledger import identifiers
from ledger.wire import Call, post
from risk import (
    coupons,
    evidence,
    features,
    histories,
    judges,
    layouts,
    lookback,
    observations,
    rules,
    selectors,
    sightings,
    starting_v3,
    ties,
    wording,
)
from risk.evidence import Gathered
from risk.facts import PaymentFacts, Reason, Verdict
from risk.histories import Recalled
from risk.judges import Judge
from risk.layouts import Number
from risk.lookback import Named
from risk.models import Decision, LimitUse, Policy, RiskCase
from risk.models.lists import entity_secret
from risk.rules import Judgement, PolicyDocument
from risk.services.open_look import open_look
from risk.stakes import drawn, expected_loss
from risk.states import Action, CaseKind, EntityKind, PolicyState, Stage


def assess(*, facts: PaymentFacts, waited_since: int | None = None) -> Verdict:
    """This will judge a payment by the active policy and store the decision with all that it looked at.

    What the past says comes from histories in Redis, which are told of the decision once it is committed. Without
    them it counts a little in the database; past the policy's deadline it leaves them out. Both are in the inputs.
    Who had to wait before says `waited_since` when (of `perf_counter_ns`): the deadline counts from there.

    Operation: needs an open transaction. Opens a case when a person must decide. Raises nothing for any facts.
    Locks the customer's limits (known customers, at the payment's stage only): call it with the payment locked,
    before stock. One round trip, and one more for each of: no histories, case opened; the decision leaves with
    what its transaction sends next, at the latest with COMMIT. Who was seen with what is kept after the commit.
    """
    assert connection.in_atomic_block, "assess() belongs to the transaction of the payment that it judges"
    started = perf_counter_ns() if waited_since is None else waited_since
    entities = features.entities(facts, secret=entity_secret())
    keys = _keys(dict(entities))
    spends = _may_spend(facts)
    single = _single(entities)
    named = observations.names_of(single, tuple(key for kind, key in entities if kind == EntityKind.SKU))
    answer = histories.asked(chain(*named.values()))
    likely = judges.known(evidence.likely_policy(keys["customer"]))
    gathered, past = evidence.gather(
        facts, entities, keys, lock=spends, meanwhile=lambda: _look_back(facts, single, named, answer, likely)
    )
    counts = evidence.counts(facts, keys) if past.recalled is None else {}
    judge = judges.judge(gathered.policy_id or _starting_policy())
    policy = judge.policy
    inputs = features.with_evidence(past.asked, facts, gathered.evidence)
    seen = _of_the_past(past, judge, named, counts, late=_is_late(started, policy))
    inputs |= seen
    judgement = rules.judge(policy, inputs, past.signals if seen is past.seen else None)
    limited = (
        spends and facts.customer.verification_level in policy.limits and judgement.action != Action.REJECT
    )
    use = _limit_use(inputs, keys["customer"], judgement, gathered, facts) if limited else None
    decision, written = _row(facts, judge, inputs, judgement, keys, started)
    post([written, use] if use else [written])
    _tell_at_commit(decision, policy, judgement, keys["customer"], dict(entities))
    case = _look(decision, judgement, gathered.live_case_id, policy)
    return _verdict(decision, policy.name, case)


def _tell_at_commit(
    decision: Decision, policy: PolicyDocument, judgement: Judgement, customer: str, entities: dict[str, str]
) -> None:
    """The histories, and whom the customer was seen with.

    Inside the payment's transaction a customer's payments in parallel would wait for each other.
    """
    transaction.on_commit(partial(_tell_histories, decision, policy.rates), robust=True)
    refused = judgement.action == Action.REJECT and any(one.source != "limit" for one in judgement.grounds)
    ties.keep(
        customer,
        entities,
        decision.happened_at,
        refused=refused,
        coupon=coupons.is_taking(decision.inputs),
        device=sightings.kept(decision.inputs),
        after_commit=True,
    )


def _tell_histories(decision: Decision, rates: Mapping[str, Decimal]) -> None:
    observation = observations.observation(decision.pk, decision.inputs, rates)
    if observation is not None:
        histories.note(observation)


def _look(
    decision: Decision, judgement: Judgement, live_case_id: UUID | None, policy: PolicyDocument
) -> RiskCase | None:
    """The case for which the payment waits; of a share of what is accepted, a person looks without holding it."""
    loss = expected_loss(
        amount=decision.amount if judgement.amount_cny is None else judgement.amount_cny,
        score=judgement.score,
        model=decision.inputs.get("model", {}),
    )
    if judgement.action == Action.REVIEW:
        return _case(decision, live_case_id, policy, loss)
    sampled = judgement.action == Action.ACCEPT and decision.stage == Stage.PAYMENT
    if sampled and drawn(decision.subject, per_mille=policy.thresholds.sample_per_mille):
        open_look(decision=decision, kind=CaseKind.SAMPLE, expected_loss=loss, at=timezone.now())
    return None


def _may_spend(facts: PaymentFacts) -> bool:
    return features.stage(facts.stage) == Stage.PAYMENT and bool(features.text(facts.customer.reference))


def _keys(known: dict[str, str]) -> dict[str, str]:
    """A guest is known by the e-mail address."""
    return {
        "customer": known.get(EntityKind.CUSTOMER) or known.get(EntityKind.EMAIL, ""),
        "card": known.get(EntityKind.CARD, ""),
        "device": known.get(EntityKind.DEVICE, ""),
    }


@dataclass(frozen=True, slots=True)
class _Past:
    """What is found out while the database gathers."""

    asked: dict[str, Any]  # of the inputs
    recalled: Recalled | None
    judge: Judge | None  # who judges most likely
    seen: dict[str, Any]  # of the inputs as well, if so
    signals: Sequence[Number] | None  # and read from them


def _look_back(
    facts: PaymentFacts,
    single: Mapping[str, str],
    named: Named,
    answer: Callable[[], Recalled | None],
    likely: Judge | None,
) -> _Past:
    asked = features.asked_of(facts, single)
    recalled = answer()
    seen = _seen_by(likely, asked, named, recalled) if likely and recalled else {}
    return _Past(asked, recalled, likely, seen, layouts.read(seen) if seen else None)


def _seen_by(judge: Judge, asked: Mapping[str, Any], named: Named, recalled: Recalled) -> dict[str, Any]:
    seen, found = lookback.look_back(asked, judge.policy.rates, named, recalled.histories, recalled.places)
    return seen | judge.ask_model(found)


def _of_the_past(
    past: _Past, judge: Judge, named: Named, counts: Mapping[str, int], *, late: bool
) -> dict[str, Any]:
    if late:
        return lookback.without_histories(named, {}, "deadline")
    if past.recalled is None:
        return lookback.without_histories(named, counts, "velocity")
    return past.seen if judge is past.judge else _seen_by(judge, past.asked, named, past.recalled)


def _is_late(started: int, policy: PolicyDocument) -> bool:
    return (perf_counter_ns() - started) // 1_000_000 > policy.thresholds.deadline_ms


def _single(entities: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {kind: key for kind, key in entities if kind != EntityKind.SKU}


def _starting_policy() -> UUID:
    """Nothing decides at all (a restored or emptied database): the policy that ships does, rather than no one."""
    policy, _ = Policy.objects.get_or_create(
        name=starting_v3.NAME,
        version=starting_v3.VERSION,
        defaults={
            "rules": starting_v3.RULES,
            "thresholds": starting_v3.THRESHOLDS,
            "limits": starting_v3.LIMITS,
            "rates": starting_v3.RATES,
            "model": starting_v3.MODEL,
            "state": PolicyState.ACTIVE,
            "created_by": "system",
        },
    )
    return policy.pk


def _row(
    facts: PaymentFacts,
    judge: Judge,
    inputs: dict[str, Any],
    judgement: Judgement,
    keys: dict[str, str],
    started: int,
) -> tuple[Decision, Call]:
    """The decision, not stored yet, and the statement that stores it."""
    policy, outcome = judge.policy, rules.outcome(judgement)
    reasons = _reasons(policy, judgement)
    told, concluded = rules.canonical_inputs(inputs), rules.canonical(outcome)
    decision = Decision(
        stage=inputs["facts"]["stage"],
        subject=inputs["facts"]["subject"],
        happened_at=features.moment(facts.happened_at),
        amount=inputs["facts"]["amount"],
        currency=inputs["facts"]["currency"][:3],
        policy_id=judge.policy_id,
        inputs=inputs,
        outcome=outcome,
        reasons=reasons,
        explanation=_explanation(policy, judgement, reasons),
        score=judgement.score,
        level=str(judgement.level),
        action=str(judgement.action),
        digest=rules.digest_of(told, concluded),
        latency_us=(perf_counter_ns() - started) // 1000,
        customer_key=keys["customer"],
        card_key=keys["card"],
        device_key=keys["device"],
    )
    return decision, decision.written(inputs=told.decode(), outcome=concluded.decode())


def _reasons(policy: PolicyDocument, judgement: Judgement) -> list[dict[str, Any]]:
    return [
        {**ground.told(), "message": wording.message_of(ground, policy.messages)}
        for ground in judgement.grounds
    ]


def _explanation(policy: PolicyDocument, judgement: Judgement, reasons: list[dict[str, Any]]) -> str:
    if judgement.score <= policy.thresholds.explain_above and judgement.action == Action.ACCEPT:
        return ""
    words = [(reason.text, reason.weight) for reason in selectors.reasons_in_words(reasons)]
    return wording.explanation(
        score=judgement.score, level=judgement.level, action=judgement.action, reasons=words
    )


def _limit_use(
    inputs: Mapping[str, Any],
    customer_key: str,
    judgement: Judgement,
    gathered: Gathered,
    facts: PaymentFacts,
) -> Call | None:
    if judgement.amount_cny is None:
        return None
    asked = inputs["facts"]
    return LimitUse.taken(
        subject=asked["subject"],
        customer_key=customer_key,
        used_on=features.calendar_day(facts.happened_at),
        amount=judgement.amount_cny,
        channel=asked["channel"],
        method=asked["instrument"]["kind"],
        merchant_key=inputs["entities"].get(EntityKind.MERCHANT, ""),
        new_merchant=gathered.new_merchant,
    )


def _case(decision: Decision, live_case_id: UUID | None, policy: PolicyDocument, loss: int) -> RiskCase:
    """The case that a person decides: the one that is open on this subject already, or a new one."""
    if live_case_id is not None:
        return RiskCase.objects.get(pk=live_case_id)
    now = timezone.now()
    return RiskCase.objects.create(
        decision=decision,
        subject=decision.subject,
        opened_at=now,
        decide_by=now + timedelta(minutes=policy.thresholds.review_minutes),
        expected_loss=loss,
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
