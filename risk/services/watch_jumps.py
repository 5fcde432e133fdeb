"""Watch for what is out of the usual."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from risk import ages, daily, drift
from risk.features import calendar_day
from risk.gauges import ALERTS
from risk.services.settle_alerts import settle_alerts
from risk.services.tell_of_alerts import tell_of_alerts
from risk.states import Action

Found = Iterator[tuple[str, str, dict[str, Any]]]


def watch_jumps(*, now: datetime) -> int:
    """This will warn where an action's share jumped or an input drifted, where the model that decides is broken or old,
    and where a rule ends soon; each until it is so no more.

    An hour is compared with the same one of the past weeks, today and the last week with the weeks of the reference;
    too few say nothing. Use case; mails outside any transaction. Returns how many warnings it gave.
    """
    wrong = {(kind, subject): detail for kind, subject, detail in _wrong(now)}
    told = settle_alerts(kinds=ALERTS, wrong=wrong, now=now)
    tell_of_alerts(alerts=told)
    return len(told)


def _wrong(now: datetime) -> Found:
    yield from _jumped(now)
    yield from _drifted(now)
    for action, usual, share in daily.unusual_hour(now):
        yield "jump_hour", action, {"usual": usual, "now": share}
    for model, problem in ages.broken_models():
        yield "model_unusable", model, {"problem": problem}
    for model, days in ages.old_models(now):
        yield "model_old", model, {"days": days}
    for rule, left in ages.ending_rules(now):
        yield "rule_ending", rule, {"days": left}


def _jumped(now: datetime) -> Found:
    reference, recent = daily.windows(now)
    before: Counter[str] = Counter()
    for row in reference:
        before.update(row.actions)
    current: dict[str, int] = next((row.actions for row in recent if row.counted_on == calendar_day(now)), {})
    for action in Action:
        shares = drift.jumped(before, current, action.value)
        if shares is not None:
            yield "jump", action.value, {"before": shares[0], "today": shares[1]}


def _drifted(now: datetime) -> Found:
    for one in daily.moved(now=now):
        if one.alarming:
            yield "drift", one.name, {"index": one.index}
