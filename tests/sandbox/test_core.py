"""The outside world keeps its word: keys, payments and notifications survive a restart; no number is kept."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.channels.contract import Acknowledgement
from tests.channels.world import (
    HTTP,
    Receiver,
    Sandbox,
    eventually,
    free_port,
    running_receiver,
    running_sandbox,
)
from tests.sandbox.shop import Shop

VISA = "4242424242424242"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("world")


@pytest.fixture(scope="module")
def world(data: Path) -> Iterator[Sandbox]:
    with running_sandbox(data) as running:
        yield running


class TestMerchants:
    def test_the_same_name_has_the_same_keys(self, world: Sandbox) -> None:
        first, second = Shop(world, "twice").merchant, Shop(world, "twice").merchant
        assert first == second != Shop(world, "other").merchant

    def test_two_merchants_do_not_see_each_other(self, world: Sandbox) -> None:
        intent = Shop(world, "one").pay().json()["id"]
        assert Shop(world, "two").get(f"payment_intents/{intent}")["error"]["code"] == "resource_missing"

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": 7}', b'{"name": ""}'])
    def test_nonsense_is_a_400(self, world: Sandbox, body: bytes) -> None:
        assert HTTP.post(world.url + "/control/merchants", content=body).status_code == 400

    def test_another_sites_page_is_refused(self, world: Sandbox) -> None:
        headers = {"Origin": "http://evil.example"}
        for path in ("/control/merchants", "/control/payments/pi_x/pay", "/payments/pi_x/pay"):
            assert HTTP.post(world.url + path, json={"name": "x"}, headers=headers).status_code == 403


class TestIdempotency:
    def test_the_first_answer_is_repeated(self, world: Sandbox) -> None:
        shop = Shop(world)
        first, second = shop.pay("key-1"), shop.pay("key-1")
        assert first.json() == second.json()
        assert "idempotent-replayed" not in first.headers
        assert second.headers["idempotent-replayed"] == "true"

    def test_a_decline_is_repeated_too(self, world: Sandbox) -> None:
        shop = Shop(world)
        answers = [shop.pay("key-2", payment_method="pm_card_visa_chargeDeclined") for _ in range(2)]
        assert [one.status_code for one in answers] == [402, 402]
        assert answers[0].json() == answers[1].json()

    def test_other_parameters_are_refused(self, world: Sandbox) -> None:
        shop = Shop(world)
        shop.pay("key-3")
        other = shop.pay("key-3", amount="501")
        assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")

    def test_a_refused_request_does_not_use_the_key_up(self, world: Sandbox) -> None:
        shop = Shop(world)
        assert shop.pay("key-4", amount="0").status_code == 400
        assert shop.pay("key-4").status_code == 200

    def test_while_the_first_is_at_work_the_second_is_a_409(self, world: Sandbox) -> None:
        shop = Shop(world)
        world.fault("/stripe/v1/payment_intents", "busy", seconds=0.5)
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(
                answer.status_code for answer in pool.map(lambda _: shop.pay("key-5"), range(2))
            )
        assert statuses == [200, 409]
        assert shop.pay("key-5").headers["idempotent-replayed"] == "true"


class TestRefusals:
    def test_a_wrong_key_is_a_401(self, world: Sandbox) -> None:
        answer = Shop(world).post("payment_intents", {}, secret="sk_test_wrong")
        assert answer.status_code == 401
        assert answer.json()["error"]["message"].startswith("Invalid API Key provided: ")
        assert HTTP.post(world.url + "/stripe/v1/payment_intents").status_code == 401

    def test_the_publishable_key_only_makes_tokens(self, world: Sandbox) -> None:
        shop = Shop(world)
        assert shop.post("payment_intents", {}, secret=shop.keys["publishable_key"]).status_code == 403

    def test_a_number_with_the_secret_key_is_refused(self, world: Sandbox) -> None:
        data = {"type": "card", "card[number]": VISA, "card[exp_month]": "1", "card[exp_year]": "2040"}
        assert Shop(world).post("payment_methods", data).status_code == 402

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"amount": "-1"}, "parameter_invalid_integer"),
            ({"amount": "1.5"}, "parameter_invalid_integer"),
            ({"amount": "9999999999"}, "amount_too_large"),
            ({"currency": ""}, "parameter_missing"),
            ({"colour": "red"}, "parameter_unknown"),
            ({"payment_method": "pm_nobody"}, "resource_missing"),
            ({"payment_method": ""}, "parameter_missing"),
        ],
    )
    def test_bad_parameters_are_named_and_leave_nothing(
        self, world: Sandbox, changed: dict[str, str], code: str
    ) -> None:
        shop = Shop(world, f"strict {code}")
        answer = shop.pay(**changed)
        assert (answer.status_code in (400, 404), answer.json()["error"]["code"]) == (True, code)
        assert shop.get("payment_intents")["data"] == []

    @pytest.mark.parametrize("body", [b"\xff", b"a=1&a[b]=2", b"amount[0][1][2]=1", b"%%%", b"{}"])
    def test_no_body_breaks_it(self, world: Sandbox, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {Shop(world).keys['secret_key']}"}
        answer = HTTP.post(world.url + "/stripe/v1/payment_intents", content=body, headers=headers)
        assert answer.status_code == 400


class TestRestart:
    def test_payments_keys_and_waiting_notifications_survive(self, tmp_path: Path) -> None:
        port = free_port()
        with running_receiver() as receiver:
            with running_sandbox(tmp_path, port) as world:
                shop = Shop(world, webhook=f"{receiver.url}/hook")
                paid = shop.pay("before", **{"metadata[reference]": "att_1"}).json()
                refused = eventually(
                    lambda: [one for one in world.deliveries(paid["id"]) if one["attempts"] == 1]
                )
                assert {one["state"] for one in refused} == {"pending"}
            receiver.answers["/hook"] = Acknowledgement(200)
            receiver.arrived.clear()
            with running_sandbox(tmp_path, port) as world:
                again = Shop(world, webhook=f"{receiver.url}/hook")
                assert again.merchant == shop.merchant
                assert again.pay("before", **{"metadata[reference]": "att_1"}).json() == paid
                _sent_again(world, receiver, paid["id"])

    def test_a_card_number_is_nowhere_in_the_storage(self, world: Sandbox, data: Path) -> None:
        shop = Shop(world)
        card = {"type": "card", "card[number]": VISA, "card[exp_month]": "1", "card[exp_year]": "2040"}
        token = shop.post("payment_methods", card, secret=shop.keys["publishable_key"]).json()["id"]
        assert shop.pay(payment_method=token).status_code == 200
        kept = b"".join(file.read_bytes() for file in data.iterdir())
        assert token.encode() in kept
        assert VISA.encode() not in kept


def _sent_again(world: Sandbox, receiver: Receiver, payment: str) -> None:
    """The retries are due in seconds; asking for them now makes the same deliveries go at once."""
    for delivery in world.deliveries(payment):
        world.ask("POST", f"/control/deliveries/{delivery['id']}/resend")
    eventually(lambda: all(one["state"] == "delivered" for one in world.deliveries(payment)))
    assert len(receiver.at("/hook")) >= 3
    assert "stripe-signature" in receiver.arrived[0].headers


def test_notifications_that_wait_are_given_up_on_request(world: Sandbox) -> None:
    deaf = Shop(world, "deaf", f"http://127.0.0.1:{free_port()}/webhooks")
    intent = deaf.pay().json()["id"]

    def waiting() -> set[str]:
        return {one["state"] for one in world.deliveries(intent)}

    assert eventually(lambda: waiting() == {"pending"})
    world.forget_notifications()
    assert eventually(lambda: waiting() == {"failed"})


def test_what_was_on_its_way_when_given_up_is_not_tried_again(world: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        slow = Shop(world, "slow", f"http://127.0.0.1:{busy.getsockname()[1]}/webhooks")
        intent = slow.pay().json()["id"]
        on_its_way, _ = busy.accept()
        world.forget_notifications()
        assert {one["state"] for one in world.deliveries(intent)} == {"failed"}
        on_its_way.close()
        eventually(lambda: any(one["attempts"] for one in world.deliveries(intent)))
        assert {one["state"] for one in world.deliveries(intent)} == {"failed"}
