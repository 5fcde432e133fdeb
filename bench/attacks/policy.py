"""The policy that is attacked."""

from risk import starting_v3
from risk.services.activate_policy import activate_policy
from risk.services.draft_policy import draft_policy


def decide_by(*, graph: bool, model: bool) -> str:
    """The policy that ships, or a part of it; with time, as how busy the machine is is not the question."""
    drafted = draft_policy(
        name="attacked",
        rules=[rule for rule in starting_v3.RULES if graph or "graph." not in rule["expression"]],
        thresholds=starting_v3.THRESHOLDS | {"deadline_ms": 5000},
        limits=starting_v3.LIMITS,
        rates=starting_v3.RATES,
        model=starting_v3.MODEL if model else None,
        actor="bench",
    )
    activate_policy(policy=drafted, actor="second", reason="to be attacked")
    return drafted
