"""The work queue in the console."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from reconciliation.models import Discrepancy
from reconciliation.selectors import discrepancies_of
from tests.reconciliation.test_discrepancies import told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("first"))
    return client


def _act(console: Client, action: str, reason: str = "") -> str:
    keys = list(Discrepancy.objects.values_list("pk", flat=True))
    answer = console.post(
        reverse("admin:reconciliation_discrepancy_changelist"),
        {"action": action, "_selected_action": keys, "reason": reason},
        follow=True,
    )
    return answer.content.decode()


def test_each_step_goes_through_its_use_case(console: Client) -> None:
    told()
    assert "CN¥1.00" in _act(console, "take_up")
    assert "say why" in _act(console, "ask_for_write_off")
    _act(console, "ask_for_write_off", "too small")
    assert "somebody else must approve" in _act(console, "approve")
    console.force_login(get_user_model().objects.create_superuser("second"))
    _act(console, "approve")
    (closed,) = discrepancies_of("ord_1")
    assert (closed.state, closed.reason) == ("WRITTEN_OFF", "too small")
    url = reverse("admin:reconciliation_discrepancy_change", args=[Discrepancy.objects.get().pk])
    assert "too small" in console.get(url).content.decode()


def test_nothing_is_edited_by_hand(console: Client) -> None:
    told()
    url = reverse("admin:reconciliation_discrepancy_change", args=[Discrepancy.objects.get().pk])
    assert console.post(url, {"reason": "x"}).status_code == 403
    assert console.get(reverse("admin:reconciliation_discrepancy_add")).status_code == 403
