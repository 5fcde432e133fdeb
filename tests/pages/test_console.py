"""The console's frame: its pages are found, and shown to those who may see them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format

from tests.pages.messages import ROOT

pytestmark = pytest.mark.django_db
STYLES = ("unfold/css/styles.css", "config/console.css")


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


@pytest.mark.parametrize(
    ("address", "staff", "lands"),
    [("/console/login/", True, "/console/"), ("/sign-in/", False, "/orders/"),
     ("/console/login/?next=/console/stuck/", True, "/console/stuck/")],
)  # fmt: skip
def test_signing_in_leads_to_where_one_works(
    django_user_model: Any, address: str, staff: bool, lands: str
) -> None:
    django_user_model.objects.create_user("sam", password="porter-1", is_staff=staff)
    page = Client().post(address, {"username": "sam", "password": "porter-1"})
    assert (page.status_code, page.headers.get("Location")) == (302, lands)


def test_a_customer_does_not_enter_the_console(django_user_model: Any) -> None:
    django_user_model.objects.create_user("mei", password="lin-123")
    page = Client().post("/console/login/", {"username": "mei", "password": "lin-123"})
    assert (page.status_code, "_auth_user_id" in page.client.session) == (200, False)


def test_every_class_of_our_pages_is_in_a_stylesheet() -> None:
    """unfold ships the classes that its own pages use; what ours need besides is in console.css."""
    css = "".join(Path(str(finders.find(name))).read_text() for name in STYLES)
    known = {name.replace("\\", "") for name in re.findall(r"\.((?:\\.|[\w-])+)", css)}
    unknown = {
        f"{path.name}: {name}"
        for folder in ("ledger", "payments", "reconciliation", "risk", "config/home")
        for path in (ROOT / "templates" / folder).glob("*.html")
        for names in re.findall(r'class="([^"]*)"', re.sub(r"{%.*?%}|{{.*?}}", " ", path.read_text()))
        for name in names.split()
        if name not in known
    }
    assert unknown == set()


def test_english_days_can_be_read_one_way_only() -> None:
    moment = datetime(2026, 11, 2, 15, 4, tzinfo=UTC)
    with translation.override("en"):
        assert date_format(moment, "SHORT_DATETIME_FORMAT") == "2026-11-02 15:04 UTC"
        assert date_format(moment, "DATETIME_FORMAT") == "2 Nov 2026, 15:04 UTC"
