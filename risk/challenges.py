"""Reads about challenges: where one stands, what a browser needs to answer it, and how others ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money
from risk import passkeys, puzzles
from risk.errors import ChallengeNotFound
from risk.features import network
from risk.messengers import registry
from risk.models import Challenge, ChallengeCode, Decision
from risk.models.challenges import MOST_CODES
from risk.models.lists import key_of
from risk.states import BY_CODE, ChallengeKind, ChallengeState, CodeState, EntityKind

_WINDOW = timedelta(hours=1)
# Codes of all challenges within the window: to one address, for one customer, from one network.
_MOST_TO_ADDRESS, _MOST_FOR_CUSTOMER, _MOST_FROM_NETWORK = 6, 10, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeView:
    """`sent_to` is masked. `code` is the state of the newest code of this kind, empty when none was sent."""

    id: str
    subject: str
    amount: Money
    kind: str
    kinds: tuple[str, ...]
    state: str
    sent_to: str
    code: str
    codes_left: int
    answers_left: int
    expires_at: datetime
    created_at: datetime
    reason: str

    @property
    def by_code(self) -> bool:
        return self.kind in BY_CODE

    @property
    def code_sent(self) -> bool:
        """Whether there may be a code of this kind to type in: one of an unclear fate may arrive."""
        return self.code not in ("", CodeState.REFUSED)

    def told(self) -> dict[str, Any]:
        """What a page or program needs to have it answered."""
        return {
            "challenge": self.id,
            "kind": self.kind,
            "kinds": list(self.kinds),
            "sent_to": self.sent_to,
            "answers_left": self.answers_left,
            "codes_left": self.codes_left,
        }


def owner_key(owner: str) -> str:
    """What a challenge knows the session by that it belongs to."""
    return key_of("session", owner)


def respondent(
    *, owner: str, contacts: Mapping[str, str], address: str, kinds: Sequence[str]
) -> dict[str, Any]:
    """Who may answer a challenge that is opened later, from what the payment's beginning knew: hashes and masks only.

    `address` is the network address that asked. Empty where there is nobody who could answer.
    """
    if not owner or not kinds:
        return {}
    return {
        "owner": owner_key(owner),
        "network": key_of(EntityKind.IP, network(address)) if network(address) else "",
        "sent_to": {kind: masked(kind, to) for kind, to in contacts.items() if kind in kinds},
        "kinds": list(kinds),
    }


def available(*, customer: str, owner: str, contacts: Mapping[str, str]) -> tuple[str, ...]:
    """The kinds that this customer can answer here, beside a card's 3-D Secure; none without a session to bind to."""
    if not owner:
        return ()
    kinds = [kind for kind in registry.offered() if contacts.get(kind)]
    if customer and passkeys.of_customer(customer):
        kinds.append(ChallengeKind.PASSKEY)
    return tuple(sorted([*kinds, ChallengeKind.CAPTCHA]))


def challenge(public_id: str) -> ChallengeView:
    """Raises `ChallengeNotFound`."""
    return challenge_view(find(public_id))


def find(public_id: str) -> Challenge:
    try:
        return Challenge.objects.by_public_id(public_id).get()
    except (MalformedIdentifier, Challenge.DoesNotExist) as problem:
        raise ChallengeNotFound("There is no such challenge.") from problem


def sendable(public_id: str, *, contacts: Mapping[str, str]) -> frozenset[str]:
    """The kinds by which a new code would be sent now, where the customer is reached at `contacts`.

    Raises `ChallengeNotFound`.
    """
    row = find(public_id)
    if row.codes.count() >= MOST_CODES:
        return frozenset()
    known = {
        kind: to
        for kind, to in contacts.items()
        if kind in BY_CODE and kind in row.kinds and masked(kind, to) == row.sent_to.get(kind)
    }
    return frozenset(kind for kind, to in known.items() if not too_many_lately(row, key_of(kind, to)))


def too_many_lately(row: Challenge, recipient_key: str) -> bool:
    """Whether so many codes went to this address, or for this customer or network, that no more may now."""
    customer = Q(customer_key=row.customer_key) & ~Q(customer_key="")
    network = Q(network_key=row.network_key) & ~Q(network_key="")
    to_address = Q(recipient_key=recipient_key)
    sent = ChallengeCode.objects.filter(
        to_address | customer | network, created_at__gt=timezone.now() - _WINDOW
    ).aggregate(
        to=Count("pk", filter=to_address),
        customer=Count("pk", filter=customer),
        network=Count("pk", filter=network),
    )
    return bool(
        sent["to"] >= _MOST_TO_ADDRESS
        or sent["customer"] >= _MOST_FOR_CUSTOMER
        or sent["network"] >= _MOST_FROM_NETWORK
    )


def task_of(public_id: str, *, kind: str = "") -> dict[str, Any]:
    """What the browser works on: a captcha's puzzle or a passkey's options; empty for codes.

    `kind` is one of the challenge's, left out the one that it has now. Raises `ChallengeNotFound`.
    """
    row = find(public_id)
    kind = kind if kind in row.kinds else row.kind
    if row.state != ChallengeState.OPEN:
        return {}
    if kind == ChallengeKind.CAPTCHA:
        return puzzles.puzzle(row)
    if kind == ChallengeKind.PASSKEY:
        return passkeys.questions(row)
    return {}


def of_decision(decision: Decision) -> ChallengeView | None:
    row = Challenge.objects.filter(decision=decision).first()
    return challenge_view(row) if row else None


def seen_before(dec_id: str, most: int = 20) -> Sequence[ChallengeView]:
    """How challenges of this decision's customer ended until now, the newest first."""
    key = Decision.objects.filter(pk=decode("dec", dec_id)).values_list("customer_key", flat=True).first()
    if not key:
        return []
    rows = Challenge.objects.filter(customer_key=key).order_by("-created_at").prefetch_related("codes")
    return [challenge_view(row) for row in rows[:most]]


def challenge_view(row: Challenge) -> ChallengeView:
    codes = sorted(row.codes.all(), key=lambda code: code.pk, reverse=True)  # at most MOST_CODES
    return ChallengeView(
        id=row.public_id,
        subject=row.subject,
        amount=Money(row.amount, row.currency),
        kind=str(row.kind),
        kinds=tuple(row.kinds),
        state=str(row.state),
        sent_to=row.sent_to.get(row.kind, ""),
        code=next((str(code.state) for code in codes if code.kind == row.kind), ""),
        codes_left=MOST_CODES - len(codes),
        answers_left=row.answers_left,
        expires_at=row.expires_at,
        created_at=row.created_at,
        reason=row.reason,
    )


def masked(kind: str, to: str) -> str:
    """Enough for its owner to know it by."""
    if kind == ChallengeKind.SMS:
        return f"•••{to[-4:]}"
    name, _, domain = to.partition("@")
    return f"{name[:1]}•••@{domain}"
