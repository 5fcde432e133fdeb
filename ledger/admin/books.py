"""The console's view of the books: read-only. What is wrong in them is corrected by a reversal."""

from collections import defaultdict

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from ledger.admin.frame import ReadOnly, ReadOnlyAdmin
from ledger.admin.words import OneOf, spoken
from ledger.models import Account, Entry, Transaction
from ledger.money import Money


class EntryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Entry
    fields = ("position", "account", "item", "debit", "credit")
    readonly_fields = fields
    ordering = ("position",)
    extra = 0
    hide_title = True
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
    list_display = ("name", "currency", "kind_said", "balance")
    list_filter = (("kind", OneOf), "currency")
    search_fields = ("name",)
    ordering = ("name", "currency")
    fields = ("name", "currency", "kind_said", "balance", "created_at")
    readonly_fields = fields
    kind_said = spoken("kind", _("Kind"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return Account.objects.with_balance()

    @admin.display(description=_("balance (debit positive)"))
    def balance(self, row: Account) -> str:
        return Money(int(vars(row)["balance"]), row.currency).formatted()
