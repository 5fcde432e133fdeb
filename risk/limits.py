"""What a customer of one verification level may do, and what of it is used up. Pure.

Amounts are CNY minor units, days and months those of the merchant's calendar. What is not said has no limit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ledger.sentences import Sentence
from risk.errors import InvalidPolicy

CURRENCY = "CNY"
_MOST = 10**15
_MOST_CHANNELS = 50
_NEEDED = ("payment", "day")
_OTHERS = ("month", "attempts_per_minute", "new_merchants_per_day", "channels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """Most of one channel or method."""

    payment: int | None = None
    day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Most of one verification level. `channels` are named by the channel's code or the way to pay."""

    payment: int
    day: int
    month: int | None = None
    attempts_per_minute: int | None = None
    new_merchants_per_day: int | None = None
    channels: Mapping[str, Ceiling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    code: str
    params: Mapping[str, Any]


def exceeded(limit: Limit, inputs: Mapping[str, Any], amount_cny: int) -> Iterator[Exceeded]:
    """What this payment would exceed; decisions from before there were other limits knew the day's sum only."""
    spent = inputs["features"]["spent_today"]
    used: Mapping[str, Any] = inputs.get("limits") or {}
    month = amount_cny + int(used.get("spent_month", 0))
    for code, sum_, most in (
        ("limit_per_payment", amount_cny, limit.payment),
        ("limit_per_day", amount_cny + spent, limit.day),
        ("limit_per_month", month, limit.month),
    ):
        if most is not None and sum_ > most:
            yield Exceeded(code=code, params={"limit": most, "used": sum_, "currency": CURRENCY})
    for code, count, most in (
        ("limit_attempts", used.get("attempts", 0), limit.attempts_per_minute),
        ("limit_new_merchants", used.get("new_merchants", 0), limit.new_merchants_per_day),
    ):
        if most is not None and count > most:
            yield Exceeded(code=code, params={"most": most, "count": count})
    yield from _of_channels(limit, used, amount_cny)


def _of_channels(limit: Limit, used: Mapping[str, Any], amount_cny: int) -> Iterator[Exceeded]:
    for name, spent in sorted(used.get("channels", {}).items()):
        ceiling = limit.channels.get(name)
        if ceiling is None:
            continue
        for code, sum_, most in (
            ("limit_channel_payment", amount_cny, ceiling.payment),
            ("limit_channel_day", amount_cny + spent["day"], ceiling.day),
            ("limit_channel_month", amount_cny + spent["month"], ceiling.month),
        ):
            if most is not None and sum_ > most:
                params = {"limit": most, "used": sum_, "currency": CURRENCY, "channel": name}
                yield Exceeded(code=code, params=params)


def parse(raw: Any) -> dict[int, Limit]:
    """Limits by verification level. Raises `InvalidPolicy` (param: limits)."""
    if not isinstance(raw, Mapping):
        raise InvalidPolicy(
            Sentence("The limits are an object: verification level to payment and day."), param="limits"
        )
    return {_level(level): _limit(str(level), limit) for level, limit in raw.items()}


def _level(level: Any) -> int:
    if not str(level).isdecimal():
        raise InvalidPolicy(
            Sentence("%(level)s is no verification level.", level=str(level)[:20]), param="limits"
        )
    return int(level)


def _limit(level: str, raw: Any) -> Limit:
    numbers = {one.name for one in fields(Limit)} - {"channels"}
    if (
        not isinstance(raw, Mapping)
        or not set(_NEEDED) <= set(raw) <= numbers | {"channels"}
        or not all(_is_most(raw[name]) for name in numbers & set(raw))
    ):
        raise InvalidPolicy(
            Sentence(
                "Limit of level %(level)s needs %(needed)s in CNY minor units, and may have %(others)s.",
                level=level[:20],
                needed=_NEEDED,
                others=_OTHERS,
            ),
            param="limits",
        )
    return Limit(**{**raw, "channels": _channels(level, raw.get("channels", {}))})


def _channels(level: str, raw: Any) -> dict[str, Ceiling]:
    names = {one.name for one in fields(Ceiling)}
    whole = isinstance(raw, Mapping) and len(raw) <= _MOST_CHANNELS
    if not whole or not all(
        isinstance(ceiling, Mapping) and set(ceiling) <= names and all(map(_is_most, ceiling.values()))
        for ceiling in raw.values()
    ):
        raise InvalidPolicy(
            Sentence(
                "Limit of level %(level)s: channels name %(ceilings)s in CNY minor units.",
                level=level[:20],
                ceilings=tuple(one.name for one in fields(Ceiling)),
            ),
            param="limits",
        )
    return {str(name): Ceiling(**ceiling) for name, ceiling in raw.items()}


def _is_most(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST
