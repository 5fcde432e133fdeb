"""The console's view of the shop: orders are read, articles and stock change through services."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from checkout.models import Coupon, Order, OrderLine, Reservation, Sku, Stock, Verification
from checkout.selectors.shipments import shipments_of
from checkout.services.adjust_stock import adjust_stock
from checkout.services.save_coupon import save_coupon
from checkout.services.save_sku import save_sku
from checkout.services.set_verification_level import set_verification_level
from ledger.admin import OneOf, ReadOnly, ThroughService, badge, names, person
from ledger.money import Money
from ledger.wording import in_words
from payments.disputes import disputes_of_reference
from payments.selectors import payments_of

_STATES = {
    "PENDING_PAYMENT": "info",
    "PAID": "success",
    "FULFILLED": "success",
    "DONE": "success",
    "REJECTED": "danger",
    "CANCELLED_AFTER_PAY": "warning",
    "RESERVED": "info",
    "CONFIRMED": "success",
}


def _shown(minor: int, currency: str) -> str:
    return Money(minor, currency).formatted(to_locale(get_language() or "en"))


class LineInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = OrderLine
    fields = ("code", "title_en", "quantity", "unit", "off", "sum")
    readonly_fields = fields
    ordering = ("code",)
    extra = 0
    hide_title = True

    @display(description=_("Unit price"))
    def unit(self, row: OrderLine) -> str:
        return _shown(row.unit_price, row.order.currency)

    @display(description=_("Discount"))
    def off(self, row: OrderLine) -> str:
        return _shown(row.discount, row.order.currency)

    @display(description=_("Total"))
    def sum(self, row: OrderLine) -> str:
        return _shown(row.total, row.order.currency)


class ReservationInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Reservation
    fields = ("sku", "quantity", "state_badge", "expires_at", "created_at")
    readonly_fields = fields
    ordering = ("created_at",)
    extra = 0
    hide_title = True

    state_badge = badge("state", _("State"), _STATES)


@admin.register(Order)
class OrderAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("public_id", "state_badge", "payable_shown", "email", "country", "created_at")
    list_filter = (("state", OneOf), "country", "locale")
    search_fields = ("email__exact", "paid_by__exact")
    search_help_text = _("e-mail address, or pay_… of the payment that counts")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    inlines = (LineInline, ReservationInline)
    fieldsets: ClassVar = (
        (
            None,
            {"fields": ("public_id", "state_badge", "user", "email", "locale", "created_at", "expires_at")},
        ),
        (_("Price"), {"fields": ("payable_shown", "made_of", "quote_id")}),
        (_("Payments"), {"fields": ("payments", "refund", "disputes")}),
        (_("Delivery"), {"fields": ("delivery", "shipments")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Order], search_term: str
    ) -> tuple[models.QuerySet[Order], bool]:
        if search_term.strip().startswith("ord_"):
            try:
                return queryset & Order.objects.named(search_term.strip()), False
            except ValueError:
                return queryset.none(), False
        found, repeats = super().get_search_results(request, queryset, search_term.lower())
        return found, bool(repeats)

    state_badge = badge("state", _("State"), _STATES)

    @display(description=_("Payable"), ordering="payable")
    def payable_shown(self, row: Order) -> str:
        return _shown(row.payable, row.currency)

    @display(description=_("Made of"))
    def made_of(self, row: Order) -> SafeString:
        parts = {
            _("articles"): row.subtotal,
            _("discount"): -row.discount,
            _("tax"): row.tax,
            _("shipping"): row.shipping,
            _("tax inside the price"): row.tax_included,
        }
        return format_html_join(
            "", "<div>{}: {}</div>", ((k, _shown(v, row.currency)) for k, v in parts.items())
        )

    @display(description=_("Payments"))
    def payments(self, row: Order) -> SafeString | str:
        listed = reverse("admin:payments_payment_changelist")
        lines = (
            (
                f"{listed}?q={row.public_id}",
                p.id,
                in_words(p.state),
                p.amount.formatted(),
                in_words(p.method),
                in_words(p.risk_level) or "–",
            )
            for p in payments_of(row.public_id)
        )
        return format_html_join("", '<div><a href="{}">{}</a> · {} · {} · {} · {}</div>', lines) or "–"

    @display(description=_("Refund"))
    def refund(self, row: Order) -> SafeString | str:
        if not row.paid_by:
            return "–"
        return format_html(
            '<a href="{}">{}</a>', reverse("order-refund", args=[row.public_id]), _("Refund an order")
        )

    @display(description=_("Disputes"))
    def disputes(self, row: Order) -> SafeString | str:
        lines = (
            (reverse("dispute", args=[one.id]), one.amount.formatted(), in_words(one.state), one.reason)
            for one in disputes_of_reference(row.public_id)
        )
        return format_html_join("", '<div><a href="{}">{}</a> · {} · {}</div>', lines) or "–"

    @display(description=_("To"))
    def delivery(self, row: Order) -> SafeString:
        return format_html_join("", "<div>{}</div>", ((part,) for part in row.address.values() if part))

    @display(description=_("Shipments"))
    def shipments(self, row: Order) -> SafeString:
        lines = (
            (one.id, in_words(one.state), one.amount.formatted(), one.carrier) for one in shipments_of(row)
        )
        return format_html(
            '{}<a href="{}">{}</a>',
            format_html_join("", "<div>{} · {} · {} · {}</div>", lines),
            reverse("ship-order", args=[row.public_id]),
            _("Ship"),
        )


class SkuForm(forms.ModelForm):  # type: ignore[type-arg]
    price = forms.DecimalField(
        label=_("Price"),
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=_("What a customer pays, like 100.00"),
    )

    class Meta:
        model = Sku
        fields = (
            "code",
            "title_zh",
            "title_en",
            "description_zh",
            "description_en",
            "price",
            "tax_class",
            "image",
            "active",
            "position",
            "purchase_limit",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["price"] = self.instance.unit_price.major

    def clean_price(self) -> int:
        try:
            return Money.from_major(self.cleaned_data["price"], self.instance.currency).minor
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from problem


@admin.register(Sku)
class SkuAdmin(ThroughService):
    form = SkuForm
    list_display = ("code", "title_zh", "title_en", "price_shown", "available", "active", "purchase_limit")
    list_filter = ("active", "tax_class")
    search_fields = ("code", "title_zh", "title_en")
    ordering = ("position", "code")
    list_select_related = ("stock",)

    def get_readonly_fields(self, request: HttpRequest, obj: Sku | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    @display(description=_("Price"), ordering="price")
    def price_shown(self, row: Sku) -> str:
        return _shown(row.price, row.currency)

    @display(description=_("Available"))
    def available(self, row: Sku) -> int:
        return row.stock.available

    def call(self, obj: Sku, given: dict[str, Any], actor: str) -> str:
        save_sku(sku=obj.code, says=given, actor=actor, currency=obj.currency)
        return ""


class StockForm(forms.ModelForm):  # type: ignore[type-arg]
    reason = forms.CharField(max_length=200, label=_("Reason"), widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Stock
        fields = ("total",)

    def _post_clean(self) -> None:
        """The service judges under the row's lock; what the form was opened with is old by now."""


