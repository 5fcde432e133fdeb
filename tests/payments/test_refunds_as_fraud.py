"""A refund of what was a fraud teaches risk, once it is agreed to."""

from typing import Any

import pytest

from ledger.money import Money
from payments.selectors import PaymentView, RefundView
from payments.services.approve_refund import approve_refund
from payments.services.reject_refund import reject_refund
from payments.services.request_refund import request_refund
from risk.models import Outcome
from tests.channels.world import STRANGER
from tests.payments.conftest import Till


@pytest.fixture
def paid(till: Till, settings: Any) -> PaymentView:
    """100 yuan, of which one person may return 50."""
    settings.REFUND_APPROVAL_ABOVE = {"CNY": 5_000}
    return till.pay("card")


def ask(paid: PaymentView, amount: str, cause: str = "fraudulent", key: str = "r1") -> RefundView:
    return request_refund(
        payment=paid.id,
        amount=Money.from_major(amount, "CNY"),
        reason="The cardholder called",
        actor="user:1",
        key=key,
        cause=cause,
    )


def heard() -> list[tuple[str, bool, str, str]]:
    return list(Outcome.objects.values_list("subject", "fraud", "kind", "source"))


def test_risk_hears_of_it_once_and_the_network_too(paid: PaymentView, settings: Any) -> None:
    back = ask(paid, "40")
    assert ask(paid, "40").id == back.id
    assert (back.state, back.cause, back.reason) == ("SUCCEEDED", "fraudulent", "The cardholder called")
    assert heard() == [(paid.id, True, "refund", back.id)]
    refunds = STRANGER.get(
        f"{settings.STRIPE['api_base']}/v1/refunds", auth=(settings.STRIPE["secret_key"], "")
    ).json()["data"]
    assert [one["reason"] for one in refunds if one["metadata"]["reference"] == back.id] == ["fraudulent"]


@pytest.mark.parametrize("cause", ["", "duplicate", "requested_by_customer"])
def test_any_other_refund_says_nothing_of_fraud(paid: PaymentView, cause: str) -> None:
    assert ask(paid, "40", cause).cause == cause
    assert heard() == []


def test_one_that_waits_says_so_when_it_is_agreed_to(paid: PaymentView) -> None:
    waiting = ask(paid, "60")
    assert (waiting.state, heard()) == ("AWAITING_APPROVAL", [])
    approve_refund(refund=waiting.id, actor="user:2", reason="Seen the report")
    assert heard() == [(paid.id, True, "refund", waiting.id)]


def test_one_that_is_rejected_says_nothing(paid: PaymentView) -> None:
    waiting = ask(paid, "60")
    reject_refund(refund=waiting.id, actor="user:2", reason="They only moved house")
    assert heard() == []
