"""How far a customer's owner is verified: what a customer may pay in a day follows from it (`limits` of the policy)."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.identifiers import new_key

HIGHEST = 3


class VerificationQuerySet(models.QuerySet["Verification"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")


class Verification(models.Model):
    """The level that an account has now; the audit journal has those before. Without a row it is 0."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="verification"
    )
    level = models.PositiveSmallIntegerField(
        choices=[(0, "0"), (1, "I"), (2, "II"), (3, "III")], verbose_name=_("Level")
    )
    reason = models.CharField(max_length=300, verbose_name=_("Reason"))
    set_by = models.CharField(max_length=80)
    set_at = models.DateTimeField(default=timezone.now)

    objects = VerificationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="verification_level_known", condition=Q(level__lte=HIGHEST)),
            models.CheckConstraint(name="verification_has_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"cus_{self.user_id}: {self.get_level_display()}"
