"""One mistake of every kind in every channel's statements, and where each should be found."""

from collections.abc import Sequence
from typing import Any

from bench.month.world import Month

CHANNELS = ("wechat", "alipay", "stripe", "unionpay", "ecny", "bank")
# Longer than a row may take: it is missing at first, and explained by the file that has it.
_LATE_DAYS = 3
_TAIL_DAYS = 4


def plant(month: Month, channels: Sequence[str] = CHANNELS) -> list[str]:
    """On days that leave the late ones room. The same seed plants the same. Returns what no day could bear."""
    left_out: list[str] = []
    last = month.days[-1 - min(_TAIL_DAYS, len(month.days) // 3)]
    for channel in channels:
        asked = {
            "seed": month.seed,
            "first": month.first.isoformat(),
            "last": last.isoformat(),
            "channels": [channel],
            "late_days": _LATE_DAYS,
        }
        left_out += month.control("POST", "statements/mix", asked)["left_out"]
    return left_out


def planted(month: Month) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = month.control("GET", "statements/faults")["faults"]
    return found
