"""Merchants' own addresses that hear of events, what is to be told to each, and every try of telling it."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from payments.models.retrying import wait_after
from payments.models.sealed import SealedTextField
from payments.states import WebhookEndpointState as S
from payments.states import WebhookMessageState

# As the Standard Webhooks recommend; a day and four hours in all.
_BACK_OFF = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
LONGEST_EXCERPT = 1024
_WAITING = Q(delivered_at=None, dead_at=None)

# The oldest due message of the endpoint that waits longest. First tries of one subject go in turn; an endpoint that
# is slow to answer keeps no more than its share of the senders.
_CLAIM = """
UPDATE payments_webhookmessage SET leased_until = %(until)s WHERE id = (
    SELECT due.id FROM payments_webhookendpoint endpoint
    CROSS JOIN LATERAL (
        SELECT id, next_try_at FROM payments_webhookmessage message
        WHERE message.endpoint_id = endpoint.id AND delivered_at IS NULL AND dead_at IS NULL
          AND next_try_at <= %(now)s AND (leased_until IS NULL OR leased_until < %(now)s)
          AND NOT EXISTS (
            SELECT 1 FROM payments_webhookmessage earlier
            WHERE earlier.endpoint_id = endpoint.id AND earlier.subject = message.subject
              AND earlier.sequence < message.sequence AND earlier.tries = 0
              AND earlier.delivered_at IS NULL AND earlier.dead_at IS NULL)
        ORDER BY next_try_at, sequence LIMIT 1 FOR UPDATE SKIP LOCKED) due
    WHERE endpoint.state = 'ENABLED' AND %(share)s > (
        SELECT count(*) FROM payments_webhookmessage busy
        WHERE busy.endpoint_id = endpoint.id AND busy.delivered_at IS NULL AND busy.dead_at IS NULL
          AND busy.leased_until >= %(now)s)
    ORDER BY due.next_try_at LIMIT 1)
RETURNING id
"""


class EndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("whe", public_id))

    def enabled(self) -> Self:
        return self.filter(state=S.ENABLED)

    def note_success(self, pk: UUID) -> None:
        self.filter(pk=pk).exclude(first_failed_at=None).update(first_failed_at=None)


class WebhookEndpoint(FSMModelMixin, models.Model):
    """`events` holds names and patterns ("refund.*", "*"). After a rotation both secrets sign for a while."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=60))
    state = StateField(default=S.ENABLED, choices=[(s, s) for s in S], protected=True)
    secret = SealedTextField()
    previous_secret = SealedTextField(blank=True)
    previous_secret_until = models.DateTimeField(null=True)
    first_failed_at = models.DateTimeField(null=True)  # since when nothing has arrived
    disabled_reason = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        permissions = [("manage_webhooks", "Can manage webhook endpoints")]
        triggers = [StateAudit("whe")]

    def __str__(self) -> str:
        return self.url

    @property
    def public_id(self) -> str:
        return encode("whe", self.id)

    def wants(self, name: str) -> bool:
        return any(
            pattern in ("*", name) or (pattern.endswith(".*") and name.startswith(pattern[:-1]))
            for pattern in self.events
        )

    def secrets(self, now: datetime) -> list[str]:
        """All that sign now, the newest first. Empty when the key that sealed them is gone."""
        both = [self.secret]
        if self.previous_secret_until and now < self.previous_secret_until:
            both.append(self.previous_secret)
        return [secret for secret in both if secret]

    def rotate(self, secret: str, until: datetime) -> None:
        self.previous_secret, self.previous_secret_until = self.secret or "", until
        self.secret = secret

    @transition(field=state, source=S.ENABLED, target=S.DISABLED)
    def disable(self, reason: str) -> None:
        self.disabled_reason = reason[:200]

    @transition(field=state, source=S.DISABLED, target=S.ENABLED)
    def enable(self) -> None:
        self.disabled_reason, self.first_failed_at = "", None

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        names = "url description events state secret previous_secret previous_secret_until first_failed_at"
        self.save(update_fields=[*names.split(), "disabled_reason"])


class MessageQuerySet(models.QuerySet["WebhookMessage"]):
    def claim_one(self, now: datetime, until: datetime, share: int) -> "WebhookMessage | None":
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {"now": now, "until": until, "share": share})
            claimed = cursor.fetchone()
        return self.select_related("endpoint").get(pk=claimed[0]) if claimed else None

    def waiting(self) -> Self:
        return self.filter(_WAITING)

    def bury(self) -> int:
        """Nothing is sent to an endpoint that is switched off; what was waiting can be replayed."""
        return self.waiting().update(dead_at=timezone.now(), leased_until=None)

    def send_again(self) -> int:
        """Also what arrived. The merchant knows it by its `webhook-id`."""
        return self.update(
            delivered_at=None, dead_at=None, tries=0, next_try_at=timezone.now(), leased_until=None
        )

    def forgettable(self, before: datetime) -> Self:
        return self.filter(created_at__lt=before).exclude(_WAITING)


class WebhookMessage(models.Model):
    """What one endpoint is to be told of one event; `body` is sent byte for byte, every time."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="messages")
    event = models.CharField(max_length=40)  # evt_…, sent as `webhook-id`
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=64)
    sequence = models.BigIntegerField()
    body = models.TextField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="webhook_message_once_per_endpoint"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "next_try_at"], condition=_WAITING, name="webhook_message_due"),
            models.Index(
                fields=["endpoint", "subject", "sequence"], condition=_WAITING, name="webhook_message_line"
            ),
            models.Index(fields=["endpoint", "created_at"], name="webhook_message_by_endpoint"),
            models.Index(fields=["created_at"], name="webhook_message_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event}"

    @property
    def public_id(self) -> str:
        return encode("whm", self.id)

    @property
    def status(self) -> WebhookMessageState:
        if self.dead_at:
            return WebhookMessageState.DEAD
        return WebhookMessageState.DELIVERED if self.delivered_at else WebhookMessageState.WAITING

    def tried(self, arrived: bool, until: datetime) -> bool:
        """Note the outcome; False when the lease that ended at `until` was lost, or it was replayed meanwhile."""
        now, self.tries = timezone.now(), self.tries + 1
        wait = None if arrived else wait_after(self.tries, _BACK_OFF)
        self.delivered_at = now if arrived else None
        self.dead_at = None if arrived or wait else now
        self.next_try_at = now + (wait or timedelta())
        mine = WebhookMessage.objects.waiting().filter(pk=self.pk, leased_until=until)
        return bool(
            mine.update(
                tries=self.tries,
                delivered_at=self.delivered_at,
                dead_at=self.dead_at,
                next_try_at=self.next_try_at,
                leased_until=None,
            )
        )


class WebhookDelivery(models.Model):
    """One try. `status` is the HTTP status, empty when there was no answer."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    message = models.ForeignKey(WebhookMessage, on_delete=models.CASCADE, related_name="deliveries")
    number = models.PositiveSmallIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    latency_ms = models.PositiveIntegerField()
    excerpt = models.CharField(max_length=LONGEST_EXCERPT, blank=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"{self.number}: {self.status or self.error}"

    @property
    def public_id(self) -> str:
        return encode("whd", self.id)
