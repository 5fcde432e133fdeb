"""Stuck at a provider, over its own wire: lost answers and refunds, repaired from the console."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import selectors, views
from payments.errors import ChannelNotFound
from payments.models import Attempt, Refund
from payments.services.request_refund import request_refund
from tests.payments.conftest import Till
from tests.payments.desk import broken
from tests.reconciliation.operators import person, press, seen

AN_HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def lost_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the news would be quicker than any operator."""

    def lost(**_: Any) -> None:
        raise ChannelNotFound("Not here.")

    monkeypatch.setattr(views, "receive_notice", lost)


def test_a_charge_whose_answer_was_lost(till: Till) -> None:
    till.sandbox.fault("/stripe/v1/payment_intents", "drop_after", method="POST")
    lost = till.pay("card")
    assert lost.state == "UNKNOWN"
    Attempt.objects.update(unknown_since=timezone.now() - AN_HOUR)
    support = person("support")
    [attempt] = seen(support, kind="payment_unknown")

    assert "not stuck any more" in press(support, "payment_unknown", attempt, "ask_provider")

    assert selectors.payment(lost.id).state == "SUCCEEDED"
    assert till.at_provider(lost)["captured"] == 10_000 and broken() == []


def test_a_refund_whose_answer_was_lost_goes_back_once(till: Till) -> None:
    paid = till.pay("card")
    till.sandbox.fault("/stripe/v1/refunds", "drop_after", method="POST", times=3)
    refund = request_refund(payment=paid.id, amount=None, reason="x", actor="user:0", key="r1")
    assert refund.state == "UNKNOWN"
    Refund.objects.update(asked_at=timezone.now() - AN_HOUR)
    support = person("support")
    [subject] = seen(support, kind="refund_unknown")

    press(support, "refund_unknown", subject, "ask_provider")
    press(support, "refund_unknown", subject, "ask_provider")

    assert selectors.refund(refund.id).state == "SUCCEEDED"
    assert till.at_provider(paid)["refunded"] == 10_000 and broken() == []
