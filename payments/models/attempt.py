"""The attempt: one movement asked of one channel, under one outbound key for all its retries."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Count, F, Max, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money
from payments.channels.contract import Answer, MovementRequest, NextAction, Outcome, StartRequest
from payments.measures import Result
from payments.models.payment import Payment
from payments.models.vault import SavedMethod
from payments.states import AttemptKind
from payments.states import AttemptState as S

OPEN = [S.CREATED, S.SENT, S.UNKNOWN]
_CHANGING = [
    "payment",
    "saved_method",
    "state",
    "channel_reference",
    "request",
    "action_kind",
    "action_value",
    "action_expires_at",
    "three_d_secure",
    "answer",
    "brought",
    "brought_at",
    "booked_at",
    "mismatch",
    "unknown_since",
    "unknown_alarms",
    "code",
    "message",
    "next_check_at",
    "sent_at",
    "answered_at",
]
# Seconds to the next question, by how many were asked.
_BACK_OFF = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
# A call that has neither answered nor timed out by then was cut off with its process.
ANSWER_DUE = timedelta(seconds=20)
# A sum that is not ours waits for a person; asking more often does not change it.
_IN_DOUBT = timedelta(minutes=10)
MOVING = [AttemptKind.CAPTURE, AttemptKind.VOID]
_LET_GO = "let_go"  # beside what the provider said


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_reference(self, reference: str) -> Self:
        return self.filter(pk=decode("att", reference))

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def may_bring_money(self) -> Self:
        """The tries that took or hold the money, or may still."""
        return self.filter(kind=AttemptKind.START, state__in=[*OPEN, S.SUCCEEDED])

    def latest_start(self) -> "Attempt | None":
        """The newest attempt to be paid."""
        return self.filter(kind=AttemptKind.START).order_by("-sequence").first()

    def holding_or_latest(self) -> "Attempt | None":
        """The attempt that holds or took the money, else the newest one."""
        return self.filter(kind=AttemptKind.START, state=S.SUCCEEDED).first() or self.latest_start()

    def start_of(self) -> "Attempt":
        """What captures and voids act on."""
        start = self.holding_or_latest()
        assert start is not None, "only what was started is captured or voided"
        return start

    def moving(self) -> Self:
        """Captures and voids on their way: at most one a payment."""
        return self.open().filter(kind__in=MOVING)

    def following(self, attempt: "Attempt") -> "Attempt | None":
        """The try by which the payment went on when `attempt` had come to nothing; not sent yet."""
        return self.filter(
            payment=attempt.payment_id, kind=AttemptKind.START, state=S.SENT, route__after=attempt.public_id
        ).first()

    def by_result(self) -> Iterable[tuple[str, str | None, str, int]]:
        """(channel, method, state, how many)"""
        found = self.order_by().values_list("channel", "route__method", "state")
        return found.annotate(number=Count("pk"))

    def begin(self, payment: Payment, kind: AttemptKind, **fields: Any) -> "Attempt":
        """A new CREATED attempt, next in its payment's sequence; the payment must be locked."""
        # Not a count: an attempt may have been put beside its payment.
        last = payment.attempts.filter(kind=kind).aggregate(last=Max("sequence"))["last"]
        return self.create(
            payment=payment,
            kind=kind,
            sequence=(last or 0) + 1,
            currency=payment.currency,
            **{"amount": payment.amount, **fields},
        )

    def begin_and_send(self, payment: Payment, kind: AttemptKind, **fields: Any) -> "Attempt":
        """The same, SENT: its call follows once this transaction is committed."""
        attempt = self.begin(payment, kind, **fields)
        attempt.send()
        attempt.store()
        return attempt

    def unknown_since(self, before: datetime) -> Self:
        return self.filter(state=S.UNKNOWN, unknown_since__lte=before).order_by("unknown_since")

    def claim_due(self, now: datetime, limit: int) -> list["Attempt"]:
        """Open attempts whose next question is due; each is given to one caller, by a conditional update."""
        due = self.open().filter(next_check_at__lte=now).order_by("next_check_at")[:limit]
        claimed = []
        for attempt in due:
            next_check_at = now + attempt.pause()
            if (
                self.open()
                .filter(pk=attempt.pk, next_check_at=attempt.next_check_at)
                .update(next_check_at=next_check_at, checks=attempt.checks + 1)
            ):
                claimed.append(attempt)
        return claimed


