"""What a language model may be told of a decision: figures, yes and no, words out of fixed sets. Pure.

Nothing that anybody typed passes: no reason of a list, no message of a rule, no name, address, e-mail, phone or card,
no identifier of a payment. A customer, card or device is "card A". What is not known to be harmless is left out.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from risk.features import Inputs
from risk.readings import UNKNOWN
from risk.rules import PolicyDocument, Rule, canonical
from risk.states import SEVERITY, Action, EntityKind, Stage
from risk.variables import variables

Value: TypeAlias = bool | int | float | str

VERSION = 1  # raise when the same decision would be told otherwise, or be asked about otherwise
RAISES, LOWERS = "raises", "lowers"
_NAME = re.compile(r"\b([a-z]+)\s*\.\s*([a-z0-9_]+)")
_KINDS = frozenset("card alipay wechat_pay unionpay e_cny bank_transfer crypto".split())
_BRANDS = frozenset("visa mastercard amex unionpay jcb discover diners".split())
_OF_LIMITS = ("used", "limit", "count", "most")
_WORDS: Mapping[str, re.Pattern[str] | frozenset[str]] = {
    "payment.stage": frozenset(Stage),
    "payment.currency": re.compile(r"[A-Z]{3}"),
    "payment.merchant_country": re.compile(r"[A-Z]{2}"),
    "instrument.kind": _KINDS,
    "instrument.brand": _BRANDS,
    "instrument.country": re.compile(r"[A-Z]{2}"),
    "delivery.country": re.compile(r"[A-Z]{2}"),
    "device.ip_country": re.compile(r"[A-Z]{2}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One ground of the decision, and the inputs that it rests on. Rank 1 weighed most; equal weights share a rank."""

    id: str
    points: int
    direction: str
    rank: int
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    score: int
    level: str
    action: str
    inputs: Mapping[str, Value]
    factors: tuple[Factor, ...]
    entities: tuple[str, ...]

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "decision": {"score": self.score, "level": self.level, "action": self.action},
            "entities": list(self.entities),
            "factors": [
                {
                    "id": one.id,
                    "rank": one.rank,
                    "points": one.points,
                    "direction": one.direction,
                    "inputs": list(one.inputs),
                }
                for one in self.factors
            ],
            "inputs": [{"id": name, "value": value} for name, value in self.inputs.items()],
        }


def mask(policy: PolicyDocument, inputs: Inputs, outcome: Mapping[str, Any]) -> Masked:
    """The masked facts of a decision that was stored with these `inputs` and this `outcome`."""
    rules = {rule.id: rule for rule in policy.rules}
    known = _harmless(variables(inputs, policy.rates, policy.named))
    found = [(ground, *_rests_on(ground, rules, known, inputs)) for ground in outcome["grounds"]]
    more = {name: value for _, _, own in found for name, value in own.items()}
    return Masked(
        score=outcome["score"],
        level=outcome["level"],
        action=outcome["action"],
        inputs=dict(sorted((known | more).items())),
        factors=_ranked([(ground, names) for ground, names, _ in found if names]),
        entities=tuple(pseudonym(kind) for kind in EntityKind if kind in inputs["entities"]),
    )


def digest(masked: Masked, model: str) -> str:
    """What an answer is found by again: the same facts, told in the same way to the same model."""
    asked = {"version": VERSION, "model": model, "facts": masked.told()}
    return hashlib.sha256(canonical(asked)).hexdigest()


def pseudonym(kind: str) -> str:
    return f"{kind} A"


def _harmless(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    return {
        f"{group}.{item}": value
        for group, items in groups.items()
        for item, value in items.items()
        if _passes(f"{group}.{item}", value)
    }


def _passes(name: str, value: Any) -> bool:
    if isinstance(value, str):
        allowed = _WORDS.get(name)
        if isinstance(allowed, re.Pattern):
            return allowed.fullmatch(value) is not None
        return allowed is not None and value in allowed
    return isinstance(value, bool | int) or (isinstance(value, float) and value != UNKNOWN)


def _rests_on(
    ground: Mapping[str, Any], rules: Mapping[str, Rule], known: Mapping[str, Value], inputs: Inputs
) -> tuple[tuple[str, ...], dict[str, Value]]:
    """The names of a ground's inputs, and those of them that no rule could name."""
    own = dict(_own(ground, inputs))
    rule = rules.get(ground["code"]) if ground["source"] == "rule" else None
    named = _names(rule) if rule else ()
    return (*own, *(name for name in named if name in known)), own


def _names(rule: Rule) -> Iterator[str]:
    text = " ".join((rule.expression, *rule.message.values()))
    yield from dict.fromkeys(f"{group}.{item}" for group, item in _NAME.findall(text))


def _own(ground: Mapping[str, Any], inputs: Inputs) -> Iterator[tuple[str, Value]]:
    code, params = ground["code"], ground["params"]
    match ground["source"]:
        case "list":
            yield f"list.{code.removeprefix('list_')}", pseudonym(params["entity"])
        case "limit":
            yield from ((f"{code}.{name}", params[name]) for name in _OF_LIMITS if name in params)
        case "model":
            yield "model.per_mille", params["per_mille"]
            causes = str(params["causes"]).split(", ")
            yield from (
                (f"model.{name}", points) for name, points in inputs["model"]["groups"] if name in causes
            )
        case "deadline":
            yield "deadline.milliseconds", params["milliseconds"]


def _ranked(grounds: Sequence[tuple[Mapping[str, Any], tuple[str, ...]]]) -> tuple[Factor, ...]:
    """What forces an action comes first, then by points."""
    weighed = [(one, names) for one, names in grounds if one["weight"] or one["action"]]
    weighed.sort(key=lambda pair: _strength(pair[0]), reverse=True)
    strengths = [_strength(one) for one, _ in weighed]
    return tuple(
        Factor(
            id=one["code"],
            points=one["weight"],
            direction=_direction(one),
            rank=1 + strengths.index(_strength(one)),
            inputs=names,
        )
        for one, names in weighed
    )


def _strength(ground: Mapping[str, Any]) -> tuple[int, int]:
    forced = SEVERITY[Action(ground["action"])] + 1 if ground["action"] and not ground["weight"] else 0
    return forced, abs(ground["weight"])


def _direction(ground: Mapping[str, Any]) -> str:
    lowers = ground["weight"] < 0 or (not ground["weight"] and ground["action"] == Action.ACCEPT)
    return LOWERS if lowers else RAISES
