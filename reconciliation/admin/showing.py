"""What the pages of discrepancies have in common: people's names, rights, exact amounts."""

from collections.abc import Iterable
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ledger.money import exponent
from ledger.selectors import names_of

VIEW, DECIDE = "reconciliation.view_discrepancy", "reconciliation.decide_discrepancy"
APPROVE, MANAGE = "reconciliation.approve_repair", "reconciliation.manage_resolverule"


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def names(actors: Iterable[str]) -> dict[str, str]:
    """As `ledger.selectors.names_of`, and rules by their names."""
    return {one: _rule(one) if name == one else name for one, name in names_of(actors).items()}


def _rule(who: str) -> str:
    head, _colon, name = who.partition(":")
    return _("rule %(name)s") % {"name": name.replace(":", "@")} if head == "rule" else who


def fee_text(thousandths: int, currency: str) -> str:
    """An exact amount: channels reckon in less than the smallest coin."""
    digits = exponent(currency)
    exact = Decimal(thousandths).scaleb(-3 - digits)
    whole = exact.quantize(Decimal(1).scaleb(-digits))
    return f"{whole if whole == exact else exact.normalize():f} {currency}"
