"""Events leave once a transaction is committed: in order per subject, and only by whoever holds their lease."""

from typing import Any

import pytest
import time_machine
from django.utils import timezone

from payments import outbox
from payments.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERED: list[str] = []


def note(event: str, payload: dict[str, Any]) -> None:
    DELIVERED.append(payload["n"])


def slow(event: str, payload: dict[str, Any]) -> None:
    """The first takes longer than the lease; meanwhile another relay delivers what is free again."""
    if not DELIVERED:
        DELIVERED.append("slow")
        with time_machine.travel(timezone.now() + outbox.LEASE * 2):
            outbox.deliver_batch()
            CLOCK.append(time_machine.travel(timezone.now() + outbox.LEASE))
        CLOCK[0].start()
    else:
        DELIVERED.append(payload["n"])


CLOCK: list[Any] = []


@pytest.fixture(autouse=True)
def quiet(settings: Any) -> Any:
    DELIVERED.clear()
    CLOCK.clear()
    yield
    for clock in CLOCK:
        clock.stop()


def events(*subjects: str) -> None:
    for number, subject in enumerate(subjects):
        OutboxEvent.objects.create(name="test.happened", subject=subject, payload={"n": f"{subject}{number}"})


def test_one_subject_in_turn_and_others_beside(settings: Any) -> None:
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.payments.test_outbox.note"]}
    events("a", "a", "b")

    assert (outbox.deliver_batch(), DELIVERED) == (2, ["a0", "b2"])
    assert (outbox.deliver_batch(), DELIVERED) == (1, ["a0", "b2", "a1"])
    assert outbox.deliver_batch() == 0


def test_a_relay_that_was_too_slow_lets_go_of_the_rest(settings: Any) -> None:
    """Otherwise it would tell of `b1` after another relay has told of `b1` and of what followed it."""
    settings.EVENT_SUBSCRIBERS = {"test.happened": ["tests.payments.test_outbox.slow"]}
    events("a", "b")

    outbox.deliver_batch()

    assert DELIVERED.count("b1") == 1
    assert not OutboxEvent.objects.waiting().exists()
