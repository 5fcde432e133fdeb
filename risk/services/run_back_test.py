from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter
from typing import Any

from django.db import transaction
from django.utils import timezone

from ledger.errors import Refusal
from ledger.identifiers import MalformedIdentifier, decode
from risk import rules, stored
from risk.errors import BackTestNotFound
from risk.models import BackTest
from risk.selectors import parse_policy
from risk.states import BackTestState
from risk.tallies import Tally

_ABANDONED = timedelta(minutes=2)  # a chunk takes seconds


def run_back_test(*, back_test: str) -> dict[str, Any]:
    """This will have a policy judge what was decided in its back-test's days, and return and keep the figures.

    Use case; reads in chunks, each outside a transaction, and says after each how far it is. Whoever finds it running
    leaves it alone, unless nothing has moved for two minutes. Raises `BackTestNotFound`.
    """
    row = _claimed(back_test)
    if row is None:
        return {}
    started = perf_counter()
    try:
        figures = _measured(row)
    except Refusal as refusal:  # the document of a draft may have become invalid
        with transaction.atomic(durable=True):
            row.fail(error=str(refusal), at=timezone.now())
            row.store()
        return {}
    seconds = perf_counter() - started
    figures |= {"seconds": round(seconds, 2), "per_second": round(figures["decisions"] / max(seconds, 0.001))}
    with transaction.atomic(durable=True):
        row.finish(figures=figures, at=timezone.now())
        row.store()
    return figures


def _claimed(back_test: str) -> BackTest | None:
    try:
        key = decode("bkt", back_test)
    except MalformedIdentifier as problem:
        raise BackTestNotFound("There is no such back-test.", param="back_test") from problem
    now = timezone.now()
    with transaction.atomic(durable=True):
        row = BackTest.objects.locked().select_related("policy").filter(pk=key).first()
        if row is None:
            raise BackTestNotFound("There is no such back-test.", param="back_test")
        abandoned = row.state == BackTestState.RUNNING and row.moved_at < now - _ABANDONED
        if row.state != BackTestState.WAITING and not abandoned:
            return None
        row.begin(at=now)
        row.store()
    return row


def _measured(row: BackTest) -> dict[str, Any]:
    policy = parse_policy(row.policy)
    after, before = (
        stored.key_before(row.asked_at - timedelta(days=row.days)),
        stored.key_before(row.asked_at),
    )
    expected = stored.estimate(after, before)
    tally = Tally()
    for chunk in _moving(row, expected, stored.chunks(after, before)):
        for one in chunk:
            tally.add(
                decision=one.id,
                subject=one.subject,
                was=one.action,
                judgement=rules.judge(policy, one.inputs),
                fraud=one.fraud,
            )
    return {"policy": policy.name, **tally.figures(days=row.days)}


def _moving(
    row: BackTest, expected: int, chunks: Iterator[list[stored.Stored]]
) -> Iterator[list[stored.Stored]]:
    seen = 0
    for chunk in chunks:
        yield chunk
        seen += len(chunk)
        row.move(seen=seen, expected=expected, at=timezone.now())
