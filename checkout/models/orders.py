"""Orders and what was ordered."""

from datetime import datetime, timedelta
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMModelMixin, transition

from checkout.models.goods import Sku
from checkout.sharing import LinePart
from checkout.states import PAID, OrderState
from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money

PREFIX = "ord"
_CHARGED = ("subtotal", "discount", "tax", "tax_included", "shipping", "payable", "currency")
_TOOK_MONEY = sorted(PAID | {OrderState.CANCELLED_AFTER_PAY})


class OrderQuerySet(models.QuerySet["Order"]):
    def locked(self) -> "OrderQuerySet":
        return self.select_for_update(of=("self",)).order_by("pk")

    def named(self, public_id: str) -> "OrderQuerySet":
        """The order with this public identifier. Raises `ledger.identifiers.MalformedIdentifier`."""
        return self.filter(pk=decode(PREFIX, public_id))

    def claim_overdue(self, now: datetime, limit: int, retry_after: timedelta) -> list["Order"]:
        """Unpaid orders past their time, each for one worker only until `retry_after` has passed."""
        due = self.filter(state=OrderState.PENDING_PAYMENT, expires_at__lte=now).filter(
            Q(sweep_after__isnull=True) | Q(sweep_after__lte=now)
        )
        claimed = due.select_for_update(skip_locked=True, of=("self",)).order_by("expires_at")[:limit]
        keys = [order.pk for order in claimed]
        self.filter(pk__in=keys).update(sweep_after=now + retry_after)
        return list(self.filter(pk__in=keys).order_by("expires_at"))


