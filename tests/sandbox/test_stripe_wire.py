"""The official SDK finds in the sandbox what it finds at Stripe."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import stripe as sdk

from tests.channels.world import Sandbox, running_sandbox


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder: Path = tmp_path_factory.mktemp("wire")
    with running_sandbox(folder) as running:
        yield running


@pytest.fixture(scope="module")
def api(world: Sandbox) -> sdk.StripeClient:
    secret = world.onboard(name="wire")["stripe"]["secret_key"]
    base = world.url + "/stripe"
    addresses = sdk._base_address.BaseAddresses(api=base, files=base)
    return sdk.StripeClient(secret, base_addresses=addresses, max_network_retries=0)


def test_created_then_confirmed_then_captured_in_part(api: sdk.StripeClient) -> None:
    intents = api.v1.payment_intents
    intent = intents.create({"amount": 900, "currency": "hkd", "capture_method": "manual"})
    assert intent.status == "requires_payment_method"
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")
    held = intents.confirm(intent.id, {"payment_method": "pm_card_hk"})
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 900, 0)
    taken = intents.capture(
        intent.id, {"amount_to_capture": 400, "expand": ["latest_charge.balance_transaction"]}
    )
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 400)
    charge = taken.latest_charge
    assert isinstance(charge, sdk.Charge)
    entry = charge.balance_transaction
    assert isinstance(entry, sdk.BalanceTransaction)
    assert (entry.amount, entry.net) == (400, 400 - entry.fee)
    assert charge.payment_method_details is not None and charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.country == "HK"


def test_a_cancelled_intent_stays_cancelled(api: sdk.StripeClient) -> None:
    intents = api.v1.payment_intents
    params: sdk.params.PaymentIntentCreateParams = {
        "amount": 900,
        "currency": "cny",
        "capture_method": "manual",
        "confirm": True,
        "payment_method": "pm_card_visa",
    }
    intent = intents.create(params)
    cancelled = intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason, cancelled.amount_capturable) == (
        "canceled",
        "abandoned",
        0,
    )
    with pytest.raises(sdk.InvalidRequestError) as refused:
        intents.capture(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_a_declined_card_can_be_followed_by_another(api: sdk.StripeClient) -> None:
    intents = api.v1.payment_intents
    with pytest.raises(sdk.CardError) as declined:
        intents.create(
            {
                "amount": 900,
                "currency": "cny",
                "confirm": True,
                "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds",
            }
        )
    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)
    error = declined.value.error
    assert (
        error is not None and error.decline_code == "insufficient_funds" and error.payment_intent is not None
    )
    assert error.payment_intent.status == "requires_payment_method"
    paid = intents.confirm(error.payment_intent.id, {"payment_method": "pm_card_visa"})
    assert paid.status == "succeeded"


def test_refunds_events_and_balance_tell_one_story(api: sdk.StripeClient) -> None:
    intent = api.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "cny",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "metadata": {"reference": "att_wire"},
        }
    )
    refund = api.v1.refunds.create({"payment_intent": intent.id, "amount": 300, "reason": "duplicate"})
    assert (refund.status, refund.amount) == ("succeeded", 300)
    with pytest.raises(sdk.InvalidRequestError):
        api.v1.refunds.create({"payment_intent": intent.id, "amount": 701})
    assert api.v1.refunds.retrieve(refund.id).charge == intent.latest_charge
    assert [one.id for one in api.v1.refunds.list({"payment_intent": intent.id})] == [refund.id]
    found = api.v1.payment_intents.search({"query": "metadata['reference']:'att_wire'"})
    assert [one.id for one in found] == [intent.id]
    kinds = [event.type for event in api.v1.events.list({"limit": 5})]
    assert kinds == [
        "charge.refunded",
        "refund.created",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]
    newest = api.v1.balance_transactions.list({"limit": 2}).data
    assert [(one.type, one.amount) for one in newest] == [("refund", -300), ("charge", 1000)]


def test_a_dispute_is_answered_with_a_file_and_won(api: sdk.StripeClient) -> None:
    intent = api.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "cny",
            "confirm": True,
            "payment_method": "pm_card_createDispute",
            "metadata": {"reference": "att_dispute"},
        }
    )
    (dispute,) = api.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 1000)
    (entry,) = dispute.balance_transactions
    assert (entry.amount, entry.fee, entry.net, entry.type) == (-1000, 1500, -2500, "adjustment")
    assert entry.reporting_category == "dispute"
    file = api.v1.files.create({"purpose": "dispute_evidence", "file": BytesIO(b"%PDF-1.4 %%EOF")})
    with pytest.raises(sdk.InvalidRequestError) as missing:
        api.v1.disputes.update(dispute.id, {"evidence": {"receipt": "file_unknown"}})
    assert missing.value.param == "evidence[receipt]"
    staged = api.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Li Lei"}, "submit": False})
    assert staged.status == "needs_response" and staged.evidence_details.has_evidence
    won = api.v1.disputes.update(
        dispute.id, {"evidence": {"receipt": file.id, "uncategorized_text": "winning_evidence"}}
    )
    assert (won.status, won.evidence.customer_name, won.evidence.receipt) == ("won", "Li Lei", file.id)
    assert sum(one.amount for one in won.balance_transactions) == 0
    assert won.balance_transactions[1].reporting_category == "dispute_reversal"
    with pytest.raises(sdk.InvalidRequestError):
        api.v1.disputes.close(dispute.id)
    kinds = [event.type for event in api.v1.events.list({"limit": 6})]
    news = "closed funds_reinstated updated updated funds_withdrawn created".split()
    assert kinds == [f"charge.dispute.{one}" for one in news]


def test_an_unknown_field_of_evidence_is_refused(api: sdk.StripeClient) -> None:
    api.v1.payment_intents.create(
        {"amount": 1000, "currency": "cny", "confirm": True, "payment_method": "pm_card_createDisputeInquiry"}
    )
    dispute = api.v1.disputes.list().data[0]
    assert dispute.status == "warning_needs_response"
    with pytest.raises(sdk.InvalidRequestError) as refused:
        api.v1.disputes.update(dispute.id, {"evidence": {"horoscope": "Leo"}})  # type: ignore[arg-type]
    assert refused.value.code == "parameter_unknown"


def test_lists_are_paged(api: sdk.StripeClient) -> None:
    for _ in range(3):
        api.v1.payment_intents.create({"amount": 1, "currency": "cny"})
    page = api.v1.payment_intents.list({"limit": 2})
    assert (len(page.data), page.has_more) == (2, True)
    ids = [one.id for one in page.auto_paging_iter()]
    assert len(ids) == len(set(ids)) >= 3
