"""What the pages of discrepancies have in common: people's names, rights, exact amounts."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ledger.money import exponent

VIEW, DECIDE = "reconciliation.view_discrepancy", "reconciliation.decide_discrepancy"
APPROVE, MANAGE = "reconciliation.approve_repair", "reconciliation.manage_resolverule"


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def names(actors: Iterable[str]) -> dict[str, str]:
    """People's names for "user:12", rules by theirs; programs go by what they are."""
    wanted = {one for one in actors if one}
    keys = {one.removeprefix("user:") for one in wanted if one.startswith("user:")}
    people: Any = get_user_model().objects.filter(pk__in=[key for key in keys if key.isdecimal()])
    known = {f"user:{person.pk}": person.get_full_name() or person.get_username() for person in people}
    return {one: known.get(one) or _rule(one) for one in wanted}


def _rule(who: str) -> str:
    head, _colon, name = who.partition(":")
    return _("rule %(name)s") % {"name": name.replace(":", "@")} if head == "rule" else who


def fee_text(thousandths: int, currency: str) -> str:
    """An exact amount: channels reckon in less than the smallest coin."""
    digits = exponent(currency)
    exact = Decimal(thousandths).scaleb(-3 - digits)
    whole = exact.quantize(Decimal(1).scaleb(-digits))
    return f"{whole if whole == exact else exact.normalize():f} {currency}"
