"""The console's view of the books: read-only. What is wrong in them is corrected by a reversal."""

import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import TextFilter
from unfold.paginator import InfinitePaginator

from ledger.models import Account, AuditEntry, AuditSeal, Entry, Transaction
from ledger.money import Money
from ledger.selectors import chain_state

_ANCHOR_DUE = timedelta(hours=49)  # one a day, and the hour in which it is written
_SHOWN = 80  # letters of what was and what is


class ReadOnly:
    """Nobody adds, changes or deletes here, whatever permissions they hold: rows are written by use cases."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_per_page = 50
    show_full_result_count = False


class EntryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Entry
    fields = ("position", "account", "item", "debit", "credit")
    readonly_fields = fields
    ordering = ("position",)
    extra = 0
    can_delete = False

    @admin.display(description=_("debit"))
    def debit(self, row: Entry) -> str:
        return Money(row.amount, row.currency).formatted() if row.amount > 0 else ""

    @admin.display(description=_("credit"))
    def credit(self, row: Entry) -> str:
        return Money(-row.amount, row.currency).formatted() if row.amount < 0 else ""


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "description", "moved", "reference", "happened_at", "is_reversal")
    search_fields = ("reference", "business_key")
    search_help_text = _("order, refund, … or business key")
    date_hierarchy = "happened_at"
    ordering = ("-id",)
    fields = (
        "public_id",
        "description",
        "reference",
        "business_key",
        "happened_at",
        "posted_on",
        "created_at",
        "reverses",
    )
    readonly_fields = fields
    inlines = (EntryInline,)

    @admin.display(description=_("amount"))
    def moved(self, row: Transaction) -> str:
        """The debits, per currency."""
        sums: dict[str, int] = defaultdict(int)
        for line in row.lines():
            sums[line.amount.currency] += max(line.amount.minor, 0)
        return ", ".join(Money(total, currency).formatted() for currency, total in sums.items())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return Transaction.objects.with_entries()

    @admin.display(description=_("reversal"))
    def is_reversal(self, row: Transaction) -> str:
        return "✓" if row.reverses_id else ""


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "currency", "kind", "balance")
    list_filter = ("kind", "currency")
    search_fields = ("name",)
    ordering = ("name", "currency")
    fields = ("name", "currency", "kind", "balance", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return Account.objects.with_balance()

    @admin.display(description=_("balance (debit positive)"))
    def balance(self, row: Account) -> str:
        return Money(int(vars(row)["balance"]), row.currency).formatted()


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
        "actor",
        "action",
        "object_id",
        "before",
        "after",
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
            answer.context_data["rows"] = [{"entry": row, "step": _step(row)} for row in rows]
        return answer

    @admin.display(description=_("sealed"), boolean=True)
    def sealed(self, row: AuditEntry) -> bool:
        return bool(vars(row)["is_sealed"])


def _step(row: AuditEntry) -> str:
    """From what it was to what it is."""
    known = [_short(value) for value in (row.before, row.after) if value is not None]
    return " → ".join(known)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Truncator(text).chars(_SHOWN)
