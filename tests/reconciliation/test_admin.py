"""The table of discrepancies in the console: to be read, and never written."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from reconciliation.models import Discrepancy
from tests.reconciliation.test_discrepancies import told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("first"))
    return client


def test_the_table_leads_to_the_work(console: Client) -> None:
    found = told()
    page = console.get(reverse("admin:reconciliation_discrepancy_changelist")).text
    assert "CN¥1.00" in page
    assert reverse("discrepancy", args=[found.id]) in page


def test_nothing_is_edited_by_hand(console: Client) -> None:
    told()
    url = reverse("admin:reconciliation_discrepancy_change", args=[Discrepancy.objects.get().pk])
    assert console.post(url, {"reason": "x"}).status_code == 403
    assert console.get(reverse("admin:reconciliation_discrepancy_add")).status_code == 403
