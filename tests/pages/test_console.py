"""The console's frame: its pages are found, and shown to those who may see them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

pytestmark = pytest.mark.django_db


def test_sidebar_leads_to_the_work_queues(admin_client: Client) -> None:
    page = admin_client.get("/console/")
    assert page.status_code == 200
    for address in ("payments/review/", "payments/payment/", "payments/refund/", "ledger/transaction/",
                    "ledger/auditentry/", "discrepancies/", "risk/policy/"):  # fmt: skip
        assert f'href="/console/{address}"' in page.text


def test_sidebar_shows_only_what_one_may_see(django_user_model: Any) -> None:
    person = django_user_model.objects.create_user("support", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_payment"))
    client = Client()
    client.force_login(person)
    page = client.get("/console/").text
    assert 'href="/console/payments/payment/"' in page
    assert 'href="/console/risk/policy/"' not in page
