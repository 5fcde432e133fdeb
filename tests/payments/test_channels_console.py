"""The console's pages about channels: switches, breakers, policies, replay; and who may use them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from ledger.models import AuditEntry
from payments import routes
from payments.breakers import breakers, open_breaker
from payments.models import ChannelSwitch, RoutingPolicy
from tests.payments.conftest import Till

ADDRESS = "/console/payments/channels/"
RULES = '[{"id": "big", "when": "payment.amount > 5000", "then": "only", "channels": ["stripe"], "why": "x"}]'
DRAFT = {"name": "shop", "rules": RULES, "cost": 0, "success": 0, "least": 20}


def person(name: str, *rights: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager(till: Till) -> Client:
    return person("manager", "view_routingpolicy", "switch_channel")


def test_channels_are_switched_weighed_and_explained(till: Till, manager: Client) -> None:
    assert "alipay" in manager.get(ADDRESS).text
    page = f"{ADDRESS}alipay/alipay/"
    asked: dict[str, Any] = {
        "set": "1",
        "weight": "30",
        "bounds": "{}",
        "fees": '{"bps": 55}',
        "reason": "Down",
    }
    assert manager.post(page, asked).status_code == 302
    switch = ChannelSwitch.objects.get()
    assert (switch.on, switch.weight, switch.fees) == (False, 30, {"bps": 55})
    assert till.pay("alipay").channel == "stripe"
    entry = AuditEntry.objects.get(action="channelswitch.set")
    assert entry.before and entry.after
    assert (entry.before["on"], entry.after["on"], entry.reason) == (True, False, "Down")

    wrong = manager.post(page, {**asked, "fees": '{"bps": "many"}'})
    assert wrong.status_code == 422
    assert ChannelSwitch.objects.get().fees == {"bps": 55}


def test_a_breaker_is_moved_by_hand_and_for_a_reason(till: Till, manager: Client) -> None:
    pair = ("alipay", "alipay")
    open_breaker(pair)
    page = f"{ADDRESS}alipay/alipay/"
    assert "Probe now" in manager.get(page).text
    manager.post(page, {"breaker": "close", "reason": ""})
    assert breakers([pair])[pair].state == "open"
    manager.post(page, {"breaker": "probe", "reason": "They called"})
    assert breakers([pair])[pair].state == "half_open"
    manager.post(page, {"breaker": "close", "reason": "They called"})
    assert breakers([pair])[pair].state == "closed"


def test_a_policy_is_written_replayed_and_activated_by_a_second_person(till: Till, manager: Client) -> None:
    till.pay("alipay")
    assert manager.post(f"{ADDRESS}policies/", {**DRAFT, "rules": "[{}]"}).status_code == 422
    assert manager.post(f"{ADDRESS}policies/", DRAFT).status_code == 302
    page = f"{ADDRESS}policies/shop@1/"
    assert "rule big" in manager.get(f"{page}?replay=1").text
    manager.post(page, {"do": "activate", "reason": "Mine"})
    assert RoutingPolicy.objects.get().state == "DRAFT"

    other = person("other", "view_routingpolicy", "switch_channel")
    other.post(page, {"do": "activate", "reason": "Agreed"})
    assert routes.what_is_set().document.name == "shop@1"
    assert manager.get(page).status_code == 200
    other.post(page, {"do": "retire", "reason": "Enough"})
    assert RoutingPolicy.objects.get().state == "RETIRED"


def test_who_may_only_look_changes_nothing(till: Till) -> None:
    viewer, stranger = person("viewer", "view_routingpolicy"), person("stranger", "view_order")
    for address in ("", "codes/", "policies/", "alipay/alipay/"):
        assert viewer.get(ADDRESS + address).status_code == 200
        assert stranger.get(ADDRESS + address).status_code == 403
    assert viewer.post(f"{ADDRESS}alipay/alipay/", {"set": "1", "reason": "x"}).status_code == 403
    assert viewer.post(f"{ADDRESS}policies/", DRAFT).status_code == 403
    assert viewer.get(f"{ADDRESS}paypal/alipay/").status_code == 404
    assert viewer.get(f"{ADDRESS}policies/shop@9/").status_code == 404
    assert not ChannelSwitch.objects.exists()
    assert not RoutingPolicy.objects.exists()
