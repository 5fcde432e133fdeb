"""The console shows the books and changes nothing."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import reverse as url_of

from ledger import audit
from ledger.identifiers import decode
from ledger.models import Account, AuditEntry, AuditSeal, FxRate
from ledger.services.anchor_audit import anchor_audit
from tests.ledger.books import captured

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


def _page(console: Client, name: str, *arguments: object) -> str:
    answer = console.get(url_of(f"admin:ledger_{name}", args=arguments))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_transaction_opens_to_its_lines(console: Client) -> None:
    posted = captured(12345)
    assert posted.id in _page(console, "transaction_changelist")
    page = _page(console, "transaction_change", decode("txn", posted.id))
    assert page.count("CN¥123.45") == 2 and "receivable:stripe" in page


def test_accounts_stand_with_their_balances(console: Client) -> None:
    captured(12345)
    page = _page(console, "account_changelist")
    assert "-CN¥123.45" in page and "customer_prepayments" in page
    account = Account.objects.get(name="receivable:stripe")
    assert "CN¥123.45" in _page(console, "account_change", account.pk)


def test_the_audit_journal_is_listed(console: Client) -> None:
    with transaction.atomic():
        audit.attribute(actor="user:7")
        audit.record(action="order.cancel", object_id="ord_1")
    assert "order.cancel" in _page(console, "auditentry_changelist")
    assert "user:7" in _page(console, "auditentry_change", AuditEntry.objects.get(action="order.cancel").pk)


def _did(actor: str, object_id: str) -> None:
    with transaction.atomic():
        audit.attribute(actor=actor, reason=f"of {actor}")
        audit.record(action="test.done", object_id=object_id, before="OLD", after="NEW")


def test_the_audit_journal_is_narrowed_to_an_object_or_a_person(console: Client) -> None:
    _did("user:7", "ord_1")
    _did("user:8", "ord_2")
    for narrowed in ({"actor": "user:7"}, {"object_id": "ord_1"}, {"q": "ord_1"}):
        page = console.get(url_of("admin:ledger_auditentry_changelist"), narrowed).content.decode()
        assert "of user:7" in page and "old → new" in page and "of user:8" not in page


def test_the_audit_journal_names_the_person(console: Client) -> None:
    anna = get_user_model().objects.create_user("anna", first_name="Anna", last_name="Li")
    _did(f"user:{anna.pk}", "ord_1")
    assert f'title="user:{anna.pk}">Anna Li</a>' in _page(console, "auditentry_changelist")


def test_the_audit_journal_tells_of_its_chain(console: Client, settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_ANCHOR_DIR = str(tmp_path)
    _did("user:7", "ord_1")
    page = _page(console, "auditentry_changelist")
    assert "nothing yet" in page and "never" in page and ">late<" not in page
    head = AuditSeal.after(None, AuditEntry.objects.get(object_id="ord_1"))
    head.save(force_insert=True)
    assert "late" in _page(console, "auditentry_changelist")
    anchor_audit()
    page = _page(console, "auditentry_changelist")
    assert page.count("through seal 1") == 2 and head.hash in page and "never" not in page


@pytest.mark.parametrize("model", ["transaction", "account", "auditentry"])
def test_even_a_superuser_adds_changes_and_deletes_nothing(console: Client, model: str) -> None:
    captured()
    assert console.get(url_of(f"admin:ledger_{model}_add")).status_code == 403
    account = Account.objects.first()
    assert account is not None
    for view in ("change", "delete"):
        url = url_of(f"admin:ledger_account_{view}", args=[account.pk])
        assert console.post(url, {"name": "other"}).status_code == 403


def _record(console: Client, **told: str) -> str:
    form = {"base": "usd", "quote": "cny", "rate": "7.1234", "source": "bank"}
    form |= {"valid_since_0": "2026-03-01", "valid_since_1": "00:00:00"}
    answer = console.post(url_of("admin:ledger_fxrate_add"), form | told, follow=True)
    return answer.content.decode()


def test_a_rate_is_recorded_and_a_source_does_not_contradict_itself(console: Client) -> None:
    assert "The rate is recorded." in _record(console)
    assert "7.1234" in _page(console, "fxrate_changelist")
    assert AuditEntry.objects.get(action="fx_rate.record").actor.startswith("user:")
    refused = _record(console, rate="8")
    assert "name another source" in refused and 'value="8"' in refused  # and what was typed is still there
    assert "There is no" not in refused and "needs no rate" in _record(console, quote="usd")
    assert [row.rate for row in FxRate.objects.all()] == [Decimal("7.1234")]
