"""Reads: what others may know of disputes, as frozen dataclasses; deadline first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.utils import timezone

from ledger.facts import TransactionView
from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money
from ledger.selectors import transactions_of
from payments.errors import DisputeNotFound, EvidenceFileNotFound
from payments.models import Dispute, DisputeMovement, EvidenceFile
from payments.models.dispute import DisputeQuerySet
from payments.states import DisputeMovementState, DisputeState


@dataclass(frozen=True, slots=True)
class EvidenceFileView:
    kind: str
    name: str
    content_type: str
    size: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MovementView:
    """Our answer: "SUBMIT" or "ACCEPT", and what came of it."""

    id: str
    kind: str
    state: str
    message: str
    requested_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DisputeView:
    """`kept` is what the channel holds from us now; `lost` is the part of it that is gone for good."""

    id: str
    payment: str
    reference: str
    channel: str
    channel_reference: str
    state: DisputeState
    amount: Money
    kept: Money
    reinstated: Money
    lost: Money
    fee: Money
    reason: str
    category: str
    double_risk: bool
    due_by: datetime | None
    submitted_at: datetime | None
    closed_at: datetime | None
    created_at: datetime
    texts: Mapping[str, str]
    files: tuple[EvidenceFileView, ...]
    answer: MovementView | None
    can_answer: bool

    @property
    def overdue(self) -> bool:
        return self.due_by is not None and self.due_by <= timezone.now()


@dataclass(frozen=True, slots=True)
class AtStake:
    """What waits for an answer, per currency."""

    count: int
    amount: Money


# Also what was answered elsewhere: in the provider's own console.
_ANSWERED = (
    Q(state=DisputeState.UNDER_REVIEW)
    | Q(submitted_at__isnull=False)
    | Exists(
        DisputeMovement.objects.counting()
        .filter(dispute=OuterRef("pk"), stage=OuterRef("state"))
        .values("pk")
    )
)


def find(public_id: str) -> Dispute:
    """The row, for this app's use cases. Raises `DisputeNotFound`."""
    try:
        return Dispute.objects.by_public_id(public_id).select_related("payment", "attempt").get()
    except (MalformedIdentifier, Dispute.DoesNotExist) as error:
        raise DisputeNotFound(f"There is no dispute {public_id[:40]!r}.", param="dispute") from error


def dispute(public_id: str) -> DisputeView:
    """Raises `DisputeNotFound`, also for what is no dispute identifier at all."""
    return _views([find(public_id)])[0]


def disputes_of(payment: str) -> list[DisputeView]:
    """Every dispute of the payment "pay_…", oldest first."""
    try:
        key = decode("pay", payment)
    except MalformedIdentifier:
        return []
    return _views(Dispute.objects.filter(payment=key).select_related("payment").order_by("pk"))


def disputes_of_reference(reference: str) -> list[DisputeView]:
    """Every dispute of what is paid for ("ord_…"), oldest first."""
    rows = Dispute.objects.filter(payment__reference=reference).select_related("payment")
    return _views(rows.order_by("pk"))


def waiting(*, most: int = 200) -> list[DisputeView]:
    """Those that wait for our answer, deadline first."""
    return _views(unanswered().select_related("payment")[:most])


def at_bank(*, most: int = 50) -> list[DisputeView]:
    """Answered, and not decided yet; what came first comes first."""
    rows = Dispute.objects.open().filter(_ANSWERED).select_related("payment")
    return _views(rows.order_by("created_at")[:most])


def closed(*, most: int = 20) -> list[DisputeView]:
    rows = Dispute.objects.filter(closed_at__isnull=False).select_related("payment")
    return _views(rows.order_by("-closed_at")[:most])


def newest(*, limit: int, before: str = "") -> list[DisputeView]:
    """All of them, newest first; `before` is the last identifier of the page before. Raises `DisputeNotFound`."""
    rows = Dispute.objects.select_related("payment").order_by("-pk")
    if before:
        rows = rows.filter(pk__lt=find(before).pk)
    return _views(rows[:limit])


def at_stake() -> list[AtStake]:
    sums = unanswered().order_by("currency").values("currency")
    return [
        AtStake(row["many"], Money(row["sum"], row["currency"]))
        for row in sums.annotate(many=Count("pk"), sum=Sum("amount"))
    ]


def file_content(public_id: str, kind: str) -> tuple[EvidenceFileView, bytes]:
    """Raises `DisputeNotFound`, `EvidenceFileNotFound`."""
    row = find(public_id).files.filter(kind=kind).first()
    if row is None:
        raise EvidenceFileNotFound(f"There is no file {kind[:40]!r} with this dispute.", param="kind")
    return file_view(row), bytes(row.content)


def journal_of(view: DisputeView) -> list[TransactionView]:
    """What was posted for this dispute, oldest first."""
    return [
        posted
        for posted in transactions_of(view.reference)
        if posted.business_key.partition(":")[0] == view.id
    ]


def unanswered() -> DisputeQuerySet:
    return Dispute.objects.to_answer().exclude(_ANSWERED)


def file_view(row: EvidenceFile) -> EvidenceFileView:
    return EvidenceFileView(
        kind=row.kind,
        name=row.name,
        content_type=row.content_type,
        size=row.size,
        sha256=row.sha256,
        created_at=row.created_at,
    )


def _views(rows: Iterable[Dispute]) -> list[DisputeView]:
    """With files and answers in one query each."""
    found = list(rows)
    files: dict[object, list[EvidenceFile]] = {}
    for file in EvidenceFile.objects.filter(dispute__in=found).defer("content"):
        files.setdefault(file.dispute_id, []).append(file)
    answers = {
        row.dispute_id: row for row in DisputeMovement.objects.filter(dispute__in=found).order_by("pk")
    }
    return [_view(row, files.get(row.pk, []), answers.get(row.pk)) for row in found]


def _view(row: Dispute, files: Sequence[EvidenceFile], answer: DisputeMovement | None) -> DisputeView:
    counts = answer and answer.state != DisputeMovementState.FAILED and answer.stage == row.state
    counts = counts or row.submitted_at
    waits = row.state in (DisputeState.WARNING, DisputeState.NEEDS_RESPONSE)
    return DisputeView(
        id=row.public_id,
        payment=row.payment.public_id,
        reference=row.payment.reference,
        channel=row.channel,
        channel_reference=row.channel_reference,
        state=DisputeState(row.state),
        amount=row.money(row.amount),
        kept=row.money(row.kept_from_us),
        reinstated=row.money(row.reinstated),
        lost=row.money(row.lost),
        fee=row.money(row.fee),
        reason=row.reason,
        category=row.category,
        double_risk=row.double_risk,
        due_by=row.due_by,
        submitted_at=row.submitted_at,
        closed_at=row.closed_at,
        created_at=row.created_at,
        texts=dict(row.texts),
        files=tuple(file_view(file) for file in files),
        answer=MovementView(
            answer.public_id,
            answer.kind,
            answer.state,
            answer.message,
            answer.requested_by,
            answer.created_at,
        )
        if answer
        else None,
        can_answer=waits and not counts and (row.due_by is None or row.due_by > timezone.now()),
    )
