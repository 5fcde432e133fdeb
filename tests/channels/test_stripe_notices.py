"""Stripe's webhooks: what is forged, stale, early, altered, foreign or no text at all changes nothing."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as sdk

from ledger.money import Money
from payments.channels.codec import notice_from_json, notice_to_json
from payments.channels.contract import (
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    NoticeKind,
    NoticeRefused,
    Outcome,
    StaleNotice,
)
from payments.channels.stripe.channel import StripeChannel, from_settings
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import Arrived, Receiver, Sandbox, eventually

SECRET = "whsec_of_this_test"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def channel(*secrets: str, clock: Callable[[], datetime] = lambda: NOW) -> StripeChannel:
    settings = {"api_base": "https://api.stripe.com", "secret_key": "sk_test_x"}
    return from_settings({**settings, "webhook_secrets": secrets or (SECRET,), "clock": clock})


def event(**changed: Any) -> dict[str, Any]:
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 500,
        "amount_received": 500,
        "currency": "cny",
        "latest_charge": "ch_1",
        "metadata": {"reference": "att_1"},
    }
    base = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "livemode": False}
    return {**base, "created": int(NOW.timestamp()), "data": {"object": intent}, **changed}


def signed(body: str, *, secret: str = SECRET, at: datetime = NOW) -> dict[str, str]:
    """The header as the official SDK signs it."""
    header = sdk.WebhookSignature.generate_signature_header(body, secret, int(at.timestamp()))
    return {"stripe-signature": header}


def test_a_true_event_is_read() -> None:
    body = json.dumps(event())
    notice = channel().read_notice(signed(body), body.encode())
    assert (notice.kind, notice.reference, notice.event_id) == (NoticeKind.PAYMENT, "att_1", "evt_1")
    assert notice.answer.outcome is Outcome.SUCCEEDED
    assert notice.answer.happened_at == NOW


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("", InvalidSignature),
        ("t=1", InvalidSignature),
        ("nonsense", InvalidSignature),
        (f"t={int(NOW.timestamp())},v1=", InvalidSignature),
        (f"t={int(NOW.timestamp())},v1={'0' * 64}", InvalidSignature),
        (f"t={int(NOW.timestamp())},v1=é", InvalidSignature),
        ("t=" + "9" * 5000 + ",v1=00", InvalidSignature),
        ("t=NaN,v1=00", InvalidSignature),
    ],
)
def test_a_forged_signature_is_refused(header: str, refusal: type[NoticeRefused]) -> None:
    with pytest.raises(refusal):
        channel().read_notice({"stripe-signature": header}, json.dumps(event()).encode())


def test_no_header_at_all_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        channel().read_notice({}, json.dumps(event()).encode())


def test_another_secret_is_refused() -> None:
    body = json.dumps(event())
    with pytest.raises(InvalidSignature):
        channel().read_notice(signed(body, secret="whsec_other"), body.encode())


def test_without_secrets_nothing_is_believed() -> None:
    body = json.dumps(event())
    with pytest.raises(InvalidSignature):
        channel("").read_notice(signed(body, secret=""), body.encode())


def test_altered_by_one_byte_it_is_refused() -> None:
    body = json.dumps(event())
    with pytest.raises(InvalidSignature):
        channel().read_notice(signed(body), body.replace("500", "501").encode())


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 365])
def test_stale_and_future_ones_are_refused(minutes: int) -> None:
    body = json.dumps(event())
    with pytest.raises(StaleNotice):
        channel().read_notice(signed(body, at=NOW + timedelta(minutes=minutes)), body.encode())


def test_the_signed_time_counts_and_not_a_second_one() -> None:
    body = json.dumps(event())
    old = signed(body, at=NOW - timedelta(hours=1))["stripe-signature"]
    with pytest.raises((StaleNotice, InvalidSignature)):
        channel().read_notice({"stripe-signature": f"{old},t={int(NOW.timestamp())}"}, body.encode())
    with pytest.raises((StaleNotice, InvalidSignature)):
        channel().read_notice({"stripe-signature": f"t={int(NOW.timestamp())},{old}"}, body.encode())


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(MalformedNotice):
        channel().read_notice(signed(json.dumps(event())), b"\xff\xfe{}")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        '{"object": "v2.core.event"}',
        json.dumps(event(data={})),
        json.dumps(event(data=[])),
    ],
)
def test_signed_nonsense_is_malformed(body: str) -> None:
    with pytest.raises(NoticeRefused):
        channel().read_notice(signed(body), body.encode())


def test_an_event_of_the_other_mode_is_not_for_us() -> None:
    body = json.dumps(event(livemode=True))
    with pytest.raises(NotForUs):
        channel().read_notice(signed(body), body.encode())


@pytest.mark.parametrize("kind", ["charge.succeeded", "payment_intent.created", "customer.created"])
def test_what_says_nothing_of_a_payment_is_only_acknowledged(kind: str) -> None:
    body = json.dumps(event(type=kind))
    assert channel().read_notice(signed(body), body.encode()).kind is NoticeKind.OTHER


def test_a_payment_that_is_not_ours_is_only_acknowledged() -> None:
    foreign = event()
    foreign["data"]["object"]["metadata"] = {}
    body = json.dumps(foreign)
    assert channel().read_notice(signed(body), body.encode()).kind is NoticeKind.OTHER


def test_a_refusal_is_answered_with_400() -> None:
    assert channel().refuse(StaleNotice()).status == 400
    assert channel().acknowledge().status == 200


def test_during_a_rotation_both_secrets_hold(sandbox: Sandbox, receiver: Receiver) -> None:
    driver = StripeDriver(sandbox, receiver)
    onboarded = sandbox.onboard(name="rotating", webhooks={"stripe": receiver.url + "/webhooks/rotating"})
    driver.account = onboarded["stripe"]
    old = onboarded["stripe"]["webhook_secret"]
    new, kept = sandbox.ask("POST", f"/control/stripe/{onboarded['merchant']}/rotate")["webhook_secrets"]
    assert kept == old != new
    from_settings(driver.settings()).start(driver.start_request())

    def arrived() -> list[Arrived]:
        return receiver.at("/webhooks/rotating")

    one = eventually(arrived)[0]
    for secret in (old, new):
        notice = channel(secret, clock=lambda: datetime.now(UTC)).read_notice(one.headers, one.body)
        assert notice.event_id.startswith("evt_")
    with pytest.raises(InvalidSignature):
        channel("whsec_third").read_notice(one.headers, one.body)


def test_what_the_sandbox_signs_the_official_library_believes(sandbox: Sandbox, receiver: Receiver) -> None:
    driver = StripeDriver(sandbox, receiver)
    start, _ = driver.disputed()
    payment = sandbox.payments(start.reference)[0]["id"]

    def arrived() -> dict[str, Arrived]:
        found = {}
        for one in receiver.at(driver.notify_path):
            told = json.loads(one.body)
            if payment in (told["data"]["object"]["id"], told["data"]["object"].get("payment_intent")):
                found[told["type"]] = one
        return found if "charge.dispute.funds_withdrawn" in found else {}

    for kind, one in eventually(arrived).items():
        header, secret = one.headers["stripe-signature"], driver.account["webhook_secret"]
        assert sdk.Webhook.construct_event(one.body, header, secret).type == kind
        with pytest.raises(sdk.SignatureVerificationError):
            sdk.Webhook.construct_event(one.body, header, "whsec_other")


def test_a_dispute_is_read_without_asking_anybody() -> None:
    dispute = {
        "id": "dp_1",
        "object": "dispute",
        "amount": 500,
        "balance_transactions": [{"amount": -500, "fee": 1500, "currency": "cny"}],
        "currency": "cny",
        "evidence_details": {"due_by": int(NOW.timestamp()) + 60, "submission_count": 0},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    }
    body = json.dumps(event(type="charge.dispute.funds_withdrawn", data={"object": dispute}))
    notice = channel().read_notice(signed(body), body.encode())
    assert (notice.kind, notice.answer.channel_reference) == (NoticeKind.DISPUTE, "pi_1")
    news = notice.dispute
    assert news is not None and (news.reference, news.happened_at) == ("dp_1", NOW)
    assert (news.withdrawn, news.fee) == (Money(500, "CNY"), Money(1_500, "CNY"))
    assert news.due_by == NOW + timedelta(minutes=1)
    assert notice_from_json(json.loads(json.dumps(notice_to_json(notice)))).dispute == news


@pytest.mark.parametrize("changed", [{"status": "unheard_of"}, {"amount": None}, {"currency": "xx"}])
def test_a_dispute_that_is_none_is_malformed(changed: dict[str, Any]) -> None:
    dispute = {"id": "dp_1", "amount": 500, "currency": "cny", "reason": "general", "status": "lost"}
    item = {**dispute, "payment_intent": "pi_1", **changed}
    body = json.dumps(event(type="charge.dispute.closed", data={"object": item}))
    with pytest.raises(MalformedNotice):
        channel().read_notice(signed(body), body.encode())


def test_a_dispute_of_what_was_not_paid_through_an_intent_is_only_acknowledged() -> None:
    body = json.dumps(event(type="charge.dispute.created", data={"object": {"id": "dp_1"}}))
    assert channel().read_notice(signed(body), body.encode()).kind is NoticeKind.OTHER
