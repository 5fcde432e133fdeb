"""The judge: a policy and the inputs of a decision in, a judgement out. Pure; the same bytes every time.

Order of authority: lists (fatal, white, black, grey), then limits, then rules. Rules are CEL expressions over the
variables of `variables()`; amounts there are minor units.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import cel
import orjson

from ledger.sentences import Sentence
from risk import trust
from risk.errors import InvalidRule
from risk.expressions import Together, fault, fields_in, program
from risk.features import Inputs, is_after
from risk.layouts import Number
from risk.limits import Limit, exceeded
from risk.model_use import ModelUse
from risk.operands import Asked, asked
from risk.states import SEVERITY, Action, ChallengeKind, Level, ListKind, Stage
from risk.variables import FIELDS, NAMED, in_cny, variables

ENGINE = 1  # raise when the same policy and inputs would give another judgement
ANY_GROUND = "*"
# What a policy that says nothing of challenges asks for: cards only can be challenged.
BY_THE_BANK: Mapping[str, tuple[str, ...]] = {ANY_GROUND: (ChallengeKind.THREE_D_SECURE,)}
_CAUSES = 3
_PLACEHOLDER = re.compile(r"\{([a-z_]+\.[a-z0-9_]+)\}")
_WORD = re.compile(r"\w+")
_WINDOW = re.compile(r"\b(signal|velocity)\s*\.\s*([a-z0-9_]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`action` is the least that follows when the rule fires, whatever the score ("" for none).

    `expires_on` ("2026-12-31", "" for never) is the last day, by the merchant's calendar, whose payments it judges.
    """

    id: str
    version: int
    expression: str
    weight: int
    action: str
    message: Mapping[str, str]  # by language
    owner: str = ""
    expires_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    medium_above: int
    challenge_above: int
    high_above: int
    reject_from: int
    explain_above: int
    grey_weight: int
    review_minutes: int
    deadline_ms: int = 50  # after so long rules alone decide
    late_weight: int = 0  # added then; with it, at least a challenge follows
    verify_device_from: int = (
        0  # CNY minor units from which a customer proves to sit at a strange device; 0: never
    )
    # Of a thousand accepted payments, and of a thousand decided cases, so many are looked at (again) by a person.
    sample_per_mille: int = 0
    second_look_per_mille: int = 0


