"""What a customer is asked to prove before a payment goes on, and the codes that were sent for it."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from django.db import connection, models
from django.db.models import F, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from risk.models.decisions import Decision
from risk.models.lists import entity_secret
from risk.states import ChallengeKind, ChallengeState, CodeState

MOST_WRONG_ANSWERS = 5
MOST_CODES = 3  # of one challenge
# Seconds to the next question about a code of which nobody knows whether it left.
_BACK_OFF = (5, 15, 60, 180)
_ANSWER_DUE = timedelta(seconds=20)


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    def locked(self) -> Self:
        """After the payment's row."""
        return self.order_by("pk").select_for_update(of=("self",))

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=identifiers.decode("chl", public_id))


class Challenge(FSMModelMixin, models.Model):
    """One question to one customer about one payment: bound to its subject, its amount and the session that asked.

    `owner_key`, `customer_key` and `network_key` are keyed hashes; `sent_to` holds masked addresses only.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="challenge")
    subject = models.CharField(max_length=128)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    owner_key = models.CharField(max_length=32)
    customer_key = models.CharField(max_length=32, blank=True)
    network_key = models.CharField(max_length=32, blank=True)
    kinds = models.JSONField()
    kind = models.CharField(max_length=14, choices=[(k, k) for k in ChallengeKind])
    sent_to = models.JSONField(default=dict)
    nonce = models.CharField(max_length=64)
    state = StateField(default=ChallengeState.OPEN, choices=[(s, s) for s in ChallengeState], protected=True)
    wrong_answers = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=80, blank=True)

    objects = ChallengeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["customer_key", "created_at"], name="risk_challenge_customer"),
            models.Index(
                fields=["expires_at"], condition=Q(state=ChallengeState.OPEN), name="risk_challenge_due"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(state=ChallengeState.OPEN), name="risk_challenge_one_open"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in ChallengeState]), name="risk_challenge_state"
            ),
            models.CheckConstraint(
                condition=Q(wrong_answers__lte=MOST_WRONG_ANSWERS), name="risk_challenge_answers_bounded"
            ),
            models.CheckConstraint(condition=~Q(owner_key=""), name="risk_challenge_has_owner"),
            models.CheckConstraint(
                condition=Q(state=ChallengeState.OPEN, closed_at=None)
                | (~Q(state=ChallengeState.OPEN) & Q(closed_at__isnull=False)),
                name="risk_challenge_closed_with_time",
            ),
        ]
        triggers = [StateAudit("chl")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("chl", self.id)

    @property
    def answers_left(self) -> int:
        return MOST_WRONG_ANSWERS - self.wrong_answers

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=["kind", "state", "wrong_answers", "closed_at", "reason"])

    def seal(self, code: str) -> str:
        """What is kept of a code: of use for this payment and this amount only."""
        text = f"{self.id}:{self.subject}:{self.amount}:{self.currency}:{code}"
        return hmac.digest(entity_secret(), text.encode(), hashlib.sha256).hex()

    @property
    def question(self) -> bytes:
        """What a passkey signs: this challenge about this payment and amount."""
        return bytes.fromhex(self.seal(self.nonce))

    @transition(field=state, source=ChallengeState.OPEN, target=ChallengeState.PASSED)
    def succeed(self, at: datetime) -> None:
        self.closed_at, self.reason = at, f"answered by {self.kind}"

    @transition(field=state, source=ChallengeState.OPEN, target=ChallengeState.FAILED)
    def fail(self, at: datetime) -> None:
        self.closed_at, self.reason = at, "too many wrong answers"

    @transition(field=state, source=ChallengeState.OPEN, target=ChallengeState.ENDED)
    def end(self, reason: str, at: datetime) -> None:
        self.closed_at, self.reason = at, reason[:80]


class ChallengeCodeQuerySet(models.QuerySet["ChallengeCode"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def lock_senders(self, names: Iterable[str]) -> None:
        """Let nobody else send for these until the transaction ends: what is counted stays true."""
        with connection.cursor() as cursor:
            for name in sorted(names):
                digest = hashlib.sha256(f"risk.code:{name}".encode()).digest()
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], "big", signed=True)]
                )

    def newest(self, challenge: Challenge) -> "ChallengeCode | None":
        """The one that counts: a later code takes the place of those before it."""
        return self.filter(challenge=challenge).order_by("-pk").first()

    def claim_due(self, now: datetime, limit: int) -> list["ChallengeCode"]:
        """Codes of which nobody knows whether they left; each is given to one caller, by a conditional update."""
        claimed = []
        for code in self.filter(next_check_at__lte=now).order_by("next_check_at")[:limit]:
            place = code.checks + 1
            later = now + timedelta(seconds=_BACK_OFF[place - 1]) if place <= len(_BACK_OFF) else None
            same = self.filter(pk=code.pk, next_check_at=code.next_check_at)
            if same.update(next_check_at=later, checks=F("checks") + 1):
                claimed.append(code)
        return claimed


class ChallengeCode(FSMModelMixin, models.Model):
    """One message with a code, under one outbound key. The code itself is kept nowhere."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    challenge = models.ForeignKey(Challenge, on_delete=models.PROTECT, related_name="codes")
    kind = models.CharField(max_length=5, choices=[(k, k) for k in (ChallengeKind.EMAIL, ChallengeKind.SMS)])
    recipient_key = models.CharField(max_length=32)
    customer_key = models.CharField(max_length=32, blank=True)
    network_key = models.CharField(max_length=32, blank=True)
    seal = models.CharField(max_length=64)
    state = StateField(default=CodeState.SENT, choices=[(s, s) for s in CodeState], protected=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    next_check_at = models.DateTimeField(null=True)
    checks = models.PositiveSmallIntegerField(default=0)

    objects = ChallengeCodeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["recipient_key", "created_at"], name="risk_code_recipient"),
            models.Index(fields=["customer_key", "created_at"], name="risk_code_customer"),
            models.Index(fields=["network_key", "created_at"], name="risk_code_network"),
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="risk_code_due"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in CodeState]), name="risk_code_state"
            ),
        ]
        triggers = [StateAudit("otp")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("otp", self.id)

    def store(self) -> None:
        self.save(update_fields=["state", "next_check_at"])

    def ask_later(self) -> None:
        self.next_check_at = timezone.now() + _ANSWER_DUE

    @transition(field=state, source=[CodeState.SENT, CodeState.UNKNOWN], target=CodeState.TAKEN)
    def take(self) -> None:
        self.next_check_at = None

    @transition(field=state, source=[CodeState.SENT, CodeState.UNKNOWN], target=CodeState.REFUSED)
    def refuse(self) -> None:
        self.next_check_at = None

    @transition(field=state, source=[CodeState.SENT, CodeState.UNKNOWN], target=CodeState.UNKNOWN)
    def lose_sight(self) -> None:
        """Nobody knows whether it left: it holds if it did."""


class Passkey(models.Model):
    """A customer's WebAuthn credential: the public half, which proves and opens nothing by itself."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    customer_key = models.CharField(max_length=32)
    credential = models.CharField(max_length=1400, unique=True)  # base64url
    public_key = models.BinaryField()
    sign_count = models.PositiveBigIntegerField(default=0)
    label = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer_key"], condition=Q(ended_at=None), name="risk_passkey_customer")
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return identifiers.encode("psk", self.id)
