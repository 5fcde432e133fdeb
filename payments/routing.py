"""Which channel a payment goes to, and why the others were left out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """The ordered channels that may serve, and a reason for each that may not."""

    eligible: tuple[str, ...]
    left_out: Mapping[str, str]

    def record(self, chosen: str) -> dict[str, object]:
        """What the attempt stores about the choice."""
        return {"chosen": chosen, "eligible": list(self.eligible), "left_out": dict(self.left_out)}


def route(method: str, methods: Mapping[str, Sequence[str]], configured: frozenset[str]) -> Route:
    """Channels for `method` in order of preference, as `methods` lists them; only `configured` ones are eligible."""
    candidates = methods.get(method, ())
    return Route(
        eligible=tuple(code for code in candidates if code in configured),
        left_out={code: "not configured" for code in candidates if code not in configured},
    )
