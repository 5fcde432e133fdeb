"""The audit journal in the console, and the state of its chain."""

import json
import re
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import TextFilter
from unfold.paginator import InfinitePaginator

from ledger import acts
from ledger.admin.frame import ReadOnlyAdmin
from ledger.models import AuditEntry, AuditSeal
from ledger.selectors import chain_state, names_of
from ledger.wording import in_words

_ANCHOR_DUE = timedelta(hours=49)  # one a day, and the hour in which it is written
_SHOWN = 80  # letters of what was and what is
_CODE = re.compile(r"[A-Za-z_]+")


class _Exactly(TextFilter):  # type: ignore[misc]
    """By the whole value: a part of it would read the whole journal."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        value = (self.value() or "").strip()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class ByObject(_Exactly):
    title = _("object")
    parameter_name = "object_id"


class ByActor(_Exactly):
    title = _("actor")
    parameter_name = "actor"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    change_list_template = "ledger/audit_journal.html"
    list_filter = (ByObject, ByActor)
    list_filter_submit = True
    list_before_template = "ledger/_chain_state.html"
    paginator = InfinitePaginator  # counting millions of rows would take longer than reading a page of them
    search_fields = ("object_id__exact",)
    search_help_text = _("public identifier, such as pay_…")
    ordering = ("-id",)
    fields = (
        "happened_at",
        "who",
        "act",
        "object_id",
        "was",
        "became",
        "reason",
        "network",
        "request_id",
        "sealed",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.annotate(is_sealed=Exists(AuditSeal.objects.filter(entry=OuterRef("pk"))))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        chain = chain_state()
        late = chain.sealed and (not chain.anchored_at or timezone.now() - chain.anchored_at > _ANCHOR_DUE)
        answer: HttpResponse = super().changelist_view(request, {"chain": chain, "anchor_is_late": late})
        if isinstance(answer, TemplateResponse) and answer.context_data and "cl" in answer.context_data:
            rows = answer.context_data["cl"].result_list
            people = names_of({row.actor for row in rows})
            answer.context_data["rows"] = [
                {"entry": row, "step": _step(row), "person": people[row.actor]} for row in rows
            ]
        return answer

    def title_of(self, row: AuditEntry) -> str:
        return f"{row.object_id} · {acts.in_words(row.action)}"

    @admin.display(description=_("actor"))
    def who(self, row: AuditEntry) -> str:
        return names_of([row.actor])[row.actor]

    @admin.display(description=_("What was done"))
    def act(self, row: AuditEntry) -> str:
        return f"{acts.in_words(row.action)} ({row.action})"

    @admin.display(description=_("before"))
    def was(self, row: AuditEntry) -> str:
        return "–" if row.before is None else _said(row.before)

    @admin.display(description=_("after"))
    def became(self, row: AuditEntry) -> str:
        return "–" if row.after is None else _said(row.after)

    @admin.display(description=_("sealed"), boolean=True)
    def sealed(self, row: AuditEntry) -> bool:
        return bool(vars(row)["is_sealed"])


def _step(row: AuditEntry) -> str:
    """From what it was to what it is."""
    known = [Truncator(_said(value)).chars(_SHOWN) for value in (row.before, row.after) if value is not None]
    return " → ".join(known)


def _said(value: Any) -> str:
    """A code in words, anything else as it is kept."""
    if isinstance(value, str):
        return in_words(value) if _CODE.fullmatch(value) else value
    if isinstance(value, dict):
        return ", ".join(f"{in_words(name)}: {_said(one)}" for name, one in value.items())
    return json.dumps(value, ensure_ascii=False)
