"""Figures as they are shown: today's, and beside it those of the days that it is compared with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from config.home.spans import Span, Three

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Beside:
    """An earlier day's figure, and by how much today's differs from it."""

    text: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`note` says what it is of; `href` leads to the rows behind it, "" where there are none."""

    text: str
    yesterday: Beside
    week_ago: Beside
    note: str = ""
    href: str = ""


def figure(
    values: Three[int | None],
    say: Callable[[int], str],
    *,
    differ: Callable[[int, int], str] | None = None,
    note: str = "",
    href: str = "",
) -> Figure:
    """None is a figure that nothing can be said of: it is shown as a dash."""
    differ = differ or grown
    beside = [
        Beside(
            NOTHING if one is None else say(one),
            NOTHING if one is None or values.today is None else differ(values.today, one),
        )
        for one in (values.yesterday, values.week_ago)
    ]
    text = NOTHING if values.today is None else say(values.today)
    return Figure(text=text, yesterday=beside[0], week_ago=beside[1], note=note, href=href)


def count(number: int) -> str:
    return f"{number:,}"


def percent(permille: int) -> str:
    return f"{permille // 10}.{permille % 10} %"


def share(part: int, whole: int) -> str:
    """In per cent; a dash of nothing."""
    return percent(1000 * part // whole) if whole else NOTHING


def grown(now: int, before: int) -> str:
    """By how many per cent; a dash when there was nothing."""
    if not before:
        return NOTHING
    apart = (100 * abs(now - before) + before // 2) // before
    return f"{_sign(now, before) if apart else '±'}{apart:,} %"


def points(now: int, before: int) -> str:
    """By how many percentage points a share in thousandths differs."""
    apart = abs(now - before)
    return _("%(points)s points") % {"points": f"{_sign(now, before)}{apart // 10}.{apart % 10}"}


def _sign(now: int, before: int) -> str:
    return "+" if now > before else "-" if now < before else "±"


def rows(name: str, **filters: Any) -> str:
    """The address of a list of the console with these filters."""
    told = {
        key: value.isoformat() if isinstance(value, datetime) else str(value)
        for key, value in filters.items()
    }
    return f"{reverse(name)}?{urlencode(told)}"


def within(span: Span) -> dict[str, Any]:
    return {"created_at__gte": span.begin, "created_at__lt": span.until}
