"""What was decided, on what grounds: written once, never changed."""

import json
from functools import cache

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ledger import identifiers
from ledger.wire import Call, Statement
from risk.models.policies import Policy
from risk.states import Action, Level, Stage


class Decision(models.Model):
    """The answer to one question about a payment. `inputs` and the policy's version suffice to replay it.

    The keys repeat what `inputs` holds because counts per minute look them up: (key, time) is a short range scan
    however long the table grows.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    stage = models.CharField(max_length=8, choices=[(s, s) for s in Stage])
    subject = models.CharField(max_length=128)
    happened_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    inputs = models.JSONField()  # stored as it is: to compress it takes as long as all else (0015)
    outcome = models.JSONField()
    reasons = models.JSONField()
    explanation = models.TextField(blank=True)
    score = models.SmallIntegerField()
    level = models.CharField(max_length=6, choices=[(x, x) for x in Level])
    action = models.CharField(max_length=9, choices=[(a, a) for a in Action])
    digest = models.CharField(max_length=64)
    latency_us = models.PositiveIntegerField(
        help_text="From the question to just before this row was written."
    )
    customer_key = models.CharField(max_length=32, blank=True)
    card_key = models.CharField(max_length=32, blank=True)
    device_key = models.CharField(max_length=32, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject", "id"], name="risk_decision_subject"),
            models.Index(fields=["customer_key", "happened_at"], name="risk_decision_customer"),
            models.Index(fields=["card_key", "happened_at"], name="risk_decision_card"),
            models.Index(fields=["device_key", "happened_at"], name="risk_decision_device"),
            models.Index(fields=["id"], condition=Q(action=Action.REVIEW), name="risk_decision_review"),
            models.Index(
                fields=["policy", "id"], condition=~Q(action=Action.ACCEPT), name="risk_decision_stopped"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(stage__in=[str(s) for s in Stage]), name="risk_decision_stage"
            ),
            models.CheckConstraint(
                condition=Q(level__in=[str(x) for x in Level]), name="risk_decision_level"
            ),
            models.CheckConstraint(
                condition=Q(action__in=[str(a) for a in Action]), name="risk_decision_action"
            ),
            models.CheckConstraint(condition=Q(score__gte=0), name="risk_decision_score"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("dec", self.id)

    def written(self, *, inputs: str, outcome: str) -> Call:
        """The statement that writes this new row; `inputs` and `outcome` as the JSON that was made for the digest."""
        texts = {"inputs": inputs, "outcome": outcome, "reasons": json.dumps(self.reasons)}
        return _insert()(self.__dict__ | texts)


@cache
def _insert() -> Statement:
    columns = [field.attname for field in Decision._meta.concrete_fields]
    places = ", ".join(f"%({column})s" for column in columns)
    return Statement(
        "risk_decide",
        f"INSERT INTO risk_decision ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
    )
