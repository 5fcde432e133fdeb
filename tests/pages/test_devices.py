"""Devices through the shop's pages and the console: what the server measures, proofs, freezing, levels."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.utils import timezone

from checkout.models import Order, Sku, Verification
from ledger.selectors import audit_trail
from payments.models import Attempt
from payments.selectors import payments_of
from risk import starting
from risk.models import Decision, Device, Freeze, Policy
from risk.services.freeze_device import freeze_device
from tests.checkout.bank import Bank
from tests.checkout.conftest import stock_of
from tests.pages.conftest import ADDRESS, PHONE, check_out, order_in, quote_on
from tests.pages.test_confirm import answer, code_in
from tests.risk.test_review_pages import person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tea", "mail_in_memory")]
Browser = Callable[..., Client]
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def conduct(visitor: str = "visitor-of-anna", **told: Any) -> str:
    return json.dumps({"visitor": visitor, "seconds": 40, "keys": 55, "tempo": 180, "pastes": 1, **told})


def inputs(stage: str = "payment") -> dict[str, Any]:
    row = Decision.objects.filter(stage=stage).order_by("-id")[0]
    found: dict[str, Any] = row.inputs
    return found


def behaviour() -> dict[str, Any]:
    found: dict[str, Any] = inputs()["facts"]["behaviour"]
    return found


def waits_for(order: str) -> str:
    action = payments_of(order)[0].next_action
    return str(action.kind) if action else ""


@pytest.fixture
def anna() -> User:
    return get_user_model().objects.create_user("anna", email="anna@example.com", password="x")


def signed_in(browser: Browser, user: User, agent: str = WINDOWS) -> Client:
    client = browser(agent=agent)
    client.force_login(user)
    return client


@pytest.fixture
def from_half_an_order(settings: Any) -> None:
    """A policy under which a known customer proves to sit at a strange device from 50 CNY on."""
    Policy.objects.filter(state="ACTIVE").update(state="RETIRED")
    Policy.objects.create(
        name="tests",
        version=1,
        rules=starting.RULES,
        thresholds={**starting.THRESHOLDS, "verify_device_from": 5_000},
        limits=starting.LIMITS,
        rates=starting.RATES,
        state="ACTIVE",
        created_by="tests",
    )


class TestFacts:
    def test_what_the_form_says_reaches_the_decision_hashed(
        self, browser: Browser, card_provider: Bank
    ) -> None:
        client = browser(agent=PHONE)
        with time_machine.travel(timezone.now(), tick=False) as clock:
            client.post("/cart/add", {"sku": "tea", "quantity": "1"})
            page = client.get("/checkout/", headers={"accept-language": "en"})
            clock.shift(timedelta(seconds=31))
            form = {**ADDRESS, "quote": quote_on(page), "method": "alipay", "instrument": ""}
            client.post("/checkout/", {**form, "conduct": conduct()})
        assert behaviour() == {
            "seconds_on_page": 31,  # nobody was there for longer than since it was sent
            "keystrokes": 55,
            "keystroke_ms": 180,
            "pastes": 1,
            "address_changes": 0,
            "coupon_attempts": 0,
        }
        device = Device.objects.get()
        assert device.label == "Chrome, Android" and len(device.fingerprint_key) == 32
        kept = Order.objects.get()
        assert "visitor-of-anna" not in json.dumps([inputs(), inputs("order"), kept.client])

    @pytest.mark.parametrize(
        "said", ["", "nonsense", "[1]", '{"keys": -4, "visitor": 7, "pastes": true}', "x" * 600]
    )
    def test_what_makes_no_sense_is_not_known(self, browser: Browser, card_provider: Bank, said: str) -> None:
        check_out(browser(), conduct=said)
        found = behaviour()
        assert found["seconds_on_page"] == 0  # measured here
        assert found["keystrokes"] is found["keystroke_ms"] is found["pastes"] is None
        assert Device.objects.get().fingerprint_key == "" and not inputs()["device"]["missing"]

    def test_the_server_counts_addresses(self, browser: Browser, card_provider: Bank) -> None:
        client = browser()
        client.post("/cart/add", {"sku": "tea", "quantity": "1"})
        page = client.get("/checkout/")
        for country in ("US", "US", "CN"):
            client.get(f"/checkout/summary?country={country}", headers={"hx-request": "true"})
        form = {**ADDRESS, "quote": quote_on(page), "method": "alipay", "instrument": ""}
        assert client.post("/checkout/", {**form, "email": "no address"}).status_code == 422
        client.post("/checkout/", {**form, "line1": "文三路 2 号", "email": "no address"})
        client.post("/checkout/", form)
        assert behaviour()["address_changes"] == 4  # there and back, one house on and back
        check_out(client)
        assert behaviour()["address_changes"] == 0

    def test_a_place_comes_from_the_address(self, browser: Browser, card_provider: Bank) -> None:
        client = browser()
        client.defaults["REMOTE_ADDR"] = "114.114.114.114"
        check_out(client)
        device = inputs()["facts"]["device"]
        assert device["ip_country"] == "CN" and device["latitude_e6"] is not None
        assert Device.objects.get().country == "CN"


class TestNewDevice:
    @pytest.mark.usefixtures("from_half_an_order")
    def test_an_account_on_a_strange_device_proves_itself_once(
        self, browser: Browser, card_provider: Bank, anna: User
    ) -> None:
        home = signed_in(browser, anna)
        first = order_in(check_out(home, conduct=conduct()))
        assert payments_of(first)[0].state == "SUCCEEDED"

        thief = signed_in(browser, anna, PHONE)
        strange = order_in(check_out(thief, email="thief@example.com", conduct=conduct("visitor-of-thief")))
        assert waits_for(strange) == "challenge"
        assert not Attempt.objects.exclude(payment__reference=first).exclude(state="CREATED").exists()
        assert mail.outbox[-1].to == ["anna@example.com"]  # not what the order says
        assert "strange device" in Decision.objects.order_by("-id")[0].explanation

        answer(thief, strange, code_in(mail.outbox[-1]))
        assert payments_of(strange)[0].state == "SUCCEEDED"
        again = order_in(check_out(thief, conduct=conduct("visitor-of-thief")))
        assert payments_of(again)[0].state == "SUCCEEDED"
        copied = order_in(check_out(thief, conduct=conduct("another browser")))
        assert waits_for(copied) == "challenge"
        assert order_in(check_out(home, conduct=conduct())) and payments_of(first)[0].state == "SUCCEEDED"


class TestFrozen:
    def test_an_order_is_refused_in_words_and_nothing_moves(
        self, browser: Browser, card_provider: Bank
    ) -> None:
        client = browser()
        check_out(client)
        freeze_device(device=Device.objects.get().public_id, reason="stolen", actor="user:1")
        asked, left = Attempt.objects.count(), stock_of("tea")
        page = check_out(client)
        assert page.status_code == 403 and "This device is frozen" in page.content.decode()
        refused = Order.objects.order_by("-created_at")[0]
        assert (refused.state, refused.paid_by) == ("REJECTED", "")
        assert (Attempt.objects.count(), stock_of("tea")) == (asked, left)
        assert check_out(browser()).status_code == 302

    def test_a_device_that_is_frozen_after_the_order_does_not_pay_it(
        self, browser: Browser, card_provider: Bank
    ) -> None:
        from payments.channels.contract import Outcome

        client = browser()
        card_provider.starts = Outcome.DECLINED
        order = order_in(check_out(client))
        freeze_device(device=Device.objects.get().public_id, reason="stolen", actor="user:1")
        attempts = Attempt.objects.count()
        client.post(f"/pay/{order}/", {"method": "alipay", "conduct": conduct()})
        assert payments_of(order)[0].state == "CANCELLED" and Attempt.objects.count() == attempts
        assert Order.objects.get().state == "CANCELLED" and stock_of("tea") == (5, 0)

    def test_a_customer_freezes_a_lost_device_on_the_own_page(
        self, browser: Browser, card_provider: Bank, anna: User
    ) -> None:
        phone, laptop = signed_in(browser, anna, PHONE), signed_in(browser, anna)
        check_out(phone)
        with time_machine.travel(timezone.now() + timedelta(days=2)):
            laptop.force_login(anna)
            check_out(laptop)
            page = laptop.get("/devices/").content.decode()
            assert page.count('data-testid="device"') == 2 and page.count("this device") == 1
            lost = Device.objects.get(label="Chrome, Android").public_id
            said = laptop.post("/devices/", {"freeze": lost}, follow=True).content.decode()
            assert "Frozen by you" in said
            phone.force_login(anna)
            assert check_out(phone).status_code == 403
            said = phone.post("/devices/", {"unfreeze": lost}, follow=True).content.decode()
            assert "another device" in said and Freeze.objects.standing().exists()
        with time_machine.travel(timezone.now() + timedelta(days=4)):
            laptop.force_login(anna)
            said = laptop.post("/devices/", {"unfreeze": lost}, follow=True).content.decode()
            assert "can pay again" in said and not Freeze.objects.standing().exists()
        trail = [(one.action, one.actor) for one in audit_trail(lost)]
        assert trail == [("device.frozen", f"user:{anna.pk}"), ("device.unfrozen", f"user:{anna.pk}")]

    def test_nobody_freezes_what_is_not_theirs(
        self, browser: Browser, card_provider: Bank, anna: User
    ) -> None:
        check_out(browser())
        client = signed_in(browser, anna)
        said = client.post("/devices/", {"freeze": Device.objects.get().public_id}, follow=True)
        assert "not in your list" in said.content.decode() and not Freeze.objects.exists()
        assert browser().get("/devices/").status_code == 302


class TestConsole:
    RIGHTS = ("view_device", "freeze_device", "view_decision")

    def test_an_operator_freezes_and_thaws_with_a_reason(self, browser: Browser, card_provider: Bank) -> None:
        client = browser(agent=WINDOWS)
        check_out(client, conduct=conduct())
        device = Device.objects.get().public_id
        operator = person("olga", *(f"risk.{right}" for right in self.RIGHTS))
        listed = operator.get("/console/risk/devices/").content.decode()
        assert device in listed and "Firefox, Windows" in listed
        page = operator.get(f"/console/risk/devices/{device}/").content.decode()
        assert "trust 8" in page and "same place 50" in page and "never frozen" in page
        address = f"/console/risk/devices/{device}/"
        operator.post(address, {"do": "freeze", "reason": ""})
        assert not Freeze.objects.exists()
        said = operator.post(address, {"do": "freeze", "reason": "three chargebacks"}, follow=True)
        assert "three chargebacks" in said.content.decode()
        assert device in operator.get("/console/risk/devices/?frozen=1").content.decode()
        assert check_out(client).status_code == 403
        said = operator.post(address, {"do": "unfreeze", "reason": "a mistake"}, follow=True)
        assert "a mistake" in said.content.decode() and "Olga" in said.content.decode()
        assert check_out(client).status_code == 302
        assert operator.get(f"/console/risk/devices/?q={device}").content.decode().count("data-testid") >= 1
        assert operator.get("/console/risk/devices/?q=dev_nonsense").status_code == 200

    def test_who_may_not_is_told_so(self, browser: Browser, card_provider: Bank) -> None:
        check_out(browser())
        address = f"/console/risk/devices/{Device.objects.get().public_id}/"
        assert person("sam").get("/console/risk/devices/").status_code == 403
        reader = person("rita", "risk.view_device")
        assert "freeze-it" not in reader.get(address).content.decode()
        assert reader.post(address, {"do": "freeze", "reason": "x"}).status_code == 403
        assert reader.get("/console/risk/devices/dev_nonsense/").status_code == 404
        assert not Freeze.objects.exists()

    def test_a_level_is_given_with_a_reason_and_limits_the_next_payment(
        self, browser: Browser, card_provider: Bank, anna: User
    ) -> None:
        shopper = signed_in(browser, anna)
        check_out(shopper, method="alipay")
        assert inputs()["facts"]["customer"]["verification_level"] == 0  # and so no limit
        Sku.objects.update(price=60_000)
        manager = person("max", *(f"checkout.{do}_verification" for do in ("add", "change", "view")))
        address = "/console/checkout/verification/"
        form = {"customer": "nobody", "level": "1", "reason": "passport"}
        assert "no account" in manager.post(f"{address}add/", form).content.decode()
        manager.post(f"{address}add/", {**form, "customer": "anna", "reason": " "})
        assert not Verification.objects.exists()
        manager.post(f"{address}add/", {**form, "customer": f"cus_{anna.pk}"})
        row = Verification.objects.get()
        assert (row.level, row.user_id, row.reason) == (1, anna.pk, "passport")

        paid = order_in(check_out(shopper))
        assert payments_of(paid)[0].state == "SUCCEEDED"
        assert inputs()["facts"]["customer"]["verification_level"] == 1
        before = Decision.objects.count()
        refused = check_out(shopper)  # 1,200 of 1,000 CNY a day
        assert refused.status_code == 422 and "400" in refused.text
        assert Decision.objects.count() == before  # it is told before the attempt

        manager.post(f"{address}{row.pk}/change/", {"level": "2", "reason": "seen in the shop"})
        assert payments_of(order_in(check_out(shopper)))[0].state == "SUCCEEDED"
        trail = [(one.action, one.before, one.after) for one in audit_trail(f"cus_{anna.pk}")]
        assert trail == [
            ("customer.level", None, {"level": 1}),
            ("customer.level", {"level": 1}, {"level": 2}),
        ]
