"""What one person wants of the strongest lists, until another confirms it. Decisions never read these tables."""

from datetime import datetime
from typing import Self

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import MalformedIdentifier, decode
from risk.models.lists import ListEntry
from risk.states import EntityKind, ListChangeKind, ListChangeState, ListKind

S = ListChangeState
_WAITS = Q(state=S.WAITING.value)


class ListChangeQuerySet(models.QuerySet["ListChange"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def waiting(self) -> Self:
        """The oldest first."""
        return self.filter(_WAITS).order_by("proposed_at", "pk")

    def named(self, change: str) -> Self:
        """The one of this "lch_…", or none."""
        try:
            return self.filter(pk=decode("lch", change))
        except MalformedIdentifier:
            return self.none()


class ListChange(FSMModelMixin, models.Model):
    """Entries to be put on lists together, or one to be ended. `name` and `digest` are those of a file."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    kind = models.CharField(max_length=4, choices=[(k.value, k.value) for k in ListChangeKind])
    state = StateField(default=S.WAITING.value, choices=[(s.value, s.value) for s in S], protected=True)
    reason = models.CharField(max_length=300)
    name = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    ended = models.ForeignKey(
        ListEntry, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    proposed_by = models.CharField(max_length=80)
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_why = models.CharField(max_length=300, blank=True)

    objects = ListChangeQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("confirm_listchange", "Can confirm changes of lists that others propose")]
        indexes = [
            models.Index(fields=["proposed_at"], condition=_WAITS, name="risk_list_change_waiting"),
            models.Index(
                fields=["-decided_at"], condition=Q(decided_at__isnull=False), name="risk_list_change_decided"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=S.CONFIRMED.value) | (~Q(decided_by="") & ~Q(decided_by=F("proposed_by"))),
                name="risk_list_change_by_two",
            ),
            models.CheckConstraint(
                condition=_WAITS | Q(decided_at__isnull=False), name="risk_list_change_decided_then"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in S]), name="risk_list_change_state"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[k.value for k in ListChangeKind]) & ~Q(reason="") & ~Q(proposed_by=""),
                name="risk_list_change_said",
            ),
            models.UniqueConstraint(
                fields=["digest"], condition=_WAITS & ~Q(digest=""), name="risk_list_change_file_once"
            ),
            models.UniqueConstraint(fields=["ended"], condition=_WAITS, name="risk_list_change_end_once"),
        ]
        triggers = [StateAudit("lch")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("lch", self.id)

    @property
    def by_person(self) -> bool:
        """For whom a program proposed it, nobody knows: it might be the one who confirms."""
        return self.proposed_by.startswith("user:")

    @transition(field=state, source=S.WAITING.value, target=S.CONFIRMED.value)
    def confirm(self, *, actor: str, reason: str, at: datetime) -> None:
        self.decided_by, self.decided_why, self.decided_at = actor, reason[:300], at

    @transition(field=state, source=S.WAITING.value, target=S.REJECTED.value)
    def reject(self, *, actor: str, reason: str, at: datetime) -> None:
        self.decided_by, self.decided_why, self.decided_at = actor, reason[:300], at

    def store(self) -> None:
        self.save(update_fields=["state", "decided_by", "decided_why", "decided_at"])


class ProposedEntry(models.Model):
    """One entry of a change. What is confirmed is what was proposed: nothing of it changes in between."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    change = models.ForeignKey(ListChange, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=8, choices=[(k, k) for k in ListKind])
    entity = models.CharField(max_length=10, choices=[(k, k) for k in EntityKind])
    entity_key = models.CharField(max_length=32)
    label = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=300)
    source = models.CharField(max_length=80)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["entity_key", "kind"], name="risk_proposed_entity")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} {self.entity} {self.label or self.entity_key[:8]}"
