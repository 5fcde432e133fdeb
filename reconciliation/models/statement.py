"""Statements as they came, and what they add up to."""

from datetime import date, datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.errors import StatementNotFound
from reconciliation.models.triggers import NeverChanged
from reconciliation.states import StatementPhase, StatementSource, TotalPart
from reconciliation.states import StatementState as S

LIVE = [S.MATCHED.value, S.SETTLED.value]


class StatementQuerySet(models.QuerySet["StatementFile"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def by_public_id(self, public_id: str) -> "StatementFile":
        """Raises `StatementNotFound`."""
        try:
            row = self.filter(pk=identifiers.decode("stm", public_id)).first()
        except identifiers.MalformedIdentifier:
            row = None
        if row is None:
            raise StatementNotFound("there is no such statement", param="file")
        return row

    def take_in(self, row: "StatementFile") -> bool:
        """Whether these bytes are new for this day; whoever brings them at the same time waits here."""
        self.bulk_create([row], ignore_conflicts=True)
        return self.filter(pk=row.pk).exists()

    def live(self) -> Self:
        """The statements that count: one at most for each channel, kind and day."""
        return self.filter(state__in=LIVE)

    def of_day(self, channel: str, kind: str, day: date) -> Self:
        return self.filter(channel=channel, kind=kind, day_on=day)


class StatementFile(FSMModelMixin, models.Model):
    """One file of a provider's about one of its days (`day_on`); its bytes are in `StatementChunk`.

    `supersedes` is the statement of the same day in whose place this one came.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    channel = models.CharField(max_length=20)
    kind = models.CharField(max_length=30)
    day_on = models.DateField()
    state = StateField(default=S.RECEIVED.value, choices=[(s.value, s.value) for s in S], protected=True)
    source = models.CharField(max_length=10, choices=[(s.value, s.value) for s in StatementSource])
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    brought_by = models.CharField(max_length=80)
    received_at = models.DateTimeField(db_default=Now())
    supersedes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="superseded_by", db_index=False
    )
    refusal_code = models.CharField(max_length=60, blank=True)
    refusal_line = models.IntegerField(null=True)
    refusal_detail = models.CharField(max_length=500, blank=True)
    phase = models.CharField(
        max_length=10,
        choices=[(p.value, p.value) for p in StatementPhase],
        default=StatementPhase.WAITING.value,
    )
    rows_done = models.IntegerField(default=0)
    rows = models.IntegerField(default=0)
    matched = models.IntegerField(default=0)
    matched_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("bring_statement", "Can upload statements and have them matched again")]
        ordering = ["-day_on", "channel", "kind"]
        triggers = [StateAudit("stm")]
        indexes = [
            models.Index(fields=["-received_at"], name="reconciliation_received"),
            models.Index(
                fields=["received_at"], condition=Q(state=S.RECEIVED.value), name="reconciliation_to_match"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "kind", "day_on", "sha256"], name="reconciliation_file_once"
            ),
            models.UniqueConstraint(
                fields=["channel", "kind", "day_on"],
                condition=Q(state__in=LIVE),
                name="reconciliation_one_live_file",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in S]), name="reconciliation_file_state"
            ),
            models.CheckConstraint(
                condition=~Q(state=S.REFUSED.value) | ~Q(refusal_code=""),
                name="reconciliation_refused_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(rows__gte=0, matched__gte=0, matched__lte=F("rows")),
                name="reconciliation_matched_within_rows",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.kind} {self.day_on}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("stm", self.id)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def version(self) -> int:
        """1, and one more for each file in whose place it came."""
        return 1 + (self.supersedes.version if self.supersedes else 0)

    def note_progress(self, phase: StatementPhase, rows_done: int) -> None:
        """Seen by others once committed; says nothing about what is true."""
        self.phase, self.rows_done = phase.value, rows_done
        StatementFile.objects.filter(pk=self.pk).update(phase=phase.value, rows_done=rows_done)

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        names = "state supersedes refusal_code refusal_line refusal_detail phase rows_done rows matched"
        self.save(update_fields=[*names.split(), "matched_at", "settled_at"])

    @transition(field=state, source=S.RECEIVED.value, target=S.MATCHED.value)
    def match(self, *, rows: int, matched: int, at: datetime) -> None:
        self.rows, self.matched, self.matched_at = rows, matched, at
        self.phase, self.rows_done = StatementPhase.DONE.value, rows

    @transition(field=state, source=S.RECEIVED.value, target=S.REFUSED.value)
    def refuse(self, *, code: str, line: int | None, detail: str) -> None:
        self.refusal_code, self.refusal_line, self.refusal_detail = code[:60], line, detail[:500]
        self.phase = StatementPhase.DONE.value

    @transition(field=state, source=S.MATCHED.value, target=S.SETTLED.value)
    def settle(self, *, at: datetime) -> None:
        self.settled_at = at

    @transition(field=state, source=LIVE, target=S.SUPERSEDED.value)
    def give_way(self) -> None:
        """A corrected file of the same day counts from now on."""


class StatementChunk(models.Model):
    """A piece of a statement's bytes as they came: they are never changed, so every line can be read again."""

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="chunks", db_index=False)
    number = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        triggers = [NeverChanged()]
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="reconciliation_chunk_once"),
            models.CheckConstraint(condition=Q(number__gte=0), name="reconciliation_chunk_number"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} {self.number}"


class StatementTotal(models.Model):
    """Counts and sums of one part of a statement by their payout, kind of movement and currency.

    `theirs` is what the file says; every other part is signed so that together they make up `theirs` to the unit.
    `grp` is their payout or batch where the file tells it. Fees are thousandths of a minor unit.
    """

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="totals", db_index=False)
    part = models.CharField(max_length=20, choices=[(p.value, p.value) for p in TotalPart])
    grp = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    count = models.BigIntegerField()
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["file", "part", "grp", "kind", "currency"], name="reconciliation_total_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.part} {self.kind} {self.currency} {self.amount}"
