"""What a policy must answer to certain payments, whatever version of it comes next."""

from typing import Self

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ledger import identifiers
from risk.models.decisions import Decision
from risk.states import Must


class ExpectationQuerySet(models.QuerySet["Expectation"]):
    def live(self, policy: str) -> Self:
        """Those of all versions of the policy of this name, the oldest first."""
        return self.filter(policy=policy, ended_at=None).order_by("pk")

    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))


class Expectation(models.Model):
    """`policy` is a name without version. The payment is a stored `decision`, or an `example` with its `inputs`."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    policy = models.SlugField(max_length=40, db_index=False)
    label = models.CharField(max_length=200)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, null=True, related_name="expectations")
    example = models.JSONField(default=dict)
    inputs = models.JSONField(default=dict)
    must = models.CharField(max_length=6, choices=[(m, m) for m in Must])
    value = models.CharField(max_length=60)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=80)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=80, blank=True)

    objects = ExpectationQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["policy", "id"], condition=Q(ended_at=None), name="risk_expectation_live")
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(must__in=[str(m) for m in Must]), name="risk_expectation_must"
            ),
            models.CheckConstraint(
                condition=(Q(decision=None) & ~Q(inputs={})) | (Q(decision__isnull=False) & Q(inputs={})),
                name="risk_expectation_of_one_payment",
            ),
        ]
        triggers = [pgtrigger.Protect(name="kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return identifiers.encode("exp", self.id)
