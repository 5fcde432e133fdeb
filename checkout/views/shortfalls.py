"""Why a way to pay is not available for an amount, and what to do, in the reader's language."""

from collections.abc import Collection, Mapping
from typing import Any

from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

from ledger.money import Money
from risk.allowances import DAY, PAYMENT, Shortage


def known(short: Mapping[str, Shortage], offered: Collection[str]) -> dict[str, Any]:
    """What the form of methods is told."""
    one = _everywhere(short, offered)
    return {
        "short": {name: explained(each) for name, each in short.items()},
        "blocked": explained(one) if one else "",
    }


def explained(short: Shortage) -> str:
    between = "" if (get_language() or "en").startswith("zh") else " "
    return f"{_why(short)}{between}{_what_to_do(short)}"


def _everywhere(short: Mapping[str, Shortage], offered: Collection[str]) -> Shortage | None:
    """What stands in the way of every method: it is said once."""
    return next((short[name] for name in sorted(offered) if name in short and short[name].everywhere), None)


def _why(short: Shortage) -> str:
    said = {"limit": _money(short.limit), "left": _money(short.left)}
    if short.period == PAYMENT:
        if short.everywhere:
            return _("Your account can pay up to %(limit)s at once.") % said
        return _("You can pay up to %(limit)s at once this way.") % said
    if short.period == DAY:
        if short.everywhere:
            return _("Your account can pay %(left)s more today, of %(limit)s a day.") % said
        return _("You can pay %(left)s more today this way, of %(limit)s a day.") % said
    if short.everywhere:
        return _("Your account can pay %(left)s more this month, of %(limit)s a month.") % said
    return _("You can pay %(left)s more this month this way, of %(limit)s a month.") % said


def _what_to_do(short: Shortage) -> str:
    if not short.everywhere:
        return _("Choose another way to pay.")
    if short.period == PAYMENT:
        return _("Order less at once, or write to us to have your account verified for more.")
    if short.period == DAY:
        return _("Order less, come back tomorrow, or write to us to have your account verified for more.")
    return _("Order less, come back next month, or write to us to have your account verified for more.")


def _money(amount: Money) -> str:
    return amount.formatted(to_locale(get_language() or "en"))
