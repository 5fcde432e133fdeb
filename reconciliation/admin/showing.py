"""What the pages of discrepancies have in common: the words of the trade, people's names, rights."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.money import exponent
from reconciliation.states import DiscrepancyKind, RepairKind

VIEW, DECIDE = "reconciliation.view_discrepancy", "reconciliation.decide_discrepancy"
APPROVE, MANAGE = "reconciliation.approve_repair", "reconciliation.manage_resolverule"

KINDS: dict[str, Any] = {
    DiscrepancyKind.AMOUNT: gettext_lazy("Another amount"),
    DiscrepancyKind.CURRENCY: gettext_lazy("Another currency"),
    DiscrepancyKind.MISSING_HERE: gettext_lazy("Missing here"),
    DiscrepancyKind.MISSING_THERE: gettext_lazy("Missing there"),
    DiscrepancyKind.STATE: gettext_lazy("Another state"),
    DiscrepancyKind.FEE: gettext_lazy("Another fee"),
    DiscrepancyKind.DUPLICATE: gettext_lazy("Told twice"),
    DiscrepancyKind.LATE: gettext_lazy("Came late"),
    DiscrepancyKind.DEPOSIT_MISSING: gettext_lazy("Deposit missing"),
    DiscrepancyKind.DEPOSIT_AMOUNT: gettext_lazy("Deposit of another amount"),
    DiscrepancyKind.BANK_UNEXPLAINED: gettext_lazy("Unexplained at the bank"),
}
REPAIRS: dict[str, Any] = {
    RepairKind.POST_FEE: gettext_lazy("Fee posted"),
    RepairKind.TAKE_BACK_FEE: gettext_lazy("Fee taken back"),
    RepairKind.RECORD_CAPTURE: gettext_lazy("Missing capture"),
    RepairKind.ASK_PROVIDER: gettext_lazy("Provider asked"),
    RepairKind.REFUND: gettext_lazy("Refund"),
    RepairKind.SUSPENSE: gettext_lazy("To suspense"),
    RepairKind.WAIT: gettext_lazy("Wait"),
    RepairKind.ACCEPT: gettext_lazy("Explained"),
    RepairKind.WRITE_OFF: gettext_lazy("Write-off"),
    RepairKind.FORCE_MATCH: gettext_lazy("Put together by hand"),
    RepairKind.CORRECT: gettext_lazy("Statement corrected"),
    RepairKind.CORRECT_PAYOUT: gettext_lazy("Payout corrected"),
    RepairKind.CORRECT_DEPOSIT: gettext_lazy("Deposit corrected"),
}


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
