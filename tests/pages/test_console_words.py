"""Stored codes are said in words wherever the console shows them, in both languages."""

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.db.models import Field, Model
from django.test import Client
from django.utils import timezone, translation

import checkout.states
import payments.states
import reconciliation.states
import risk.states
from config.home.work import QUEUES
from ledger.admin import ReadOnly
from ledger.rules import Kind
from ledger.wording import in_words
from reconciliation.stuck import every_kind
from tests.ledger.books import captured
from tests.pages import days

OURS = ("ledger", "payments", "risk", "reconciliation", "checkout")
# Said like that in Chinese, too.
NAMES = re.compile(r"Apple Pay|Visa|Stripe|3-D Secure|IP")
# Fields of codes that do not list them.
UNLISTED = {"method", "channel", "brand", "risk_level"}
# Never shown to a person in the console.
UNSAID = {"RepairKind", "SightingKind", "TotalPart", "Explanation", "Must", "OutcomeKind", "NotificationKind"}


def codes() -> Iterator[str]:
    for states in (checkout.states, payments.states, reconciliation.states, risk.states):
        for name, one in vars(states).items():
            if isinstance(one, type) and issubclass(one, Enum) and name not in UNSAID:
                yield from (str(code.value) for code in one)
    yield from (*settings.CHANNELS, *Kind, "visa", "mastercard", "amex")


def test_every_code_has_words_in_both_languages() -> None:
    found = set(codes())
    assert len(found) > 100
    with translation.override("en"):
        assert [
            code
            for code in found
            if "_" in in_words(code) or (in_words(code).isupper() and in_words(code) != "SMS")
        ] == []
    with translation.override("zh-hans"):
        assert {code for code in found if re.search("[A-Za-z]", NAMES.sub("", in_words(code)))} == set()


def test_kinds_of_stuck_money_and_queues_have_chinese_titles() -> None:
    with translation.override("zh-hans"):
        titles = [str(kind.title) for kind in every_kind()] + [str(queue.title) for queue in QUEUES]
    assert [title for title in titles if re.search("[A-Za-z]", title)] == []


def is_code(model: type[Model], name: Any) -> bool:
    """A field whose choices are called as they are stored."""
    known: dict[str, Field[Any, Any]] = {one.name: one for one in model._meta.fields}
    if not isinstance(name, str) or name not in known:
        return False
    return name in UNLISTED or any(value == label for value, label in known[name].flatchoices)


@pytest.mark.parametrize("app", OURS)
def test_no_list_shows_or_filters_by_a_code(app: str) -> None:
    raw = {
        f"{model.__name__}.{name}"
        for model in apps.get_app_config(app).get_models()
        if isinstance(admin := site._registry.get(model), ModelAdmin)
        for shown in (admin, *(inline(model, site) for inline in admin.inlines))
        for name in (
            *getattr(shown, "list_display", ()),
            *getattr(shown, "list_filter", ()),
            *shown_in(shown),
        )
        if is_code(shown.model, name)
    }
    assert raw == set()


def shown_in(admin: Any) -> list[Any]:
    """The fields of a page that is only read."""
    shown = [*flatten(admin.fields or ()), *flatten_fieldsets(admin.fieldsets or ())]
    return shown if isinstance(admin, ReadOnly) else []


@pytest.mark.django_db
def test_a_list_of_payments_in_both_languages(admin_client: Client) -> None:
    now = timezone.now()
    days.payments(now - timedelta(minutes=1), SUCCEEDED=1, IN_REVIEW=1)
    captured()
    said = {}
    for language in ("en", "zh-hans"):
        for name in ("payments/payment", "ledger/account"):
            page = admin_client.get(f"/console/{name}/", headers={"accept-language": language}).text
            page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
            said[language, name] = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    english, chinese = said["en", "payments/payment"], said["zh-hans", "payments/payment"]
    assert "succeeded" in english and "waits for a person" in english and "Card" in english
    assert "成功" in chinese and "等待人工处理" in chinese and "银行卡" in chinese
    assert not re.search("SUCCEEDED|IN_REVIEW|AWAITING", english + chinese)
    assert "资产" in said["zh-hans", "ledger/account"] and "asset" in said["en", "ledger/account"]
