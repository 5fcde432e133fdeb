"""The refund: money on its way back, counted against the payment from the moment it is asked for."""

import re
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import MalformedIdentifier, decode, encode, new_key
from ledger.money import Money
from payments.models import bells
from payments.models.payment import Payment
from payments.states import RefundCause
from payments.states import RefundState as S

UNDER_WAY = [S.REQUESTED, S.PROCESSING, S.UNKNOWN]
# What the channel answers of a refund that waits for a person: the customer's bank would not take it.
ABNORMAL = "ABNORMAL"
_NEEDS_PERSON = Q(state=S.FAILED, closed=False) | Q(state=S.PROCESSING, code=ABNORMAL)
_CHANGING = [
    "state",
    "movement",
    "channel_reference",
    "answer",
    "code",
    "message",
    "approved_by",
    "returned_at",
    "booked_at",
    "came_back",
    "closed",
    "hand_by",
    "hand_account",
    "hand_reference",
    "checks",
    "asked_at",
    "next_check_at",
    "updated_at",
]
_BACK_OFF = (5, 15, 60, 300, 900, 3600)
_MOVEMENT = re.compile(r"(ref_[0-9a-z]{26})(?:_([1-9][0-9]{0,2}))?")


class RefundQuerySet(models.QuerySet["Refund"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("ref", public_id))

    def by_movement(self, reference: str) -> Self:
        """The refund that one of our outbound references belongs to. Raises `MalformedIdentifier`."""
        public_id, number = movement_of(reference)
        return self.by_public_id(public_id).filter(movement__gte=number)

    def awaiting_approval(self) -> Self:
        return self.filter(state=S.AWAITING_APPROVAL).order_by("created_at")

    def needing_a_person(self) -> Self:
        return self.filter(_NEEDS_PERSON).order_by("created_at")

    def claim_due(self, now: datetime, limit: int) -> list["Refund"]:
        """Refunds under way whose next step is due; each is given to one caller, by a conditional update."""
        due = self.filter(state__in=UNDER_WAY, next_check_at__lte=now).order_by("next_check_at")[:limit]
        claimed = []
        for refund in due:
            unchanged = self.filter(pk=refund.pk, state=refund.state, next_check_at=refund.next_check_at)
            if unchanged.update(next_check_at=now + refund.pause(), checks=refund.checks + 1):
                claimed.append(refund)
        return claimed


def movement_of(reference: str) -> tuple[str, int]:
    """("ref_…", 2) for "ref_…_2"; the first movement is named as the refund. Raises `MalformedIdentifier`."""
    found = _MOVEMENT.fullmatch(reference)
    if found is None:
        raise MalformedIdentifier(f"{reference[:60]!r} names no refund")
    return found[1], int(found[2] or 1)


class Refund(FSMModelMixin, models.Model):
    """`business_key` is the caller's name for this refund: asking twice under it is asking once.

    `movement` counts the tries that may move money by themselves: the next one begins only after the provider proved
    that the one before can never happen. Every call of one movement has the same outbound key. `closed` says of a
    FAILED refund that nobody has to do anything about it. The `hand_…` fields tell of money that was returned outside
    the channel: who says so, from which bank account, under which reference.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    business_key = models.CharField(max_length=150, unique=True)
    state = StateField(default=S.REQUESTED, choices=[(s, s) for s in S], protected=True)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    cause = models.CharField(
        max_length=24,
        blank=True,
        default="",
        db_default="",
        choices=[(cause, cause) for cause in RefundCause],
    )
    requested_by = models.CharField(max_length=100)
    approved_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    movement = models.PositiveSmallIntegerField(default=1, db_default=1)
    returned_at = models.DateTimeField(null=True)  # when the provider sent the money back, as far as told
    booked_at = models.DateTimeField(null=True)  # when we learned of it
    # Movements whose money came back to us: [{"part", "returned_at", "back_at", "booked_at"}], oldest first.
    came_back = models.JSONField(default=list, db_default=[])
    closed = models.BooleanField(default=False, db_default=False)
    hand_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    hand_account = models.CharField(max_length=64, blank=True, default="", db_default="")
    hand_reference = models.CharField(max_length=100, blank=True, default="", db_default="")
    channel_reference = models.CharField(max_length=100, blank=True)
    answer = models.JSONField(default=dict)
    code = models.CharField(max_length=80, blank=True)
    message = models.CharField(max_length=300, blank=True)
    checks = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)  # when the channel was last asked to move the money
    next_check_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        triggers = [StateAudit("ref"), *bells.REFUND]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(state__in=UNDER_WAY), name="refund_due"),
            models.Index(
                fields=["created_at"], condition=Q(state=S.AWAITING_APPROVAL), name="refund_to_approve"
            ),
            models.Index(fields=["created_at"], condition=_NEEDS_PERSON, name="refund_needs_person"),
            # `payments_movement` reads the money of a day.
            models.Index(
                Coalesce("returned_at", "asked_at", "created_at"),
                condition=Q(state=S.SUCCEEDED),
                name="refund_movements",
            ),
            models.Index(fields=["created_at"], condition=~Q(came_back=[]), name="refund_came_back"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(approved_by="")
                | (~Q(approved_by=F("requested_by")) & ~Q(approved_by=F("hand_by"))),
                name="refund_second_person",
            ),
            models.CheckConstraint(
                condition=Q(hand_by="", hand_account="", hand_reference="")
                | (~Q(hand_by="") & ~Q(hand_account="") & ~Q(hand_reference="")),
                name="refund_by_hand_is_told_whole",
            ),
        ]
        permissions = [
            ("request_refund", "Can ask for refunds, and try failed ones again"),
            ("approve_refund", "Can approve what others asked for"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    @property
    def public_id(self) -> str:
        return encode("ref", self.id)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    def pause(self) -> timedelta:
        return timedelta(seconds=_BACK_OFF[min(self.checks, len(_BACK_OFF) - 1)])

    @property
    def by_hand(self) -> bool:
        return bool(self.hand_by)

    @property
    def movement_key(self) -> str:
        """The outbound key, and the provider's name for the movement: letters, digits and underscores, 34 at most."""
        return self.public_id if self.movement == 1 else f"{self.public_id}_{self.movement}"

    @property
    def needs_person(self) -> bool:
        failed = self.state == S.FAILED and not self.closed
        return failed or (self.state == S.PROCESSING and self.code == ABNORMAL)

    def put_off(self, until: datetime) -> None:
        """Another refund of the same payment is first."""
        self.next_check_at = until

    @transition(field=state, source=S.REQUESTED, target=S.AWAITING_APPROVAL)
    def await_approval(self) -> None:
        """Counted against the payment, and not sent before a second person agrees."""
        self.next_check_at = None

    @transition(field=state, source=S.AWAITING_APPROVAL, target=S.REQUESTED)
    def approve(self, by: str) -> None:
        self.approved_by, self.next_check_at = by, timezone.now()

    @transition(field=state, source=S.AWAITING_APPROVAL, target=S.FAILED)
    def reject(self, reason: str) -> None:
        """Nothing was sent. What was said to be settled by hand still needs a person; any other is closed."""
        self.closed = not self.by_hand
        self.code, self.message = "rejected", reason[:300]
        self.hand_by = self.hand_account = self.hand_reference = ""

    @transition(field=state, source=S.FAILED, target=S.AWAITING_APPROVAL)
    def claim_by_hand(self, *, by: str, account: str, reference: str) -> None:
        """Somebody says that the money went back outside the channel; a second person has to agree."""
        self.hand_by, self.hand_account, self.hand_reference = by, account, reference
        self.approved_by, self.next_check_at = "", None

    @transition(field=state, source=S.AWAITING_APPROVAL, target=S.SUCCEEDED)
    def settle_by_hand(self, by: str) -> None:
        self.approved_by, self.code, self.message = by, "", ""

    @transition(field=state, source=S.FAILED, target=S.REQUESTED)
    def try_again(self, movement: int) -> None:
        if movement != self.movement:
            self.movement, self.channel_reference = movement, ""
        self.code = self.message = ""
        self.checks, self.next_check_at = 0, timezone.now()

    def close(self) -> None:
        """FAILED, and nobody has to do anything about it."""
        self.closed = True

    @transition(field=state, source=S.REQUESTED, target=S.PROCESSING)
    def process(self) -> None:
        self.asked_at = timezone.now()
        self.checks, self.next_check_at = 0, self.asked_at + timedelta(seconds=20)

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.PROCESSING)
    def wait(self, code: str = "", message: str = "") -> None:
        """Accepted, no result yet. A `code` says what it waits for, where the channel does."""
        self.code, self.message = code[:80], message[:300]
        self.next_check_at = timezone.now() + self.pause()

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.UNKNOWN)
    def lose_sight(self) -> None:
        self.next_check_at = timezone.now() + self.pause()

    @transition(field=state, source=[S.PROCESSING, S.UNKNOWN], target=S.SUCCEEDED)
    def succeed(self, happened_at: datetime | None = None) -> None:
        self.booked_at = timezone.now()
        self.returned_at = happened_at or self.booked_at
        self.code = self.message = ""

    @transition(field=state, source=[S.REQUESTED, S.PROCESSING, S.UNKNOWN], target=S.FAILED)
    def fail(self, code: str, message: str) -> None:
        """Refused, or never sent."""
        self.code, self.message, self.closed = code[:80], message[:300], False

    @transition(field=state, source=S.SUCCEEDED, target=S.FAILED)
    def come_back(self, code: str, message: str, happened_at: datetime | None = None) -> None:
        """The bank could not take the money, and the channel returned it to us."""
        self.code, self.message, self.closed = code[:80], message[:300], False
        now = timezone.now()
        sent_at = self.returned_at or self.asked_at or self.created_at
        times = {"returned_at": sent_at, "back_at": happened_at or now, "booked_at": now}
        told = {name: moment.isoformat() for name, moment in times.items()}
        self.came_back = [*self.came_back, {"part": self.movement, **told}]
        self.returned_at = self.booked_at = None

    @transition(field=state, source=[S.FAILED, S.AWAITING_APPROVAL], target=S.UNKNOWN)
    def doubt(self) -> None:
        """Refused, and now it is said to have happened: the channel is asked."""
        self.hand_by = self.hand_account = self.hand_reference = ""
        self.next_check_at = timezone.now()
