"""Codes that take something off the price."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.identifiers import new_key

MOST = 9000  # basis points: something is left to pay


class CouponQuerySet(models.QuerySet["Coupon"]):
    def good(self, code: str) -> "CouponQuerySet":
        """The coupon of this code, if it can be used now."""
        open_ended = Q(ends_at=None) | Q(ends_at__gt=timezone.now())
        return self.filter(open_ended, code=code, active=True)


class Coupon(models.Model):
    """So much off every line of an order, once for each customer."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    code = models.CharField(max_length=40, unique=True, verbose_name=_("Code"))
    basis_points = models.PositiveIntegerField(
        verbose_name=_("Discount"), help_text=_("In hundredths of a percent: 1000 is 10 %.")
    )
    active = models.BooleanField(default=True, verbose_name=_("Can be used"))
    ends_at = models.DateTimeField(null=True, blank=True, verbose_name=_("Ends"))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CouponQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                name="coupon_leaves_a_price", condition=Q(basis_points__gt=0, basis_points__lte=MOST)
            ),
            models.CheckConstraint(
                name="coupon_code_in_capitals", condition=Q(code__regex=r"^[A-Z0-9-]{4,40}$")
            ),
        ]

    def __str__(self) -> str:
        return self.code
