"""Which statements are here, which are awaited, and how to bring one by hand."""

import re
from datetime import date
from typing import Any, BinaryIO, Final, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from ledger.errors import Refusal
from ledger.money import Money, UnknownCurrency
from ledger.wording import in_words
from reconciliation.errors import StatementFormatUnknown, StatementNotFound, StatementTooLarge
from reconciliation.models import StatementFile, StatementTotal
from reconciliation.parsers import FORMATS, HEAD, sniff
from reconciliation.runs import banks, overdue, runs
from reconciliation.selectors import statement_view
from reconciliation.services.fetch_again import fetch_again
from reconciliation.services.receive_statement import receive_statement
from reconciliation.states import StatementSource, TotalPart
from reconciliation.tasks import process_soon

VIEW, BRING = "reconciliation.view_statementfile", "reconciliation.bring_statement"
_SHOWN: Final = 40
_DAY: Final = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)")


@site.admin_view
@require_http_methods(["GET", "POST"])
def statements(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    if request.method == "POST":
        _require(request, BRING)
        return _do(request)
    now, page = timezone.now(), max(0, _number(request.GET.get("page", "0")))
    channel, state = request.GET.get("channel", ""), request.GET.get("state", "")
    found = runs(now, channel=channel, state=state, limit=_SHOWN + 1, offset=page * _SHOWN)
    recent = StatementFile.objects.order_by("-received_at")[:_SHOWN]
    context = {
        **site.each_context(request),
        "title": _("Statements"),
        "runs": found[:_SHOWN],
        "next": page + 1 if len(found) > _SHOWN else 0,
        "page": page,
        "channel": channel,
        "state": state,
        "files": [_row(row) for row in recent],
        "overdue": overdue(now).count(),
        "kinds": _kinds(),
        "may_bring": request.user.has_perm(BRING),
    }
    return render(request, "reconciliation/statements.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def statement(request: HttpRequest, file: str) -> HttpResponse:
    _require(request, VIEW)
    try:
        row = StatementFile.objects.by_public_id(file)
    except StatementNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        _require(request, BRING)
        process_soon(row.public_id)
        messages.success(request, _("A worker matches and settles it again."))
        return redirect("statement", file=file)
    totals = row.totals.filter(part=TotalPart.THEIRS.value).order_by("currency", "kind", "grp")[:200]
    context = {
        **site.each_context(request),
        "title": f"{in_words(row.channel)}, {in_words(row.kind)}, {row.day_on}",
        "view": statement_view(row),
        "totals": [(one, _sum(one)) for one in totals],
        "may_bring": request.user.has_perm(BRING),
    }
    return render(request, "reconciliation/statement.html", context)


def _sum(total: StatementTotal) -> str:
    try:
        return Money(total.amount, total.currency).formatted()
    except UnknownCurrency:
        return f"{total.amount} {total.currency}"


def _do(request: HttpRequest) -> HttpResponse:
    try:
        if request.POST.get("do") == "fetch":
            view = fetch_again(run=request.POST.get("run", ""), actor=_actor(request))
            messages.success(request, _("It is fetched again within five minutes: %s") % view.day)
        else:
            received = _receive(request)
            process_soon(received)
            messages.success(request, _("Received. A worker reads it now."))
            return redirect("statement", file=received)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("statements")


def _receive(request: HttpRequest) -> str:
    brought = request.FILES.get("file")
    if not isinstance(brought, UploadedFile) or not brought.file:
        raise StatementFormatUnknown(_("Choose a file."))
    if (brought.size or 0) > settings.STATEMENT_UPLOAD_LIMIT:
        raise StatementTooLarge(_("The file is larger than what this page takes: use import_statement."))
    channel, kind = _told(request.POST.get("kind", ""), brought)
    view = receive_statement(
        channel=channel,
        kind=kind,
        day=_day(request.POST.get("day", ""), brought.name or ""),
        name=brought.name or "",
        content=cast(BinaryIO, brought.file),
        source=StatementSource.UPLOADED,
        actor=_actor(request),
    )
    return view.id


def _told(said: str, brought: "UploadedFile[Any]") -> tuple[str, str]:
    """What the person chose; otherwise what the file looks like."""
    if said in {value for value, _label in _kinds()}:
        channel, _bar, kind = said.rpartition("|")
        return channel, kind
    head = brought.read(HEAD)
    brought.seek(0)
    found = sniff(brought.name or "", head)
    if found is None:
        raise StatementFormatUnknown(_("This file looks like no statement that is known: choose its kind."))
    return found


def _day(said: str, name: str) -> date:
    """What the person said, or the one day that the file's name tells."""
    try:
        found = _DAY.search(name)
        return date.fromisoformat(said) if said or not found else date(*map(int, found.groups()))
    except ValueError as problem:
        raise StatementFormatUnknown(_("Say which day it is about."), column="day") from problem


def _kinds() -> list[tuple[str, str]]:
    """Every kind that is read, and for each bank account its own."""
    plain = [(f"{one.channel}|{one.kind}", one.title) for one in FORMATS if one.kind != "csv"]
    return [*plain, *((f"{bank.channel}|{bank.format}", f"{bank.name}: {bank.account}") for bank in banks())]


def _row(row: StatementFile) -> dict[str, Any]:
    done = row.rows_done * 100 // row.rows if row.rows else None
    return {"view": statement_view(row), "percent": done, "url": row.public_id}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else 0


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"
