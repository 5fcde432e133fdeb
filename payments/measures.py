"""How well a channel works: the smoothed share of successes, and when its breaker opens. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# Success is measured in minutes of this window; a minute counts half of the one five minutes after it.
MINUTES = 15
_HALF_LIFE = 5
_WEIGHTS = tuple(round(1000 * 2 ** (-age / _HALF_LIFE)) for age in range(MINUTES))


class Result(StrEnum):
    """What the first answer to a new payment says of the channel that gave it."""

    OK = "ok"
    DECLINED = "declined"  # by the customer's bank or wallet: the channel did its work
    REFUSED = "refused"  # our request could not be served: no other payment suffers from it
    ERRORED = "errored"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


FAULTS = frozenset({Result.ERRORED, Result.UNREACHABLE, Result.UNKNOWN})


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one payment at a time tries whether it works again


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRule:
    """Opens when, within `window_seconds`, at least `least` calls were made and `fault_share` ‰ of them were faults."""

    window_seconds: int = 60
    least: int = 5
    fault_share: int = 500
    open_seconds: int = 30

    def trips(self, calls: int, faults: int) -> bool:
        return calls >= self.least and faults * 1000 >= calls * self.fault_share


def smoothed(minutes: Mapping[int, tuple[int, int]], least: int) -> int | None:
    """Successes in ‰, from (settled, succeeded) by age in minutes; None below `least` settled payments."""
    recent = {age: counts for age, counts in minutes.items() if 0 <= age < MINUTES}
    if sum(settled for settled, _ in recent.values()) < max(least, 1):
        return None
    settled = sum(_WEIGHTS[age] * counts[0] for age, counts in recent.items())
    succeeded = sum(_WEIGHTS[age] * counts[1] for age, counts in recent.items())
    return 1000 * succeeded // settled
