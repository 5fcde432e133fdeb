"""Which device and network risk is told of: only what says something of who asks."""

from typing import Any

import pytest

from risk.models import Decision
from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)


def device_of(guest: Caller) -> Any:
    placed = guest.order()
    assert guest.holding(placed).pay(placed, "alipay").status == 201
    return Decision.objects.filter(stage="payment").latest("pk").inputs["facts"]["device"]


def test_a_device_counts_once_its_cookie_comes_back_and_this_machine_is_no_network(guest: Caller) -> None:
    without = device_of(guest)
    assert (without["identifier"], without["ip"]) == ("", "")
    guest.http.get("/")
    guest.http.defaults["REMOTE_ADDR"] = "203.0.113.7"
    known = device_of(guest)
    assert known["identifier"] and known["ip"] == "203.0.113.0/24"
    assert device_of(guest)["identifier"] == known["identifier"]
