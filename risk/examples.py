"""The past told over, payment by payment and outcome by outcome, and what was known before each. Pure."""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import nan

from risk import baseline
from risk.history import MARKS, Event, History
from risk.signals import GROUPS, Signals, is_plain, ratio_of, signals
from risk.transactions import Past


@dataclass(slots=True)
class Examples:
    """Rows of numbers under `names`, and what became of each payment."""

    names: tuple[str, ...]
    values: "array[float]" = field(default_factory=lambda: array("f"))
    fraud: list[int] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    customer: list[int] = field(default_factory=list)
    plain: "array[float]" = field(default_factory=lambda: array("f"))  # the baseline's rows

    def add(self, past: Past, row: Sequence[float]) -> None:
        self.values.extend(row)
        self.fraud.append(past.fraud)
        self.day.append(past.day)
        self.customer.append(past.parties.get("customer", 0))


class Memory:
    """The histories of everyone, told in the order in which things became known."""

    def __init__(self) -> None:
        self._histories: dict[str, dict[int, History]] = {}
        self._heard: deque[tuple[int, Callable[[History], None], tuple[History, ...]]] = deque()

    def of(self, parties: Mapping[str, int]) -> dict[str, History]:
        found = {}
        for kind, key in parties.items():
            known = self._histories.setdefault(kind, {})
            history = known.get(key)
            if history is None:
                history = known[key] = History()
            found[kind] = history
        return found

    def hear(self, now: int) -> None:
        """Outcomes, of payments and of challenges, that are known by `now`."""
        while self._heard and self._heard[0][0] <= now:
            _, news, told = self._heard.popleft()
            for history in told:
                news(history)

    def tell(self, past: Past, event: Event, histories: Mapping[str, History]) -> None:
        told = tuple(histories.values())
        for history in told:
            history.observe(event)
        for known_at, fraud in past.heard:
            outcome = partial(History.outcome, at=past.at, plain=is_plain(event.ratio), undo=not fraud)
            self._later(known_at, outcome, told)
        for known_at, passed in past.proofs:
            self._later(known_at, partial(History.proof, at=past.at, passed=passed), told)

    def _later(self, at: int, news: Callable[[History], None], told: tuple[History, ...]) -> None:
        place = len(self._heard)
        while place and self._heard[place - 1][0] > at:
            place -= 1
        self._heard.insert(place, (at, news, told))


def event_of(past: Past, customer: History | None) -> Event:
    marks = {name: past.parties[name] for name in MARKS if name in past.parties}
    return Event(past.at, past.amount, ratio_of(past.amount, customer), **marks)


def row_of(names: Iterable[str], found: Signals) -> list[float]:
    """The signals in the order of `names`; what has no answer is no number."""
    return [nan if (value := found.get(name)) is None else value for name in names]


def examples(
    pasts: Sequence[Past],
    *,
    wanted: Callable[[int], bool],
    kinds: Sequence[str],
    beside_baseline: bool = False,
) -> Examples:
    """What was known before each payment of the `wanted` days; `pasts` in the order of time."""
    known = {name for name, group in GROUPS.items() if group in (*kinds, "time", "amount")}
    made = Examples(names=tuple(name for name in GROUPS if name in known))
    memory = Memory()
    plain: dict[tuple[str, int], baseline.Seen] = {}
    for past in pasts:
        memory.hear(past.at)
        histories = memory.of(past.parties)
        event = event_of(past, histories.get("customer"))
        asked = past.last and wanted(past.day)
        if asked:
            made.add(past, row_of(made.names, signals(past.at, event, histories)))
        memory.tell(past, event, histories)
        if beside_baseline:
            _beside(made, past, plain, asked)
    return made


def _beside(made: Examples, past: Past, seen: dict[tuple[str, int], baseline.Seen], asked: bool) -> None:
    pair = [seen.setdefault((kind, past.parties[kind]), baseline.Seen()) for kind in ("customer", "merchant")]
    for one in pair:
        one.add(past.at, past.amount, past.fraud)
    if asked:
        made.plain.extend(baseline.features(past.at, past.amount, pair[0], pair[1]))