class Attempt(FSMModelMixin, models.Model):
    """`request` keeps what was sent, so that it can be sent again unchanged; it holds tokens, never card numbers."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="attempts")
    kind = models.CharField(max_length=10, choices=[(k, k) for k in AttemptKind])
    sequence = models.PositiveSmallIntegerField()
    business_key = models.CharField(max_length=100, null=True, unique=True)  # the caller's name for a capture
    state = StateField(default=S.CREATED, choices=[(s, s) for s in S], protected=True)
    channel = models.CharField(max_length=20)
    channel_reference = models.CharField(max_length=100, blank=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    brought = models.BigIntegerField(default=0, db_default=0)  # what of the payment's captured sum came by it
    brought_at = models.DateTimeField(null=True)  # when the provider took it, as far as told
    booked_at = models.DateTimeField(null=True)  # when we learned of it
    request = models.JSONField(default=dict)
    # whose sealed token takes the place of one in `request`
    saved_method = models.ForeignKey(
        SavedMethod, on_delete=models.PROTECT, null=True, related_name="attempts", db_index=False
    )
    route = models.JSONField(default=dict)
    action_kind = models.CharField(max_length=20, blank=True)
    action_value = models.TextField(blank=True)
    action_expires_at = models.DateTimeField(null=True)
    three_d_secure = models.JSONField(default=dict)
    answer = models.JSONField(default=dict)
    code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=300, blank=True)
    # The last sum told that is not ours.
    mismatch = models.CharField(max_length=60, blank=True, default="", db_default="")
    unknown_since = models.DateTimeField(null=True)
    # How many were given of `unknown_since`.
    unknown_alarms = models.PositiveSmallIntegerField(default=0, db_default=0)
    checks = models.PositiveIntegerField(default=0)
    next_check_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # What the first answer to a START said of its channel, and how long it took.
    first_result = models.CharField(
        max_length=12, blank=True, default="", db_default="", choices=[(r, r) for r in Result]
    )
    latency_ms = models.PositiveIntegerField(null=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        triggers = [StateAudit("att")]
        indexes = [
            models.Index(
                fields=["saved_method", "created_at"],
                condition=Q(saved_method__isnull=False),
                name="attempt_saved_method",
            ),
            models.Index(fields=["next_check_at"], condition=Q(state__in=OPEN), name="attempt_due"),
            models.Index(
                fields=["channel", "sent_at"], condition=Q(kind=AttemptKind.START), name="attempt_health"
            ),
            models.Index(
                fields=["unknown_since"], condition=Q(state=S.UNKNOWN), name="attempt_unknown_since"
            ),
            # `payments_movement` reads a channel's money of a day.
            models.Index(
                F("channel"),
                Coalesce("brought_at", "answered_at", "created_at"),
                condition=Q(brought__gt=0),
                name="attempt_movements",
            ),
            # The same for captures, which are few: or they would be looked for among all the payments of the day.
            models.Index(
                F("channel"),
                Coalesce("brought_at", "answered_at", "created_at"),
                condition=Q(brought__gt=0, kind=AttemptKind.CAPTURE),
                name="attempt_captures",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="attempt_amount_positive"),
            models.UniqueConstraint(fields=["payment", "kind", "sequence"], name="attempt_sequence"),
            models.UniqueConstraint(
                fields=["payment", "kind"], condition=Q(state__in=OPEN), name="attempt_one_open_per_kind"
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind__in=MOVING, state__in=OPEN),
                name="attempt_one_movement_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(brought__gte=0) & Q(brought__lte=F("amount")),
                name="attempt_brought_within_amount",
            ),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(kind=AttemptKind.START, state=S.SUCCEEDED),
                name="attempt_one_start_brings_the_money",
            ),
            models.UniqueConstraint(
                fields=["channel", "channel_reference"],
                condition=Q(kind=AttemptKind.START) & ~Q(channel_reference=""),
                name="attempt_channel_reference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.kind} {self.state}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    def bring(self, amount: int, happened_at: datetime | None) -> None:
        """A part of the payment's money came by it."""
        self.brought += amount
        self.booked_at = self.booked_at or timezone.now()
        self.brought_at = self.brought_at or happened_at or self.booked_at

    @property
    def public_id(self) -> str:
        return encode("att", self.id)

    @property
    def key(self) -> str:
        """The outbound idempotency key."""
        return self.public_id

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def captured_before(self) -> int:
        """Of a capture: what was captured when it was first asked for."""
        return int(self.request.get("captured_before", 0))

    @property
    def captured_after(self) -> int:
        """Of a capture: what will have been captured once it took its sum."""
        return self.captured_before + self.amount

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be captured after it."""
        return bool(self.request.get("final", True))

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def was_answered(self) -> bool:
        return self.answered_at is not None

    @property
    def next_action(self) -> NextAction | None:
        if not self.action_kind:
            return None
        return NextAction(self.action_kind, self.action_value, self.action_expires_at)  # type: ignore[arg-type]

    def pause(self) -> timedelta:
        return timedelta(seconds=_BACK_OFF[min(self.checks, len(_BACK_OFF) - 1)])

    def start_request(self) -> StartRequest:
        """The first request exactly as it was sent."""
        stored = dict(self.request)
        stored["expires_at"] = datetime.fromisoformat(stored["expires_at"])
        if self.saved_method:
            stored["instrument"] = self.saved_method.token
            stored["customer"] = self.saved_method.vault.named_at(self.channel)
        return StartRequest(key=self.key, reference=self.public_id, amount=self.money, **stored)

    def movement(self, start: "Attempt", notify_url: str) -> MovementRequest:
        """What to ask about, or do to, the payment that `start` began, under this attempt's key."""
        return MovementRequest(
            key=self.key,
            reference=start.public_id,
            channel_reference=start.channel_reference,
            total=start.money,
            amount=self.money,
            notify_url=notify_url,
            start=start.start_request(),
            final=self.is_final,
            captured_before=self.captured_before,
        )

    def note(self, answer: Answer) -> None:
        """Remember what the provider said, whatever it means for the state."""
        self.answered_at = timezone.now()
        self.answer = {**answer.raw, "movement": answer.movement} if answer.movement else dict(answer.raw)
        self.channel_reference = answer.channel_reference or self.channel_reference
        self.code, self.message = answer.code[:80], answer.message[:300]
        if answer.three_d_secure:
            self.three_d_secure = dict(answer.three_d_secure)
        if answer.next_action:
            self.action_kind = answer.next_action.kind
            self.action_value = answer.next_action.value
            self.action_expires_at = answer.next_action.expires_at

    def note_of_payment(self, answer: Answer) -> None:
        """The same of a capture or void that news of its payment settles."""
        self.answered_at = timezone.now()
        self.answer = dict(answer.raw)
        self.code, self.message = answer.code[:80], answer.message[:300]

    def refuse(self, outcome: Outcome) -> None:
        """Proven: it moved no money."""
        if outcome == Outcome.DECLINED:
            self.decline()
        elif outcome in (Outcome.CANCELLED, Outcome.SUCCEEDED):
            self.cancel()
        else:
            self.error()

    @transition(field=state, source=S.CREATED, target=S.SENT)
    def send(self) -> None:
        self.sent_at = timezone.now()
        self.next_check_at = self.sent_at + ANSWER_DUE

    @transition(field=state, source=[S.SENT, S.UNKNOWN], target=S.SENT)
    def wait(self) -> None:
        """The provider has it; the customer or the bank is to act, until the payment's end at the latest."""
        self.unknown_since, self.unknown_alarms = None, 0
        now = timezone.now()
        self.next_check_at = now + self.pause()
        if self.payment.expires_at > now:
            self.next_check_at = min(self.next_check_at, self.payment.expires_at + timedelta(seconds=1))

    @transition(field=state, source=[S.SENT, S.UNKNOWN], target=S.UNKNOWN)
    def lose_sight(self) -> None:
        self.unknown_since = self.unknown_since or timezone.now()
        self.next_check_at = timezone.now() + self.pause()

    def doubt(self) -> None:
        """UNKNOWN until a person has looked: another sum than ours was told."""
        self.lose_sight()
        self.next_check_at = timezone.now() + max(self.pause(), _IN_DOUBT)

    @transition(
        field=state, source=[S.SENT, S.UNKNOWN, S.DECLINED, S.ERRORED, S.CANCELLED], target=S.SUCCEEDED
    )
    def succeed(self) -> None:
        """The provider moved or holds the money: this is believed even after a refusal."""

    @transition(field=state, source=[S.SENT, S.UNKNOWN], target=S.DECLINED)
    def decline(self) -> None: ...

    @transition(field=state, source=[S.SENT, S.UNKNOWN], target=S.ERRORED)
    def error(self) -> None: ...

    @transition(field=state, source=[S.CREATED, S.SENT, S.UNKNOWN, S.SUCCEEDED], target=S.CANCELLED)
    def cancel(self) -> None:
        if self.state == S.SUCCEEDED:
            self.answer = {**self.answer, _LET_GO: True}

    @property
    def was_let_go(self) -> bool:
        """It was held, and the provider said that it is no more: that it is held, is older news."""
        return self.state == S.CANCELLED and _LET_GO in self.answer