class Order(FSMModelMixin, models.Model):
    """What one customer wants, at the price of the quote that is stored with it. Amounts never change."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    state = StateField(
        default=OrderState.CREATING, choices=[(s.value, s.value) for s in OrderState], protected=True
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    access_token_hash = models.CharField(max_length=64, blank=True, db_index=True)  # SHA-256, guests only
    email = models.EmailField(db_index=True)  # lower case
    address = models.JSONField()
    country = models.CharField(max_length=2)
    locale = models.CharField(max_length=10)
    client = models.JSONField(default=dict)
    device_id = models.CharField(max_length=100, blank=True, db_index=True)
    currency = models.CharField(max_length=3)
    subtotal = models.BigIntegerField()
    discount = models.BigIntegerField(default=0)
    tax = models.BigIntegerField(default=0)
    tax_included = models.BigIntegerField(default=0)  # inside the subtotal
    shipping = models.BigIntegerField(default=0)
    payable = models.BigIntegerField()
    quote_id = models.CharField(max_length=40, unique=True)
    quote = models.TextField()
    coupon = models.CharField(max_length=40, blank=True, default="", db_default="")
    paid_by = models.CharField(max_length=40, blank=True)  # pay_…
    # What of the refunds was for goods that had left, minor units: see docs/ledger.md.
    returned_after_shipping = models.BigIntegerField(default=0, db_default=0)
    returns_booked = models.PositiveIntegerField(default=0, db_default=0)  # how many postings made that sum
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField()  # when stock was taken, first or again
    expires_at = models.DateTimeField()
    sweep_after = models.DateTimeField(null=True, blank=True, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        permissions: ClassVar = [("ship_order", "Can ship orders")]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="order_adds_up",
                condition=Q(payable=F("subtotal") - F("discount") + F("tax") + F("shipping")),
            ),
            models.CheckConstraint(
                name="order_amounts_not_negative",
                condition=Q(
                    payable__gte=0,
                    subtotal__gte=0,
                    discount__gte=0,
                    tax__gte=0,
                    tax_included__gte=0,
                    shipping__gte=0,
                ),
            ),
            # Two at once; those that are paid are looked for. Money that comes late must never stumble over this.
            models.UniqueConstraint(
                name="order_coupon_once_by_email",
                fields=["coupon", "email"],
                condition=~Q(coupon="") & Q(state=OrderState.PENDING_PAYMENT.value),
            ),
            models.UniqueConstraint(
                name="order_coupon_once_by_account",
                fields=["coupon", "user"],
                condition=~Q(coupon="") & Q(state=OrderState.PENDING_PAYMENT.value),
            ),
            models.CheckConstraint(
                name="order_returned_not_negative", condition=Q(returned_after_shipping__gte=0)
            ),
            models.CheckConstraint(name="order_state_known", condition=Q(state__in=sorted(OrderState))),
            models.CheckConstraint(
                name="order_names_who_paid",
                condition=Q(state__in=_TOOK_MONEY, paid_by__gt="")
                | (~Q(state__in=_TOOK_MONEY) & Q(paid_by="")),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="order_of_user"),
            models.Index(
                fields=["expires_at"],
                name="order_overdue",
                condition=Q(state=OrderState.PENDING_PAYMENT.value),
            ),
            models.Index(
                fields=["fulfilled_at"],
                name="order_fulfilled",
                condition=Q(state=OrderState.FULFILLED.value),
            ),
        ]
        triggers: ClassVar = [
            StateAudit(PREFIX),
            pgtrigger.ReadOnly(name="order_amounts_stay", fields=list(_CHARGED)),
            pgtrigger.Protect(name="order_is_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode(PREFIX, self.id)

    @property
    def owed(self) -> Money:
        return Money(self.payable, self.currency)

    @property
    def in_chinese(self) -> bool:
        return self.locale.startswith("zh")

    @transition(state, source=OrderState.CREATING, target=OrderState.PENDING_PAYMENT)
    def open(self) -> None:
        """Checked and quoted; its stock is being taken."""

    @transition(state, source=OrderState.CREATING, target=OrderState.REJECTED)
    def reject(self) -> None:
        """Risk said no."""

    @transition(state, source=OrderState.PENDING_PAYMENT, target=OrderState.CANCELLED)
    def cancel(self) -> None:
        """No money was taken and none can be any more."""

    @transition(state, source=OrderState.CANCELLED, target=OrderState.PENDING_PAYMENT)
    def reopen(self, *, quote: str, quote_id: str, opened_at: datetime, expires_at: datetime) -> None:
        """The customer tries again, on a new quote."""
        self.quote, self.quote_id = quote, quote_id
        self.opened_at, self.expires_at, self.sweep_after = opened_at, expires_at, None

    @transition(state, source=[OrderState.PENDING_PAYMENT, OrderState.CANCELLED], target=OrderState.PAID)
    def pay(self, payment: str) -> None:
        """The money is here, or held, and the stock is sold. From CANCELLED: it came late, and the stock was there."""
        self.paid_by = payment

    @transition(state, source=OrderState.CANCELLED, target=OrderState.CANCELLED_AFTER_PAY)
    def compensate(self, payment: str) -> None:
        """The money came late and the stock is gone: it goes back."""
        self.paid_by = payment

    @transition(state, source=[OrderState.PAID, OrderState.FULFILLING], target=OrderState.CANCELLED_AFTER_PAY)
    def take_back(self) -> None:
        """All of the money went back, or none was taken and it is held no more."""

    @transition(state, source=OrderState.PAID, target=OrderState.FULFILLING)
    def begin_fulfilment(self) -> None:
        """A part of it left the house."""

    @transition(state, source=OrderState.FULFILLING, target=OrderState.FULFILLED)
    def fulfil(self, at: datetime) -> None:
        """All of it left the house."""
        self.fulfilled_at = at

    @transition(state, source=OrderState.FULFILLED, target=OrderState.DONE)
    def finish(self) -> None:
        """Delivered, and the time to return it is over."""


class OrderLine(models.Model):
    """So many of one article, as it was named and priced when it was ordered; in the order's currency."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=60)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120)
    image = models.CharField(max_length=100, blank=True)
    quantity = models.IntegerField()
    unit_price = models.BigIntegerField()
    discount = models.BigIntegerField(default=0)
    tax = models.BigIntegerField(default=0)
    tax_included = models.BigIntegerField(default=0)
    total = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="order_line_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="order_line_adds_up", condition=Q(total=F("unit_price") * F("quantity") - F("discount"))
            ),
            models.CheckConstraint(
                name="order_line_amounts_not_negative",
                condition=Q(
                    unit_price__gte=0, discount__gte=0, tax__gte=0, tax_included__gte=0, total__gte=0
                ),
            ),
            models.UniqueConstraint(name="order_line_once_per_sku", fields=["order", "sku"]),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="order_line_is_kept", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.code}"

    def part(self, *, sent: int, now: int) -> LinePart:
        """`now` of its units, `sent` having left before."""
        return LinePart(
            quantity=self.quantity,
            sent=sent,
            now=now,
            unit_price=self.unit_price,
            discount=self.discount,
            tax=self.tax,
            tax_included=self.tax_included,
        )
