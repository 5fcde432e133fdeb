"""The dispute: the customer's bank takes the money back, and we may answer once."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money
from payments.models import bells
from payments.models.attempt import Attempt
from payments.models.payment import Payment
from payments.states import OPEN_DISPUTE, DisputeState

S = DisputeState
_ANY = list(S)
_CHANGING = [
    "state",
    "amount",
    "reason",
    "category",
    "withdrawn",
    "reinstated",
    "lost",
    "fee",
    "postings",
    "known",
    "double_risk",
    "due_by",
    "submitted_at",
    "closed_at",
    "withdrawn_at",
    "reinstated_at",
    "texts",
    "reminders",
    "reminded_at",
    "next_check_at",
    "updated_at",
]
# Notices may be lost: the provider is asked this often, and soon after a deadline went by.
_ASK_AGAIN = timedelta(hours=12)
_AFTER_DEADLINE = timedelta(minutes=5)


class DisputeQuerySet(models.QuerySet["Dispute"]):
    def locked(self) -> Self:
        """After the payment's row: payment → dispute → movement."""
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("dsp", public_id))

    def open(self) -> Self:
        return self.filter(state__in=sorted(OPEN_DISPUTE))

    def to_answer(self) -> Self:
        """Those that wait for us, deadline first; `dispute_to_answer` is the index of this queue."""
        return self.filter(state__in=[S.WARNING, S.NEEDS_RESPONSE]).order_by(
            F("due_by").asc(nulls_last=True), "pk"
        )

    def claim_due(self, now: datetime, limit: int) -> list["Dispute"]:
        """Open disputes that the provider is to be asked about; each is given to one caller."""
        due = self.open().filter(next_check_at__lte=now).order_by("next_check_at")[:limit]
        return [
            dispute
            for dispute in due
            if self.filter(pk=dispute.pk, next_check_at=dispute.next_check_at).update(
                next_check_at=now + _ASK_AGAIN
            )
        ]


class Dispute(FSMModelMixin, models.Model):
    """What the provider says of it, and what we booked for it. Amounts are minor units of `currency`.

    `withdrawn`, `reinstated`, `lost` and `fee` are totals, and equal to what stands in the journal under this
    dispute's keys; `postings` counts the entries of each. `known` remembers how new each fact is, so that news
    may come in any order. The provider's truth is believed even where it jumps: the audit trail has the jump.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="disputes")
    channel = models.CharField(max_length=20)
    channel_reference = models.CharField(max_length=100)
    state = StateField(default=S.WARNING, choices=[(s, s) for s in S], protected=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    withdrawn = models.BigIntegerField(default=0)
    reinstated = models.BigIntegerField(default=0)
    lost = models.BigIntegerField(default=0)
    fee = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=60, blank=True)
    category = models.CharField(max_length=30)
    double_risk = models.BooleanField(default=False)  # money was also on its way back by a refund
    known = models.JSONField(default=dict)
    postings = models.JSONField(default=dict)
    texts = models.JSONField(default=dict)
    due_by = models.DateTimeField(null=True)
    submitted_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    reinstated_at = models.DateTimeField(null=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    reminded_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        default_permissions = ("view",)
        permissions = [
            ("draft_dispute", "Can prepare the answer to a dispute"),
            ("settle_dispute", "Can submit the answer to a dispute, or accept it"),
        ]
        triggers = [StateAudit("dsp"), *bells.DISPUTE]
        indexes = [
            models.Index(
                fields=["due_by"],
                condition=Q(state__in=[S.NEEDS_RESPONSE, S.WARNING]),
                name="dispute_to_answer",
            ),
            models.Index(
                fields=["next_check_at"],
                condition=Q(state__in=sorted(OPEN_DISPUTE)),
                name="dispute_check_due",
            ),
            models.Index(
                fields=["created_at"], condition=Q(state__in=sorted(OPEN_DISPUTE)), name="dispute_open_since"
            ),
            models.Index(
                fields=["-closed_at"], condition=Q(closed_at__isnull=False), name="dispute_closed_last"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "channel_reference"], name="dispute_once_per_channel"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive"),
            models.CheckConstraint(
                condition=Q(withdrawn__gte=F("reinstated") + F("lost"), reinstated__gte=0, lost__gte=0),
                name="dispute_totals_within_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    @property
    def public_id(self) -> str:
        return encode("dsp", self.id)

    @property
    def kept_from_us(self) -> int:
        """Minor units that are withdrawn now, for the time being or for good."""
        return self.withdrawn - self.reinstated

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_DISPUTE

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    def posting_keys(self, kind: str) -> list[str]:
        """The business keys of what was posted so far, oldest first: dsp_…:won, dsp_…:won:2 …"""
        first = f"{self.public_id}:{kind}"
        return [first if number == 1 else f"{first}:{number}" for number in range(1, self.postings[kind] + 1)]

    def told(self) -> dict[str, Any]:
        """What every event about this dispute says."""
        return {
            **self.payment.told(),
            "dispute": self.public_id,
            "state": str(self.state),
            "disputed": self.amount,
            "withdrawn": self.kept_from_us,
            "reason": self.category,
            "due_by": self.due_by.isoformat() if self.due_by else "",
        }

    def watch(self) -> None:
        """The provider is asked now and then, and soon after the deadline."""
        now = timezone.now()
        self.next_check_at = now + _ASK_AGAIN
        if self.due_by and self.due_by > now:
            self.next_check_at = min(self.next_check_at, self.due_by + _AFTER_DEADLINE)

    def close_at(self, moment: datetime) -> None:
        self.closed_at = self.closed_at or moment

    @transition(field=state, source=[S.WARNING], target=S.NEEDS_RESPONSE)
    def need_response(self) -> None: ...

    @transition(field=state, source=[S.WARNING, S.NEEDS_RESPONSE], target=S.UNDER_REVIEW)
    def review(self) -> None: ...

    @transition(field=state, source=_ANY, target=S.WON)
    def win(self) -> None:
        """Also after an appeal against what was lost."""

    @transition(field=state, source=_ANY, target=S.LOST)
    def lose(self) -> None: ...

    @transition(field=state, source=_ANY, target=S.ACCEPTED)
    def accept(self) -> None:
        """Lost, because we said so."""

    @transition(field=state, source=_ANY, target=S.EXPIRED)
    def expire(self) -> None:
        """Lost, because nobody answered in time."""


class EvidenceFile(models.Model):
    """One page of proof. It is kept in the database: few, bounded, and in the same backup as what it proves,
    readable by every process without a shared disk. Lists must leave `content` out (`without_content`)."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="files")
    kind = models.CharField(max_length=30)
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    added_by = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["dispute", "kind"], name="evidence_file_one_of_a_kind"),
            models.CheckConstraint(
                condition=Q(size__gt=0, size__lte=5 * 1024 * 1024), name="evidence_file_size_bounded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def public_id(self) -> str:
        return encode("evf", self.id)

    @staticmethod
    def hash_of(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()