@admin.register(Stock)
class StockAdmin(ThroughService):
    form = StockForm
    list_display = ("sku", "total", "reserved", "available")
    readonly_fields = ("sku", "reserved")
    fields = ("sku", "reserved", "total", "reason")
    search_fields = ("sku__code",)
    ordering = ("sku__position", "sku__code")
    list_select_related = ("sku",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def title_of(self, row: Stock) -> str:
        return str(row.sku)

    @display(description=_("Available"))
    def available(self, row: Stock) -> int:
        return row.available

    def call(self, obj: Stock, given: dict[str, Any], actor: str) -> str:
        adjust_stock(sku=obj.sku.code, total=given["total"], actor=actor, reason=given["reason"])
        return ""


class CouponForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Coupon
        fields = ("code", "basis_points", "active", "ends_at")

    def _post_clean(self) -> None:
        """Nothing of the instance is validated here: the service says what is wrong."""


@admin.register(Coupon)
class CouponAdmin(ThroughService):
    form = CouponForm
    list_display = ("code", "basis_points", "active", "ends_at", "created_at")
    list_filter = ("active",)
    search_fields = ("code__exact",)
    ordering = ("-created_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def call(self, obj: Coupon, given: dict[str, Any], actor: str) -> str:
        code = save_coupon(**{"code": obj.code, **given}, actor=actor)
        return str(_("%(code)s can be used from now on.") % {"code": code}) if given["active"] else ""


class VerificationForm(forms.ModelForm):  # type: ignore[type-arg]
    customer = forms.CharField(
        label=_("Customer"),
        max_length=150,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("cus_…, or the name that the account signs in with."),
    )

    class Meta:
        model = Verification
        fields = ("level", "reason")
        help_texts: ClassVar = {
            "reason": _("Which papers were seen, and by whom. Kept in the audit journal.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["customer"].initial = f"cus_{self.instance.user_id}"
            self.fields["customer"].disabled = True

    def _post_clean(self) -> None:
        """Nothing of the instance is validated here: the service says what is wrong."""


@admin.register(Verification)
class VerificationAdmin(ThroughService):
    form = VerificationForm
    fields = ("customer", "level", "reason")
    list_display = ("customer_shown", "level", "reason", "setter", "set_at")
    list_filter = ("level",)
    ordering = ("-set_at",)
    search_fields = ("user__username__exact",)
    search_help_text = _("the name that the account signs in with")
    setter = person("set_by", _("Set by"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Verification]:
        return Verification.objects.annotate(**names("set_by"))

    @display(description=_("Customer"))
    def customer_shown(self, row: Verification) -> str:
        return f"cus_{row.user_id}"

    def call(self, obj: Verification, given: dict[str, Any], actor: str) -> str:
        customer = set_verification_level(**given, actor=actor)
        return str(
            _("%(customer)s has level %(level)s from the next payment on.")
            % {"customer": customer, "level": given["level"]}
        )