@dataclass(frozen=True, kw_only=True)
class PolicyDocument:
    """A policy as the judge reads it. `rates` is CNY for one major unit; for comparing, never for charging."""

    name: str  # "starting@1"
    rules: tuple[Rule, ...]
    thresholds: Thresholds
    limits: Mapping[int, Limit]  # by verification level; a level without an entry has none
    rates: Mapping[str, Decimal]
    model: ModelUse | None = None
    # by the code of a ground that is the only cause, or ANY_GROUND: kinds of challenge, the best first
    challenge: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BY_THE_BANK)

    @cached_property
    def named(self) -> frozenset[tuple[str, str]]:
        """The signals and velocities that its rules read."""
        return named_in(*self.rules)

    @cached_property
    def messages(self) -> dict[str, Mapping[str, str]]:
        """Its rules' messages, by the rule."""
        return {rule.id: rule.message for rule in self.rules}

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups of variables that its rules may read: whatever one of them has as a word."""
        words = set(_WORD.findall(" ".join(_texts(*self.rules))))
        return frozenset(group for group in FIELDS if group in words)

    @cached_property
    def together(self) -> Together:
        """Its rules' expressions."""
        return Together([rule.expression for rule in self.rules], FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One cause. `source` is "list", "limit" or "rule"; `params` fill the message."""

    code: str
    source: str
    weight: int
    action: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "code": self.code,
            "source": self.source,
            "weight": self.weight,
            "action": self.action,
            "params": dict(self.params),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    policy: str
    score: int
    level: Level
    action: Action
    grounds: tuple[Ground, ...]
    amount_cny: int | None  # what the payment counts as against limits; None without a known rate
    challenges: tuple[str, ...] = ()  # the kinds that will do, the best first


def canonical(value: Any) -> bytes:
    """JSON that is the same bytes for the same content."""
    return _canonical.encode(value).encode()


def canonical_inputs(inputs: Inputs) -> bytes:
    """The same of inputs, which hold no floating point: there alone the two writers of JSON may differ."""
    return orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def outcome(judgement: Judgement) -> dict[str, Any]:
    """What must come out again when a decision is replayed (words are rendered from it, and may be improved)."""
    told = {
        "engine": ENGINE,
        "policy": judgement.policy,
        "score": judgement.score,
        "level": str(judgement.level),
        "action": str(judgement.action),
        "grounds": [ground.told() for ground in judgement.grounds],
    }
    if judgement.challenges not in ((), (ChallengeKind.THREE_D_SECURE,)):
        told["challenges"] = [str(kind) for kind in judgement.challenges]
    return told


def digest(inputs: Inputs, result: Mapping[str, Any]) -> str:
    """The fingerprint of a decision: its inputs and its outcome."""
    return digest_of(canonical_inputs(inputs), canonical(result))


def digest_of(inputs: bytes, result: bytes) -> str:
    """The same of what is canonical already."""
    return hashlib.sha256(b'{"inputs":%b,"outcome":%b}' % (inputs, result)).hexdigest()


def check_rule(rule: Rule, inputs: Inputs, rates: Mapping[str, Decimal]) -> bool:
    """Whether `rule` fires on `inputs`. Raises `InvalidRule` unless it compiles and answers yes or no."""
    try:
        named = variables(inputs, rates, named_in(rule))
        answer = program(rule.expression).execute(cel.Context(variables=named))
        for group, name in fields_in(rule.expression):
            if group in named:
                named[group][name]
    except Exception as problem:  # the evaluator raises whatever its operators raise
        wrong = fault(rule.expression, problem, NAMED)
        raise InvalidRule(
            wrong.told(rule.id),
            param=rule.id,
            line=wrong.line,
            column=wrong.column,
            detail=wrong.detail,
        ) from problem
    if not isinstance(answer, bool):
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s: the expression must answer true or false, not %(kind)s.",
                rule=rule.id,
                kind=type(answer).__name__,
            ),
            param=rule.id,
        )
    return answer


def named_in(*rules: Rule) -> frozenset[tuple[str, str]]:
    """The signals and velocities that rules read: all of them would cost more than the rules."""
    return frozenset(found for text in _texts(*rules) for found in _WINDOW.findall(text))


def _texts(*rules: Rule) -> list[str]:
    return [text for rule in rules for text in (rule.expression, *rule.message.values())]


def judge(policy: PolicyDocument, inputs: Inputs, signals: Sequence[Number] | None = None) -> Judgement:
    """The judgement of `policy` on `inputs`. Never raises on inputs made by `features.inputs_of`.

    Who has read the signals of `inputs` already (`layouts.read`) tells them.
    """
    facts = inputs["facts"]
    amount_cny = in_cny(facts["amount"], facts["currency"], policy.rates)
    final = _final_list(inputs)
    if final is not None:
        accepted = final.action == Action.ACCEPT
        grounds: tuple[Ground, ...] = (final,)
        score = 0 if accepted else policy.thresholds.reject_from
    else:
        grounds = (
            *_grey(policy, inputs),
            *_limits(policy, inputs, amount_cny),
            *_device(policy, inputs, amount_cny),
            *_rules(policy, inputs, amount_cny, signals),
            *_model(policy, inputs, amount_cny),
            *_late(policy, inputs),
        )
        score = min(max(sum(ground.weight for ground in grounds), 0), 9999)
    challenges = _challenges(policy, grounds, inputs)
    action = _action(policy.thresholds, score, grounds, inputs, final)
    if action == Action.CHALLENGE and not challenges:
        action = Action.REVIEW  # nothing that this customer could answer
    return Judgement(
        policy=policy.name,
        score=score,
        level=_level(policy.thresholds, score),
        action=action,
        grounds=grounds,
        amount_cny=amount_cny,
        challenges=challenges if action == Action.CHALLENGE else (),
    )


def _challenges(policy: PolicyDocument, grounds: tuple[Ground, ...], inputs: Inputs) -> tuple[str, ...]:
    """What the policy asks for and the customer has."""
    facts = inputs["facts"]
    has = set(facts.get("challenges", ()))
    # Policies that know of no other challenge ask every card's bank, as they always did.
    asks_all = policy.challenge == BY_THE_BANK
    if facts["instrument"]["kind"] == "card" and (
        asks_all or facts["instrument"].get("three_d_secure", True)
    ):
        has.add(ChallengeKind.THREE_D_SECURE)
    causes = {ground.code for ground in grounds if ground.weight > 0 or ground.action}
    causes = {trust.UNVERIFIED} & causes or causes  # who sits there is proven, whatever else is asked
    only = causes.pop() if len(causes) == 1 else ANY_GROUND
    wanted = policy.challenge.get(only) or policy.challenge[ANY_GROUND]
    return tuple(str(kind) for kind in wanted if kind in has)


def _level(thresholds: Thresholds, score: int) -> Level:
    if score > thresholds.high_above:
        return Level.HIGH
    return Level.MEDIUM if score > thresholds.medium_above else Level.LOW


def _action(
    thresholds: Thresholds, score: int, grounds: tuple[Ground, ...], inputs: Inputs, final: Ground | None
) -> Action:
    if final is not None:
        return Action(final.action)
    floors = [Action(ground.action) for ground in grounds if ground.action]
    action = max([_by_score(thresholds, score), *floors], key=SEVERITY.__getitem__)
    if inputs["facts"]["stage"] == Stage.ORDER:  # nothing to challenge or to hold before there is an order
        return Action.REJECT if action == Action.REJECT else Action.ACCEPT
    return action


def _by_score(thresholds: Thresholds, score: int) -> Action:
    if score >= thresholds.reject_from:
        return Action.REJECT
    if score > thresholds.high_above:
        return Action.REVIEW
    return Action.CHALLENGE if score > thresholds.challenge_above else Action.ACCEPT


def _final_list(inputs: Inputs) -> Ground | None:
    verdicts = {ListKind.FATAL: Action.REJECT, ListKind.WHITE: Action.ACCEPT, ListKind.BLACK: Action.REJECT}
    for kind, action in verdicts.items():
        for hit in inputs["lists"]:
            if hit["kind"] == kind:
                return Ground(code=f"list_{kind}", source="list", weight=0, action=action, params=_hit(hit))
        if kind == ListKind.FATAL and (why := trust.frozen(inputs)) is not None:  # no white entry thaws it
            return Ground(code=trust.FROZEN, source="device", weight=0, action=Action.REJECT, params=why)
    return None


def _grey(policy: PolicyDocument, inputs: Inputs) -> Iterator[Ground]:
    for hit in inputs["lists"]:
        if hit["kind"] == ListKind.GREY:  # several entries are one suspicion
            weight = policy.thresholds.grey_weight
            yield Ground(
                code="list_grey", source="list", weight=weight, action=Action.CHALLENGE, params=_hit(hit)
            )
            return


def _hit(hit: Mapping[str, str]) -> dict[str, str]:
    return {"entry": hit["entry"], "entity": hit["entity"], "reason": hit["reason"]}


def _limits(policy: PolicyDocument, inputs: Inputs, amount_cny: int | None) -> Iterator[Ground]:
    customer = inputs["facts"]["customer"]
    limit = policy.limits.get(customer["verification_level"]) if customer["reference"] else None
    if limit is None or amount_cny is None:
        return
    for over in exceeded(limit, inputs, amount_cny):
        params = dict(over.params)
        yield Ground(code=over.code, source="limit", weight=0, action=Action.REJECT, params=params)


def _device(policy: PolicyDocument, inputs: Inputs, amount_cny: int | None) -> Iterator[Ground]:
    for code, action, params in trust.grounds(inputs, amount_cny, policy.thresholds.verify_device_from):
        yield Ground(code=code, source="device", weight=0, action=action, params=params)


def _model(policy: PolicyDocument, inputs: Inputs, amount_cny: int | None) -> Iterator[Ground]:
    """What the policy's own model said; the answer of another one says nothing here."""
    answer = inputs.get("model")
    if answer is None or policy.model is None or answer["name"] != policy.model.name:
        return
    weight = policy.model.weight(answer["probability_ppm"])
    device = inputs["facts"]["device"]
    seen = device["identifier"] or device["ip"]
    action = policy.model.action(answer["probability_ppm"], amount_cny) if seen else ""
    if weight or action:
        causes = ", ".join(group for group, points in answer["groups"][:_CAUSES] if points > 0)
        # In tenths of a percent, so that the words need no arithmetic.
        per_mille = answer["probability_ppm"] // 1000
        params = {"model": policy.model.name, "causes": causes, "per_mille": per_mille}
        yield Ground(code="model", source="model", weight=weight, action=action, params=params)


def _late(policy: PolicyDocument, inputs: Inputs) -> Iterator[Ground]:
    if "deadline" in inputs.get("degraded", ()):
        weight, params = policy.thresholds.late_weight, {"milliseconds": policy.thresholds.deadline_ms}
        action = Action.CHALLENGE if weight else ""
        yield Ground(code="decided_late", source="deadline", weight=weight, action=action, params=params)


def _rules(
    policy: PolicyDocument, inputs: Inputs, amount_cny: int | None, signals: Sequence[Number] | None
) -> list[Ground]:
    asking = asked(inputs, amount_cny, signals)
    answers = policy.together.answers(
        asking, lambda: variables(inputs, policy.rates, policy.named, policy.groups)
    )
    fired = [(policy.rules[place], fires) for place, fires in enumerate(answers) if fires is not False]
    return [
        _ground(rule, fires, asking)
        for rule, fires in fired
        if not (rule.expires_on and is_after(inputs, rule.expires_on))
    ]


def _ground(rule: Rule, fires: Any, asked: Asked) -> Ground:
    """Of a rule that fired, or could not say."""
    if fires is not True:
        params = {"rule": rule.id}
        return Ground(code="rule_failed", source="rule", weight=0, action=Action.REVIEW, params=params)
    return Ground(
        code=rule.id, source="rule", weight=rule.weight, action=rule.action, params=_params(rule, asked)
    )


def _params(rule: Rule, asked: Asked) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name in placeholders(rule.message):
        params[name] = NAMED[name].read(asked)
        if name == "payment.amount":  # an amount means nothing without its currency
            params["payment.currency"] = asked.facts["currency"]
    return params


def placeholders(message: Mapping[str, str]) -> list[str]:
    """The variables that a message names, in every language."""
    return sorted({name for words in message.values() for name in _PLACEHOLDER.findall(words)})
