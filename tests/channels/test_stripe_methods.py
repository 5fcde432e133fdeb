"""What Stripe serves beside the typed card: Apple Pay, kept cards that want 3-D Secure, Alipay and WeChat Pay."""

import json
from dataclasses import replace

import pytest

from payments.channels.contract import (
    ActionKind,
    Advice,
    Answer,
    Challenge,
    InstrumentUnknown,
    NoticeKind,
    Outcome,
    StartRequest,
)
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import HTTP, Receiver, Sandbox, eventually

PAYLOAD = {
    "version": "EC_v1",
    "data": "c2VhbGVk",
    "signature": "c2ln",
    "header": {"publicKeyHash": "aGFzaA=="},
}
WALLETS = [("alipay", ActionKind.REDIRECT), ("wechat_pay", ActionKind.QR)]


@pytest.fixture(scope="module")
def stripe(sandbox: Sandbox, receiver: Receiver) -> StripeDriver:
    return StripeDriver(sandbox, receiver)


class TestApplePay:
    def method(self, stripe: StripeDriver, **form: str) -> str:
        """What the browser does with what Apple Pay gave it: never our server."""
        headers = {"Authorization": f"Bearer {stripe.account['publishable_key']}"}
        base = stripe.sandbox.url + "/stripe/v1"
        token = HTTP.post(f"{base}/tokens", data={"pk_token": json.dumps(PAYLOAD), **form}, headers=headers)
        token.raise_for_status()
        asked = {"type": "card", "card[token]": token.json()["id"]}
        made = HTTP.post(f"{base}/payment_methods", data=asked, headers=headers)
        made.raise_for_status()
        assert HTTP.post(f"{base}/payment_methods", data=asked, headers=headers).status_code == 400
        return str(made.json()["id"])

    def test_the_device_pays_and_its_own_digits_are_known(self, stripe: StripeDriver) -> None:
        token = self.method(stripe)
        card = stripe.channel.describe_instrument(token)
        assert (card.wallet, card.last4, card.brand) == ("apple_pay", "4242", "visa")
        request = replace(
            stripe.start_request(instrument=token), method="apple_pay", challenge=Challenge.REQUIRED
        )
        answer = stripe.channel.start(request)
        assert answer.outcome is Outcome.SUCCEEDED
        assert answer.instrument is not None and answer.instrument.wallet == "apple_pay"

    def test_the_shortcut_of_a_test_is_one_too(self, stripe: StripeDriver) -> None:
        answer = stripe.channel.start(stripe.start_request(instrument="pm_card_applepay"))
        assert answer.instrument is not None and answer.instrument.wallet == "apple_pay"
        typed = stripe.channel.describe_instrument(stripe.instrument())
        assert typed.wallet == ""

    def test_what_is_not_apples_is_refused(self, stripe: StripeDriver) -> None:
        headers = {"Authorization": f"Bearer {stripe.account['publishable_key']}"}
        url = stripe.sandbox.url + "/stripe/v1/tokens"
        assert HTTP.post(url, data={"pk_token": "{}"}, headers=headers).status_code == 400
        with pytest.raises(InstrumentUnknown):
            stripe.channel.describe_instrument("tok_0123456789abcdef01234567")


def test_a_kept_card_may_want_a_challenge_each_time_its_owner_is_there(stripe: StripeDriver) -> None:
    customer = stripe.vault().open_customer(key="customer:3155", reference="cus_ours")
    first = replace(
        stripe.start_request(instrument=stripe.card("4000002500003155")),
        customer=customer,
        keep_instrument=True,
    )
    assert stripe.channel.start(first).outcome is Outcome.ACTION_REQUIRED
    stripe.sandbox.act(first.reference, "pay")
    again = replace(stripe.start_request(instrument=first.instrument), customer=customer)
    assert stripe.channel.start(again).outcome is Outcome.ACTION_REQUIRED


def begun(stripe: StripeDriver, method: str) -> tuple[StartRequest, Answer]:
    request = replace(stripe.start_request(), method=method, instrument="")
    return request, stripe.channel.start(request)


@pytest.mark.parametrize(("method", "kind"), WALLETS)
class TestWallets:
    def test_the_customer_pays_with_the_phone(
        self, stripe: StripeDriver, method: str, kind: ActionKind
    ) -> None:
        request, answer = begun(stripe, method)
        assert answer.outcome is Outcome.ACTION_REQUIRED and answer.next_action is not None
        assert (answer.next_action.kind, answer.next_action.expires_at) == (kind, request.expires_at)
        page = answer.next_action.value
        assert HTTP.get(page).status_code == 200
        done = HTTP.post(page + "/pay")
        assert done.status_code == 303
        if kind is ActionKind.REDIRECT:
            assert done.headers["location"].startswith(request.return_url + "?payment_intent=pi_")
        after = stripe.channel.query(stripe.movement(request, answer))
        assert (after.outcome, after.amount, after.instrument) == (Outcome.SUCCEEDED, request.amount, None)
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 10_000
        eventually(lambda: self.told(stripe, request))

    def told(self, stripe: StripeDriver, request: StartRequest) -> bool:
        read = [
            stripe.channel.read_notice(one.headers, one.body)
            for one in stripe.receiver.at(stripe.notify_path)
        ]
        return any(
            one.kind is NoticeKind.PAYMENT
            and one.reference == request.reference
            and one.answer.outcome is Outcome.SUCCEEDED
            for one in read
        )

    def test_the_customer_turns_away(self, stripe: StripeDriver, method: str, kind: ActionKind) -> None:
        request, answer = begun(stripe, method)
        stripe.customer_declines(request)
        after = stripe.channel.query(stripe.movement(request, answer))
        assert (after.outcome, after.advice) == (Outcome.DECLINED, Advice.OTHER_METHOD)
        assert stripe.sandbox.payments(request.reference)[0]["captured"] == 0

    def test_what_was_not_paid_is_closed(self, stripe: StripeDriver, method: str, kind: ActionKind) -> None:
        request, answer = begun(stripe, method)
        movement = stripe.movement(request, answer)
        assert stripe.channel.void(movement).outcome is Outcome.CANCELLED
        assert answer.next_action is not None
        assert HTTP.post(answer.next_action.value + "/pay").status_code == 409
        assert stripe.channel.query(movement).outcome is Outcome.CANCELLED

    def test_part_goes_back(self, stripe: StripeDriver, method: str, kind: ActionKind) -> None:
        request, answer = begun(stripe, method)
        stripe.customer_pays(request)
        movement = replace(
            stripe.movement(request, answer),
            amount=replace(request.amount, minor=2_500),
            movement_reference=request.reference.replace("att_", "ref_"),
        )
        assert stripe.channel.refund(movement).outcome is Outcome.SUCCEEDED
        assert stripe.sandbox.payments(request.reference)[0]["refunded"] == 2_500
