"""What the Fraud Detection Handbook counts: the 15 features that a model here must be ahead of. Pure.

Written apart from `signals`, so that nothing done there helps or harms it.
"""

from bisect import bisect_left

from risk.history import DAY, HOUR

NAMES = (
    "amount", "weekend", "night",
    *(f"customer_{what}_{days}d" for days in (1, 7, 30) for what in ("count", "mean")),
    *(f"terminal_{what}_{days}d" for days in (1, 7, 30) for what in ("count", "risk")),
)  # fmt: skip
_WINDOWS = (1, 7, 30)
_DELAY = 7


class Seen:
    """All payments of one customer or terminal, with running sums."""

    __slots__ = ("frauds", "sums", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.sums: list[int] = [0]
        self.frauds: list[int] = [0]

    def add(self, at: int, amount: int, fraud: int) -> None:
        self.times.append(at)
        self.sums.append(self.sums[-1] + amount)
        self.frauds.append(self.frauds[-1] + fraud)


def features(at: int, amount: int, customer: Seen, terminal: Seen) -> list[float]:
    """In the order of NAMES; both have been told of this payment already, as the Handbook counts."""
    day = at // DAY
    row = [float(amount), float((day + 3) % 7 >= 5), float(at % DAY // HOUR <= 6)]
    times = customer.times
    for days in _WINDOWS:
        start = bisect_left(times, at - days * DAY + 1)
        count = len(times) - start
        row += [float(count), (customer.sums[-1] - customer.sums[start]) / max(count, 1)]
    times = terminal.times
    # Labels of the last seven days are not known yet.
    settled = bisect_left(times, at - _DELAY * DAY + 1)
    for days in _WINDOWS:
        start = bisect_left(times, at - (_DELAY + days) * DAY + 1)
        count = settled - start
        frauds = terminal.frauds[settled] - terminal.frauds[start]
        row += [float(len(times) - bisect_left(times, at - days * DAY + 1)), frauds / max(count, 1)]
    return row
