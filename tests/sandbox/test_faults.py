"""Every misfortune that can be ordered happens as ordered, to the request or notification that was meant."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from payments.channels.contract import Acknowledgement, NoticeRefused
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import HTTP, Receiver, Sandbox, eventually, running_receiver, running_sandbox
from tests.sandbox.shop import Shop

INTENTS = "/stripe/v1/payment_intents"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def shop(world: Sandbox, receiver: Receiver, request: pytest.FixtureRequest) -> Shop:
    name = request.node.name
    path = f"/{abs(hash(name))}"
    receiver.answers[path] = Acknowledgement(200)
    return Shop(world, name, webhook=receiver.url + path)


def arrived(shop: Shop, receiver: Receiver) -> list[dict[str, Any]]:
    """The events that the shop can believe, in the order in which they came."""
    told = [one for one in receiver.at(f"/{abs(hash(shop.name))}") if shop.proves(one)]
    return [json.loads(one.body) for one in told]


class TestRequests:
    @pytest.mark.parametrize(
        ("kind", "happened"),
        [("drop_before", False), ("drop_after", True), ("reset_after", True)],
    )
    def test_a_broken_connection(self, world: Sandbox, shop: Shop, kind: str, happened: bool) -> None:
        world.fault(INTENTS, kind, method="POST")
        with pytest.raises(httpx.TransportError):
            shop.pay()
        assert bool(shop.get("payment_intents")["data"]) is happened

    def test_a_reset_comes_in_the_middle_of_the_answer(self, world: Sandbox, shop: Shop) -> None:
        world.fault(INTENTS, "reset_after", match="in-the-middle")
        got = b""
        with (
            pytest.raises(httpx.TransportError) as broken,
            httpx.stream(
                "GET", world.url + INTENTS + "?x=in-the-middle", headers=shop.headers, trust_env=False
            ) as answer,
        ):
            for part in answer.iter_raw():
                got += part
        assert answer.status_code < 500
        assert 0 < len(got) < int(answer.headers["content-length"])
        assert isinstance(broken.value, httpx.ReadError), "a reset, not a polite end"

    @pytest.mark.parametrize(("kind", "happened"), [("hang_before", False), ("hang_after", True)])
    def test_the_client_gives_up(self, world: Sandbox, shop: Shop, kind: str, happened: bool) -> None:
        world.fault(INTENTS, kind, method="POST")
        with httpx.Client(timeout=0.3, trust_env=False) as hasty, pytest.raises(httpx.ReadTimeout):
            hasty.post(world.url + INTENTS, data=shop.payment, headers=shop.headers)
        assert bool(shop.get("payment_intents")["data"]) is happened

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    def test_an_error_in_stripes_words(self, world: Sandbox, shop: Shop, status: int) -> None:
        world.fault(INTENTS, "error_before", method="POST", status=status)
        answer = shop.pay()
        assert answer.status_code == status
        if status == 502:
            assert answer.headers["content-type"] == "text/html"
        else:
            assert answer.json()["error"]["type"] in ("api_error", "invalid_request_error")
        assert shop.get("payment_intents")["data"] == []

    def test_alipay_says_it_with_200(self, world: Sandbox) -> None:
        world.fault("/alipay", "error_before")
        asked = {"method": "alipay.trade.query", "app_id": world.onboard(name="words")["alipay"]["app_id"]}
        answer = HTTP.post(f"{world.url}/alipay/gateway.do", data=asked)
        assert answer.json()["alipay_trade_query_response"]["code"] == "20000"
        assert answer.json()["sign"]

    def test_wechat_signs_it(self, world: Sandbox) -> None:
        world.fault("/wechat", "error_before", status=429)
        headers = {"Authorization": f'mchid="{world.onboard(name="words")["wechat"]["mchid"]}"'}
        answer = HTTP.get(f"{world.url}/wechat/v3/pay/transactions/out-trade-no/x", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "FREQUENCY_LIMITED")
        assert answer.headers["wechatpay-signature"]

    def test_only_the_one_that_was_meant(self, world: Sandbox, shop: Shop) -> None:
        other = Shop(world, "bystander")
        named = {"metadata[reference]": "att_meant"}
        world.fault("/", "error_before", match="att_meant")
        world.fault("/", "error_before", merchant=shop.merchant["merchant"], channel="stripe", method="POST")
        assert [other.pay().status_code, other.get("payment_intents")["object"]] == [200, "list"]
        assert shop.pay().status_code == 500
        assert shop.pay().status_code == 200
        assert shop.pay(**named).status_code == 500
        assert shop.pay(**named).status_code == 200

    def test_a_capture_that_answers_late(self, world: Sandbox, shop: Shop) -> None:
        held = shop.pay(capture_method="manual").json()["id"]
        world.fault(f"{INTENTS}/*/capture", "hang_after", seconds=0.2)
        with pytest.raises(httpx.TransportError):
            shop.post(f"payment_intents/{held}/capture", {})
        assert shop.get(f"payment_intents/{held}")["status"] == "succeeded"

    def test_planned_faults_can_be_forgotten(self, world: Sandbox, shop: Shop) -> None:
        world.fault(INTENTS, "error_before", times=5)
        assert world.ask("DELETE", "/control/faults")["forgotten"] == 1
        assert shop.pay().status_code == 200

    @pytest.mark.parametrize(
        "asked",
        [
            *(
                {"kind": "earthquake"},
                {},
                {"kind": "slow", "status": 418},
                {"kind": "slow", "channel": "cash"},
            ),
            *({"kind": "slow", "merchant": "mer_nobody"}, {"kind": "slow", "colour": "red"}),
        ],
    )
    def test_what_can_not_be_is_a_400(self, world: Sandbox, asked: dict[str, Any]) -> None:
        assert HTTP.post(f"{world.url}/control/faults", json=asked).status_code == 400


class TestNotifications:
    def test_duplicated(self, world: Sandbox, receiver: Receiver, shop: Shop) -> None:
        world.twist("duplicate", event="payment_intent.succeeded", count=3, seconds=0.1)
        shop.pay()
        eventually(lambda: kinds(shop, receiver).count("payment_intent.succeeded") == 4)
        ids = {
            event["id"] for event in arrived(shop, receiver) if event["type"] == "payment_intent.succeeded"
        }
        assert len(ids) == 1

    def test_lost_twice_then_sent_by_the_schedule(
        self, world: Sandbox, receiver: Receiver, shop: Shop
    ) -> None:
        world.twist("drop", event="payment_intent.succeeded", count=2)
        paid = shop.pay().json()["id"]
        for tries, pause in ((1, 5), (2, 30)):
            tried(world, paid, tries)
            assert "payment_intent.succeeded" not in kinds(shop, receiver)
            world.advance(pause)
        eventually(lambda: the_success(world, paid)["state"] == "delivered")
        assert the_success(world, paid)["attempts"] == 3

    def test_late_and_out_of_order(self, world: Sandbox, receiver: Receiver, shop: Shop) -> None:
        world.twist("late", event="payment_intent.created", seconds=60)
        world.twist("shuffle", event="payment_intent.succeeded", seconds=50)
        shop.pay()
        eventually(lambda: kinds(shop, receiver) == ["charge.succeeded"])
        world.advance(55)
        eventually(lambda: kinds(shop, receiver) == ["charge.succeeded", "payment_intent.succeeded"])
        world.advance(10)
        eventually(lambda: kinds(shop, receiver)[2:] == ["payment_intent.created"])

    def test_before_the_answer(self, world: Sandbox, receiver: Receiver, shop: Shop) -> None:
        world.twist("before_answer", event="payment_intent.succeeded")
        paid = shop.pay().json()["id"]
        assert "payment_intent.succeeded" in kinds(shop, receiver)
        assert the_success(world, paid)["attempts"] == 1

    def test_contradicted(self, world: Sandbox, receiver: Receiver, shop: Shop) -> None:
        world.twist("contradict", event="payment_intent.succeeded", seconds=0.1)
        shop.pay()
        eventually(lambda: kinds(shop, receiver)[3:])
        events = arrived(shop, receiver)
        by_kind = {event["type"]: event for event in events}
        denied = by_kind["payment_intent.payment_failed"]
        assert denied["data"]["object"]["status"] == "requires_payment_method"
        assert denied["created"] < by_kind["payment_intent.succeeded"]["created"]

    @pytest.mark.parametrize("kind", ["stale", "truncate"])
    def test_the_first_try_is_spoiled_and_the_second_is_not(
        self, world: Sandbox, receiver: Receiver, shop: Shop, kind: str
    ) -> None:
        receiver.answers[f"/{abs(hash(shop.name))}"] = Acknowledgement(400)
        world.twist(kind, event="payment_intent.succeeded")
        paid = shop.pay().json()["id"]
        eventually(lambda: the_success(world, paid)["attempts"] == 1)
        assert "payment_intent.succeeded" not in kinds(shop, receiver)
        world.advance(5)
        eventually(lambda: "payment_intent.succeeded" in kinds(shop, receiver))

    def test_what_is_sent_again_can_be_twisted(self, world: Sandbox, receiver: Receiver, shop: Shop) -> None:
        paid = shop.pay().json()["id"]
        eventually(lambda: the_success(world, paid)["state"] == "delivered")
        sent = the_success(world, paid)["id"]
        again = f"/control/deliveries/{sent}/twisted"
        world.ask("POST", f"{again}/duplicate", {"count": 2, "seconds": 0})
        eventually(lambda: kinds(shop, receiver).count("payment_intent.succeeded") == 3)
        assert world.ask("POST", f"{again}/late", {"seconds": 100})["state"] == "pending"


@pytest.mark.parametrize("driver_type", [AlipayDriver, WechatDriver])
class TestFalseNotifications:
    """The wallets' own signatures and seals; our channels must not believe what is not so."""

    @pytest.fixture
    def driver(self, world: Sandbox, receiver: Receiver, driver_type: type[Driver]) -> Driver:
        return driver_type(world, receiver)

    @pytest.mark.parametrize("kind", ["forged", "foreign"])
    def test_refused_beside_the_true_one(
        self, world: Sandbox, receiver: Receiver, driver: Driver, kind: str
    ) -> None:
        receiver.arrived.clear()
        world.twist(kind, channel=driver.code)
        driver.paid()
        told = eventually(lambda: receiver.at(driver.notify_path)[1:] and receiver.at(driver.notify_path))
        believed = 0
        for one in told:
            try:
                driver.channel.read_notice(one.headers, one.body)
                believed += 1
            except NoticeRefused:
                continue
        assert (len(told), believed) == (2, 1)
        false = world.ask("GET", f"/control/deliveries?twist={kind}")["deliveries"]
        assert false[0]["channel"] == driver.code

    def test_a_contradiction_is_signed_but_says_unpaid(
        self, world: Sandbox, receiver: Receiver, driver: Driver
    ) -> None:
        receiver.arrived.clear()
        world.twist("contradict", channel=driver.code, seconds=0.1)
        driver.paid()
        told = eventually(lambda: receiver.at(driver.notify_path)[1:] and receiver.at(driver.notify_path))
        outcomes = []
        for one in told:
            try:
                notice = driver.channel.read_notice(one.headers, one.body)
                outcomes.append(notice.answer.outcome.name)
            except NoticeRefused as refusal:
                outcomes.append(f"REFUSED {refusal}")
        assert outcomes[0] == "SUCCEEDED"
        assert not outcomes[1].startswith(("REFUSED", "SUCCEEDED"))


def test_a_false_notification_is_sent_once(world: Sandbox, receiver: Receiver, shop: Shop) -> None:
    path = f"/{abs(hash(shop.name))}"
    receiver.answers[path] = Acknowledgement(400)
    world.twist("forged", event="payment_intent.succeeded")
    paid = shop.pay().json()["id"]

    def false() -> list[Any]:
        return [one for one in world.deliveries(paid) if one["twist"] == "forged" and one["attempts"]]

    assert eventually(false)[0]["state"] == "failed"
    assert sum(not shop.proves(one) for one in receiver.at(path)) == 1


def kinds(shop: Shop, receiver: Receiver) -> list[str]:
    return [event["type"] for event in arrived(shop, receiver)]


def tried(world: Sandbox, payment: str, times: int) -> None:
    eventually(lambda: the_success(world, payment)["attempts"] == times)


def the_success(world: Sandbox, payment: str) -> Any:
    return next(one for one in world.deliveries(payment) if one["kind"] == "payment_intent.succeeded")
