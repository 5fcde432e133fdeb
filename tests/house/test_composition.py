"""Dotted paths, translations, roles and the policies that browsers are told."""

import gettext
import json
import os
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from config import people
from config.checks import check_dotted_paths
from config.translations import compile_into

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Cart"
msgstr "购物车"

#, fuzzy
msgid "Not sure"
msgstr "不确定"
"""


def test_a_dotted_path_that_leads_nowhere_is_named(settings: Settings) -> None:
    settings.EVENT_HANDLERS = {"payment.succeeded": ["checkout.handlers.nobody", "json.dumps"]}
    settings.INVARIANTS = ["nowhere.check"]
    found = [error.msg for error in check_dotted_paths(None)]
    assert any(words.startswith("EVENT_HANDLERS names checkout.handlers.nobody") for words in found)
    assert any(words.startswith("INVARIANTS names nowhere.check") for words in found)
    assert not any("json.dumps" in words for words in found)


def test_translations_are_compiled_without_gettext(tmp_path: Path) -> None:
    po = tmp_path / "source" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    po.parent.mkdir(parents=True)
    po.write_text(PO, encoding="utf-8")
    assert compile_into(tmp_path / "source", tmp_path / "target") == 1
    assert compile_into(tmp_path / "source", tmp_path / "target") == 0
    words = gettext.translation("django", tmp_path / "target", ["zh_Hans"])
    assert (words.gettext("Cart"), words.gettext("Not sure")) == ("购物车", "Not sure")
    os.utime(po, (po.stat().st_atime, po.stat().st_mtime + 10))
    assert compile_into(tmp_path / "source", tmp_path / "target") == 1


@pytest.mark.django_db(transaction=True)
def test_seeding_twice_makes_the_people_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "DATA_DIR", tmp_path)
    call_command("seed", demo=True)
    assert not User.objects.get(username="admin").has_usable_password()
    (tmp_path / "sign-ins.json").write_text(json.dumps({person.user: "pass" for person in people.PEOPLE}))
    call_command("seed", demo=True)
    call_command("seed", demo=True)
    assert User.objects.count() == len(people.PEOPLE)
    assert Group.objects.count() == len(people.ROLES)
    assert Client().login(username="finance", password="pass")
    customer, analyst = (User.objects.get(username=name) for name in ("demo", "analyst"))
    assert (customer.is_staff, analyst.is_staff, analyst.is_superuser) == (False, True, False)
    assert analyst.has_perm("payments.view_payment")
    assert not analyst.has_perm("ledger.view_entry")
    assert not analyst.has_perm("payments.change_payment")


@pytest.mark.django_db
def test_pages_allow_nothing_inline_and_the_console_only_its_own(client: Client) -> None:
    shop = _policy(client.get("/docs/errors").headers["Content-Security-Policy"])
    assert "unsafe" not in str(shop)
    assert shop["default-src"] == ["'none'"]
    assert shop["script-src"] == [
        "'self'",
        "https://js.stripe.com",
        "https://*.js.stripe.com",
        "https://hooks.stripe.com",
    ]
    console = _policy(client.get("/console/login/").headers["Content-Security-Policy"])
    assert console["script-src"] == ["'self'", "'unsafe-eval'"]
    assert console["frame-ancestors"] == ["'self'"]
    answer = _policy(client.get("/api/v1/catalogue").headers["Content-Security-Policy"])
    assert answer == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


def _policy(header: str) -> dict[str, list[str]]:
    parts = (part.split() for part in header.split(";"))
    return {name: values for name, *values in parts}
