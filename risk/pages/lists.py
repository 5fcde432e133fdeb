"""Entries of lists from a file: checked first, then taken; and the lists as a file."""

from collections.abc import Iterator
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.sentences import Sentence
from ledger.sheets import Value, rows_as_csv
from risk import listings
from risk.errors import ListFileRefused
from risk.models import ListEntry
from risk.pages.showing import actor, require
from risk.services.import_list import Imported, import_list
from risk.services.note_list_export import note_list_export

VIEW, ADD = "risk.view_listentry", "risk.add_listentry"
_LARGEST: Final = 32 * 1024 * 1024
_HEAD: Final = (
    "list",
    "entity",
    "label",
    "reason",
    "source",
    "expires_at",
    "added_by",
    "added_at",
    "confirmed_by",
    "key",
    "entry",
)


@site.admin_view
@require_http_methods(["GET", "POST"])
def import_file(request: HttpRequest) -> HttpResponse:
    require(request, ADD)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("Import a list"),
        "columns": listings.COLUMNS,
    }
    if request.method == "POST":
        try:
            done = _take(request)
        except ListFileRefused as refusal:
            wrong = {name: refusal.context.get(name) for name in ("problems", "count")}
            return _page(request, context | {"refusal": refusal, **wrong})
        if done.waits and done.id:
            messages.warning(
                request,
                _("The whole file waits for a second person: it changes the fatal or the white list."),
            )
            if request.user.has_perm("risk.view_listchange"):
                return redirect("risk-list-change", change=done.id)
            return redirect("admin:risk_listentry_changelist")
        if done.id and not done.before:
            messages.success(
                request,
                _("%(name)s: %(added)s added, %(renewed)s renewed, %(unchanged)s there before.")
                % {
                    "name": done.id,
                    "added": done.added,
                    "renewed": done.renewed,
                    "unchanged": done.unchanged,
                },
            )
            return redirect("admin:risk_listentry_changelist")
        context["done"] = done
    return _page(request, context)


@site.admin_view
@require_safe
def export_file(request: HttpRequest) -> HttpResponseBase:
    """What decides now; values are kept as hashes only, so their keys stand for them."""
    require(request, VIEW)
    note_list_export(actor=actor(request))
    return StreamingHttpResponse(
        rows_as_csv(_HEAD, _rows(), byte_order_mark=True),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="risk-lists-{timezone.now():%Y-%m-%d}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _take(request: HttpRequest) -> Imported:
    brought = request.FILES.get("file")
    if brought is None:
        raise ListFileRefused(Sentence("Choose a file."), param="file")
    if (brought.size or 0) > _LARGEST:
        raise ListFileRefused(
            Sentence("The file is larger than what this page takes: use import_list."), param="file"
        )
    return import_list(
        content=brought.read(),
        name=brought.name or "",
        actor=actor(request),
        dry_run=request.POST.get("do") != "import",
        checked=request.POST.get("checked", ""),
    )


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    status = 422 if "refusal" in context else 200
    return render(request, "risk/import_list.html", context, status=status)


def _rows() -> Iterator[tuple[Value, ...]]:
    now = timezone.now()
    for one in ListEntry.objects.in_force(now).order_by("id").iterator(chunk_size=2000):
        yield (
            one.kind,
            one.entity,
            one.label,
            one.reason,
            one.source,
            one.expires_at,
            one.created_by,
            one.created_at,
            one.confirmed_by,
            one.entity_key,
            one.public_id,
        )
