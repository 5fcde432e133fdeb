"""The three weeks, lived: each payment is judged by `assess` in a transaction of its own, at its own time.

PostgreSQL and Redis are real, the clock is not: it stands at each payment's moment, so whatever the product counts,
remembers and hears of by the clock is as it would be. A payment that goes through is paid; what a challenge, a person
or a bank says, and what is complained of days later, comes back as it would in a shop.
"""

import heapq
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import time_machine
from django.db import transaction

from bench.attacks.script import HONEST, Visit
from risk import histories, selectors
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from risk.services.note_outcome import note_outcome
from risk.services.rebuild_histories import rebuild_histories
from risk.states import OutcomeKind

REVIEWER = "user:7"
_RIGHT = 0.95  # of what reviewers decide


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a visit. `ms` is the decision's own time."""

    visit: Visit
    action: str
    score: int
    causes: tuple[str, ...]
    degraded: tuple[str, ...]
    ms: float


@dataclass(slots=True)
class Shop:
    """`seed` decides what people say where the script leaves it open."""

    seed: int
    answers: list[Answer] = field(default_factory=list)
    bought: set[int] = field(default_factory=set)  # visits that were paid in the end
    _paid: Counter[str] = field(default_factory=Counter)
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _later: list[tuple[datetime, int, str, Any]] = field(default_factory=list)
    _chance: Random = field(init=False)
    _generation: str = ""

    def __post_init__(self) -> None:
        self._chance = Random(f"shop:{self.seed}")

    def live(self, visits: Sequence[Visit]) -> list[Answer]:
        with time_machine.travel(visits[0].at, tick=False) as clock:
            rebuild_histories()
            self._generation = histories.current()
            for visit in visits:
                while self._later and self._later[0][0] <= visit.at:
                    at, number, what, told = heapq.heappop(self._later)
                    self._move(clock, at)
                    self._hear(visits[number], what, told)
                self._move(clock, visit.at)
                self._ask(visit, visits)
        return self.answers

    def _move(self, clock: Any, to: datetime) -> None:
        clock.move_to(to)
        # What the beat does every 15 seconds: the histories were told everything up to now.
        histories.set_whole_at(self._generation, time.time())

    def _ask(self, visit: Visit, visits: Sequence[Visit]) -> None:
        facts = self._facts(visit)
        began = time.perf_counter()
        with transaction.atomic():
            verdict = assess(facts=facts)
        took = 1e3 * (time.perf_counter() - began)
        through = verdict.action == "accept" or (verdict.action == "challenge" and visit.passes)
        if verdict.action == "review":
            minutes = self._chance.uniform(4, 25)
            self._at(visit.at + timedelta(minutes=minutes), visit, "case", verdict.case)
        paid = through and not visit.declined
        degraded = selectors.decision(verdict.decision).inputs.get("degraded", ())
        causes = tuple(reason.code for reason in verdict.reasons)
        self.answers.append(Answer(visit, verdict.action, verdict.score, causes, tuple(degraded), took))
        if paid:
            self._pay(visit)

    def _pay(self, visit: Visit) -> None:
        self.bought.add(visit.number)
        self._paid[visit.buyer.name] += 1
        self._seen.add((visit.buyer.name, visit.device))
        if visit.attack != HONEST and visit.reported:
            self._at(visit.at + timedelta(days=visit.reported), visit, "dispute", None)

    def _at(self, at: datetime, visit: Visit, what: str, told: Any) -> None:
        heapq.heappush(self._later, (at, visit.number, what, told))

    def _hear(self, visit: Visit, what: str, told: Any) -> None:
        """A reviewer, who is not always right, or the owner of the money."""
        if what == "dispute":
            with transaction.atomic():
                note_outcome(
                    subject=_subject(visit),
                    fraud=True,
                    kind=OutcomeKind.DISPUTE,
                    source=f"dsp_{visit.number}",
                    known_at=visit.at + timedelta(days=visit.reported),
                )
            return
        approve = (visit.attack == HONEST) == (self._chance.random() < _RIGHT)
        with transaction.atomic():
            decide_case(case=told, approve=approve, actor=REVIEWER, reason="The customer was called.")
        if approve and not visit.declined:
            self._pay(visit)

    def _facts(self, visit: Visit) -> PaymentFacts:
        buyer, here = visit.buyer, (visit.buyer.name, visit.device)
        # A guest's earlier orders count from the same device only.
        counts = buyer.account or here in self._seen
        paid = buyer.paid_before + self._paid[buyer.name] if counts else 0
        seen = here in self._seen or visit.device in buyer.devices
        start = visit.at if not buyer.member_for else visit.at - timedelta(days=buyer.member_for)
        return PaymentFacts(
            stage="payment",
            subject=_subject(visit),
            amount=visit.amount,
            currency="CNY",
            happened_at=visit.at,
            channel="stripe" if visit.card else visit.method,
            customer=CustomerFacts(
                reference=buyer.account,
                email_hash=buyer.email,
                phone_hash=buyer.phone,
                paid_orders=paid,
                registered_at=start if buyer.account else None,
            ),
            instrument=InstrumentFacts(
                kind=visit.method,
                country=visit.card_country,
                fingerprint=visit.card,
                brand="visa" if visit.card else "",
                three_d_secure=bool(visit.card),
            ),
            delivery=AddressFacts(country=visit.country, hash=visit.door),
            device=DeviceFacts(identifier=visit.device, is_new=paid > 0 and not seen, ip=visit.ip),
            skus=(visit.sku,),
            coupon=buyer.coupon and not self._paid[buyer.name],
            challenges=("email", "captcha"),
        )


def _subject(visit: Visit) -> str:
    """A payment that is tried again is the same one."""
    return f"pay_{visit.number if visit.again < 0 else visit.again}"
