"""Amounts, dates, names and pictures in the reader's form."""

from datetime import datetime, timedelta
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, to_locale

from checkout.selectors import OrderLineView, SkuView
from ledger.money import Money

register = template.Library()
_DRAWN = frozenset(
    picture.name for picture in (Path(__file__).parent.parent / "static/checkout/art").glob("*.svg")
)


def _locale() -> str:
    return to_locale(get_language() or "en")


@register.filter
def money(amount: Money) -> str:
    return amount.formatted(_locale())


@register.filter
def title(article: OrderLineView | SkuView) -> str:
    return article.title(get_language() or "en")


@register.filter
def description(article: SkuView) -> str:
    return article.description(get_language() or "en")


@register.filter
def country(code: str) -> str:
    return str(Locale.parse(_locale()).territories.get(code, code))


@register.filter
def moment(at: datetime) -> SafeString:
    """The moment in UTC, which the page's script turns into the reader's own time."""
    text = format_datetime(at, "medium", tzinfo=timezone.get_default_timezone(), locale=_locale())
    return format_html('<time datetime="{}" data-local>{} UTC</time>', at.isoformat(), text)


@register.filter
def within(at: datetime, working_days: int) -> bool:
    """Whether so many working days are not over yet, generously counted."""
    return timezone.now() - at < timedelta(days=working_days * 7 // 5 + 2)


@register.filter
def left(until: datetime) -> str:
    """Minutes and seconds until then, "12:41"."""
    seconds = max(0, int((until - timezone.now()).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


@register.filter
def is_far(until: datetime) -> bool:
    """Whether a date says more than a countdown."""
    return until - timezone.now() > timedelta(hours=6)


@register.filter
def minutes_left(until: datetime) -> int:
    return max(1, round((until - timezone.now()).total_seconds() / 60))


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("checkout/icons.svg"),
        name,
    )


@register.filter
def art(image: str) -> str:
    """The article's picture, or a plain parcel where none was drawn."""
    return static(f"checkout/art/{image if image in _DRAWN else 'parcel.svg'}")


@register.filter
def method_mark(method: str) -> str:
    return static(f"checkout/method-{method}.svg")
