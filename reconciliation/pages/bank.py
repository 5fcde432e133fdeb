"""The lines of our bank accounts, what is on its way there, and how an account's files are read."""

from datetime import date
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.money import Money
from reconciliation.at_bank import on_their_way
from reconciliation.mappings import COLUMNS, preview
from reconciliation.models import BankLine
from reconciliation.pages.statements import BRING
from reconciliation.rows import Line
from reconciliation.runs import banks
from reconciliation.services.save_bank_mapping import save_bank_mapping
from reconciliation.states import BankLineState, Explanation

VIEW: Final = "reconciliation.view_bankline"
_SHOWN: Final = 50
_HEAD: Final = 256 * 1024
HOW: Final[dict[str, Any]] = {
    Explanation.REFERENCE: gettext_lazy("names the payout"),
    Explanation.AMOUNT: gettext_lazy("the one payout of this sum"),
    Explanation.SEVERAL: gettext_lazy("several payouts together"),
    Explanation.SPLIT: gettext_lazy("a part of a payout"),
    Explanation.TRANSFER: gettext_lazy("a customer's transfer"),
}


@site.admin_view
@require_safe
def bank_lines(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    state = request.GET.get("state", "")
    rows = BankLine.objects.exclude(state=BankLineState.GONE).select_related("file")
    if state in (BankLineState.OPEN, BankLineState.EXPLAINED):
        rows = rows.filter(state=state)
    waiting = on_their_way().order_by("paid_on", "channel")
    context = {
        **site.each_context(request),
        "title": _("At the bank"),
        "lines": [_line(row) for row in rows.order_by("-booked_on", "-booked_at")[:_SHOWN]],
        "waiting": [
            {
                "row": row,
                "missing": Money(row.missing, row.currency),
                "net": Money(row.net_amount, row.currency),
            }
            for row in waiting[:_SHOWN]
        ],
        "state": state,
    }
    return render(request, "reconciliation/bank_lines.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def bank_accounts(request: HttpRequest) -> HttpResponse:
    _require(request, BRING)
    shown: list[dict[str, Any]] | None = None
    if request.method == "POST":
        try:
            if request.POST.get("do") != "preview":
                row = save_bank_mapping(told=request.POST.dict(), actor=f"user:{request.user.pk}")
                messages.success(request, _("Saved: statements of %s can be uploaded.") % row.name)
                return redirect("bank-accounts")
            shown = _previewed(request)
        except Refusal as refusal:
            messages.error(request, str(refusal))
    context = {
        **site.each_context(request),
        "title": _("Bank accounts"),
        "accounts": banks(),
        "columns": [(name, request.POST.get(f"column_{name}", "")) for name in COLUMNS],
        "given": request.POST,
        "preview": shown,
    }
    return render(request, "reconciliation/bank_accounts.html", context)


def _previewed(request: HttpRequest) -> list[dict[str, Any]]:
    brought, said = request.FILES.get("file"), request.POST.get("day", "")
    content = brought.read(_HEAD) if brought else b""
    whole, _cut, _rest = content.rpartition(b"\n")
    day = date.fromisoformat(said) if said else date.min
    lines = preview(told=request.POST.dict(), content=whole if len(content) == _HEAD else content, day=day)
    return [_previewed_line(line) for line in lines]


def _previewed_line(line: Line) -> dict[str, Any]:
    return {"line": line, "amount": Money(line.amount, line.currency)}


def _line(row: BankLine) -> dict[str, Any]:
    return {
        "row": row,
        "amount": Money(row.amount, row.currency),
        "how": HOW.get(Explanation(row.how)) if row.how else "",
    }


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied
