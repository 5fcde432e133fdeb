"""A bank that disputes, at the protocol boundary: it answers as it is told, and remembers what it was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from django.db import transaction

from ledger.money import Money
from payments.channels.contract import (
    Acknowledgement,
    Capability,
    ChannelUnavailable,
    DisputeNews,
    DisputeNewsState,
    EvidenceRefused,
    EvidenceRequest,
    NoticeRefused,
    Outcome,
)
from payments.events import Event
from payments.models import Attempt, Dispute
from payments.services.apply_dispute_news import apply_dispute_news
from tests.payments.desk import FEN, opened, tell

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
DUE = BEGAN + timedelta(days=10)
FEE = 1_500
S = DisputeNewsState


def news(state: DisputeNewsState, *, hour: float = 0, minor: int = FEN, **said: Any) -> DisputeNews:
    """What the bank says, `hour` hours after it began; `withdrawn` and `fee` in minor units, or unsaid."""
    for name in ("withdrawn", "fee"):
        if said.get(name) is not None:
            said[name] = Money(said[name], "CNY")
    fields: dict[str, Any] = {"reason": "fraudulent", "due_by": DUE, "reference": "dp_1", **said}
    at = BEGAN + timedelta(hours=hour)
    return DisputeNews(state=state, amount=Money(minor, "CNY"), happened_at=at, **fields)


def paid() -> Attempt:
    """A payment of 100 yuan that was taken."""
    start = opened()
    tell(start, Outcome.SUCCEEDED)
    return start


def hear(attempt: Attempt, *told: DisputeNews) -> list[Event]:
    heard: list[Event] = []
    for one in told:
        with transaction.atomic():
            heard += apply_dispute_news(attempt=attempt, news=one, heard_at=datetime.now(UTC))
    return heard


def disputed(**said: Any) -> Dispute:
    """A payment that was taken, and taken back: the bank waits for our answer."""
    hear(paid(), news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE, **said))
    return Dispute.objects.latest("created_at")


@dataclass(slots=True)
class Bank:
    """`silent` calls get no answer: "before" they were heard, or "after"."""

    code: str = "stripe"
    capabilities: frozenset[Capability] = frozenset({Capability.DISPUTE})
    now: DisputeNews = field(default_factory=lambda: news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
    silent: str = ""
    refuses: str = ""
    uploads: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    submitted: dict[str, EvidenceRequest] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)

    def query_dispute(self, reference: str) -> DisputeNews:
        assert reference == self.now.reference
        if self.silent:
            raise ChannelUnavailable("no answer")
        return self.now

    def upload_evidence(self, *, key: str, name: str, content_type: str, content: bytes) -> str:
        self.uploads[key] = (name, content_type, content)
        return f"file_{len(self.uploads)}"

    def submit_evidence(self, request: EvidenceRequest) -> DisputeNews:
        if self.silent == "before":
            raise ChannelUnavailable("reset")
        if self.refuses:
            raise EvidenceRefused(self.refuses)
        self.submitted[request.key] = request
        # An inquiry stays one while the bank reads.
        state = self.now.state if self.now.state == S.WARNING else S.UNDER_REVIEW
        self.now = replace(self.now, state=state, submitted=True)
        if self.silent:
            raise ChannelUnavailable("timed out")
        return self.now

    def accept_dispute(self, *, key: str, reference: str) -> DisputeNews:
        if self.silent == "before":
            raise ChannelUnavailable("reset")
        self.accepted.add(key)
        self.now = replace(self.now, state=S.LOST)
        if self.silent:
            raise ChannelUnavailable("timed out")
        return self.now

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> NoReturn:
        """The sandbox still tells of what an earlier test paid; it would reach the test's own client as an error."""
        raise NoticeRefused("not of this bank")

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        return Acknowledgement(refusal.status)


def installed(bank: Bank, settings: Any) -> Bank:
    """The bank as the channel that settings name."""
    global current  # noqa: PLW0603
    current = bank
    settings.CHANNELS = {"stripe": "tests.payments.disputing.build"}
    settings.STRIPE = {"secret_key": "set"}
    settings.CHANNEL_TIMEOUT_SECONDS = 1.0
    return bank


current = Bank()


def build(configuration: Mapping[str, Any]) -> Bank:
    return current
