"""Stored codes are said in words wherever the console shows them, in both languages."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.utils import flatten, flatten_fieldsets, label_for_field
from django.db import transaction
from django.db.models import Field, Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

import checkout.states
import payments.states
import reconciliation.states
import risk.states
from config.home.work import QUEUES
from ledger import acts, audit
from ledger.admin import ReadOnly
from ledger.admin.frame import Record
from ledger.audit import StateAudit
from ledger.identifiers import new_key
from ledger.models.days import CLOSE_REFUSED
from ledger.rules import Kind
from ledger.wording import in_words
from payments.breakers import close_breaker, open_breaker
from reconciliation.stuck import every_kind
from risk.facts import BehaviourFacts
from risk.models import Policy
from risk.services.ask_back_test import ask_back_test
from risk.services.assess import assess
from risk.services.draft_policy import draft_policy
from risk.services.expire_case import expire_case
from risk.services.keep_expectation import keep_expectation
from risk.services.note_respondent import note_respondent
from tests.ledger.books import captured
from tests.pages import days
from tests.pages.messages import OURS, ROOT, pages_of_rows, shown
from tests.risk.makers import listed, review_everybody
from tests.risk.test_graph import shopper

# Said like that in Chinese, too.
NAMES = re.compile(r"Apple Pay|Visa|Stripe|3-D Secure|IP|UTC|API|SKU|Webhook")
# Fields of codes that do not list them.
UNLISTED = {"method", "channel", "brand", "risk_level", "ListEntry.source", "Discrepancy.source"}
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
    named = {name, f"{model.__name__}.{name}"}
    return bool(named & UNLISTED) or any(value == label for value, label in known[name].flatchoices)


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


def acted() -> Iterator[str]:
    """All that the audit journal says was done: what use cases put on record, and what triggers do."""
    for path in (one for app in OURS for one in (ROOT / app).rglob("*.py") if "migrations" not in one.parts):
        for word in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(word, ast.keyword)
                and word.arg == "action"
                and isinstance(word.value, ast.Constant)
            ):
                yield str(word.value.value)
    for model in apps.get_models():
        if any(isinstance(one, StateAudit) for one in getattr(model._meta, "triggers", ())):
            yield f"{model._meta.model_name}.state"
    yield from (CLOSE_REFUSED, "breaker.open", "breaker.close", "breaker.probe")


def test_every_act_has_words_in_both_languages() -> None:
    found = {action for action in acted() if "." in action}
    assert len(found) > 70
    named = {action.partition(".")[0] for action in found}, {action.partition(".")[2] for action in found}
    assert (acts.THINGS.keys() - named[0], acts.DEEDS.keys() - named[1]) == (set(), set()), "nobody does that"
    with translation.override("en"):
        assert [action for action in found if re.search("[_.]", acts.in_words(action))] == []
        assert acts.in_words("riskcase.state") == "risk case"
    with translation.override("zh-hans"):
        assert {a for a in found if re.search("[A-Za-z]", NAMES.sub("", acts.in_words(a)))} == set()


@pytest.mark.parametrize("app", OURS)
def test_tables_and_columns_have_chinese_names(app: str) -> None:
    """Of pages, of the tables within them, of columns, fields and filters."""
    with translation.override("zh-hans"):
        named = {str(apps.get_app_config(app).verbose_name)}
        for page in pages_of_rows():
            if page.model._meta.app_label == app:
                meta = page.opts
                plural = (
                    page.verbose_name_plural
                    if hasattr(page, "verbose_name_plural")
                    else meta.verbose_name_plural
                )
                named |= {str(meta.verbose_name), str(plural)}
                named |= {str(title) for title, _ in page.fieldsets or () if title}
                named |= {
                    str(label_for_field(name, page.model, page, form=page.form)) for name in labelled(page)
                }
    assert {name for name in named if re.search("[A-Za-z]", NAMES.sub("", name))} == set()


def labelled(page: Any) -> list[str]:
    """What a form asks for besides is called by the form."""
    asked = set(getattr(page.form, "declared_fields", ()))
    return [name for name in shown(page) if name not in asked]


@pytest.mark.parametrize("app", OURS)
def test_no_page_of_a_row_is_headed_by_a_code(app: str) -> None:
    found = set()
    for page in pages_of_rows():
        model, state = page.model, "state" in {field.name for field in page.model._meta.fields}
        if isinstance(page, ModelAdmin) and model._meta.app_label == app:
            assert isinstance(page, Record), model
            for code, _ in model._meta.get_field("state").flatchoices if state else ():
                row = model(**{"state": code, model._meta.pk.name: new_key()})
                with translation.override("zh-hans"):
                    found |= {
                        title
                        for title in [page.title_of(row)]
                        if code in title or in_words(code) not in title
                    }
    assert found == set()


def words_of(client: Client, address: str, language: str) -> str:
    answer = client.get(f"/console/{address}/", headers={"accept-language": language})
    assert answer.status_code == 200, address
    page = re.sub(r"<(script|style).*?</\1>", " ", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.mark.django_db
def test_the_page_of_a_payment_is_headed_by_its_number_and_its_state_in_words(admin_client: Client) -> None:
    [row] = days.payments(timezone.now() - timedelta(minutes=1), SUCCEEDED=1)
    address = f"payments/payment/{row.pk}/change"
    english, chinese = (words_of(admin_client, address, language) for language in ("en", "zh-hans"))
    for page, state in ((english, "succeeded"), (chinese, "成功")):
        title = f"{row.public_id} · {state}"
        assert page.count(title) == 2, "the tab of the browser and the heading"
    assert not re.search("SUCCEEDED|Pay_", english + chinese)
    assert "编号" in chinese and "Public id" not in english + chinese


@pytest.mark.django_db
def test_breakers_and_the_audit_journal_speak_both_languages(admin_client: Client) -> None:
    with transaction.atomic():
        audit.record(action="riskcase.state", object_id="case_1", before="OPEN", after="ESCALATED")
    open_breaker(("stripe", "card"))
    try:
        english, chinese = (
            [words_of(admin_client, one, language) for one in ("payments/channels", "ledger/auditentry")]
            for language in ("en", "zh-hans")
        )
    finally:
        close_breaker(("stripe", "card"))
    assert "断开" in chinese[0] and "闭合" in chinese[0] and "open" in english[0] and "closed" in english[0]
    assert "风险案件" in chinese[1] and "Risk case open → escalated" in english[1]
    assert "riskcase.state" not in chinese[1] + english[1]


@pytest.mark.django_db
def test_codes_are_chosen_by_their_words(admin_client: Client) -> None:
    page = words_of(admin_client, "risk/listentry/add", "zh-hans")
    assert "灰" in page and not re.search(r"\b(grey|black|device)\b", page)


@pytest.mark.django_db
def test_a_list_of_payments_in_both_languages(admin_client: Client) -> None:
    now = timezone.now()
    days.payments(now - timedelta(minutes=1), SUCCEEDED=1, IN_REVIEW=1)
    captured()
    said = {
        (language, name): words_of(admin_client, name, language)
        for language in ("en", "zh-hans")
        for name in ("payments/payment", "ledger/account")
    }
    english, chinese = said["en", "payments/payment"], said["zh-hans", "payments/payment"]
    assert "succeeded" in english and "waits for a person" in english and "Card" in english
    assert "成功" in chinese and "等待人工处理" in chinese and "银行卡" in chinese
    assert not re.search("SUCCEEDED|IN_REVIEW|AWAITING", english + chinese)
    assert "资产" in said["zh-hans", "ledger/account"] and "asset" in said["en", "ledger/account"]


# Three English words or more in a row.
ENGLISH = re.compile(r"[A-Za-z][a-z'’-]*(?:[ ,:.;]+[A-Za-z][a-z'’-]*){2,}")
# What a customer was seen with, as risk's facts call it.
ENTITY = re.compile(r"\b(customer|card|device|e-?mail|phone|address|network)\b")


def english_in(client: Client, address: str) -> set[str]:
    """What a Chinese page says in English."""
    answer = client.get(address, headers={"accept-language": "zh-hans"})
    assert answer.status_code == 200, address
    return english_of(answer.text)


def english_of(page: str) -> set[str]:
    """To those who see it, and to those who have it read to them."""
    page = re.sub(r"<(script|style|code|pre|textarea)\b.*?</\1>", "|", page, flags=re.DOTALL)
    page = re.sub(r'<(\w+) lang="en">.*?</\1>', "|", page, flags=re.DOTALL)
    page = page[page.index('<div id="content"') :]
    said = [*re.split(r"<[^>]*>", page), *re.findall(r'(?:aria-label|title|placeholder)="([^"]*)"', page)]
    words = {re.sub(r"\s+", " ", one).strip() for one in said}
    return {one for one in words if ENGLISH.search(one) or ENTITY.search(one)}


def a_ring() -> list[str]:
    """Cases of two customers with one card that is on a list: one decided too late, two that wait."""
    review_everybody()
    listed(
        kind="grey", entity="card", value="fp_x", reason="查过", actor="user:1", label="4242", source="review"
    )
    conduct = BehaviourFacts(seconds_on_page=7, keystrokes=9, keystroke_ms=80, pastes=2, address_changes=1)
    with transaction.atomic():
        asked = [
            replace(shopper(n, card="fp_x"), subject=f"pay_{m}", behaviour=conduct)
            for m, n in enumerate((1, 1, 2))
        ]
        cases = [assess(facts=one).case for one in asked]
        expire_case(case=cases[0])
        note_respondent(case=cases[2], respondent={"kinds": ["passkey", "email", "captcha"]})
    return cases


@pytest.mark.django_db(transaction=True)
def test_policies_are_read_in_chinese(admin_client: Client) -> None:
    now = Policy.objects.get(state="ACTIVE")
    drafted = draft_policy(
        name="autumn",
        rules=[{**now.rules[0], "weight": 25, "action": "challenge"}, *now.rules[1:]],
        thresholds=now.thresholds,
        limits=now.limits,
        rates=now.rates,
        model=now.model,
        actor="user:77",
    )
    keep_expectation(
        policy="autumn",
        label="大额",
        actor="user:77",
        example={"amount": 800_000},
        must="action",
        value="review",
    )
    asked = ask_back_test(policy=drafted, days=30, actor="user:77")
    pages = [reverse("risk-policies"), reverse("risk-policy", kwargs={"policy": drafted})]
    pages.append(reverse("risk-back-test", kwargs={"back_test": asked}))
    said = {page: english_in(admin_client, page) - {now.note} for page in pages}
    assert {page: found for page, found in said.items() if found} == {}
    assert "与当前生效的" in admin_client.get(pages[1], headers={"accept-language": "zh-hans"}).text


@pytest.mark.django_db(transaction=True)
def test_risk_cases_are_read_in_chinese(admin_client: Client) -> None:
    cases = a_ring()
    pages = [reverse("review-queue"), reverse("review-people"), reverse("risk-devices")]
    pages += [reverse("review-case", kwargs={"case": one}) for one in cases]
    with translation.override("zh-hans"):
        assert {page: found for page in pages if (found := english_in(admin_client, page))} == {}
    chinese = {"accept-language": "zh-hans"}
    late, last = (admin_client.get(pages[number], headers=chinese).text for number in (3, -1))
    for test_id in ("hits", "ring", "ring-form", "behaviour", "graph-words", "challenge"):
        assert f'data-testid="{test_id}"' in last, "nothing of it is left out"
    assert "此客户" in last and "系统: 无人按时处理" in late
    refused = admin_client.post(pages[3], {"do": "claim"}, headers=chinese, follow=True).text
    assert "无人按时处理，支付已放弃" in refused and english_in(admin_client, pages[3]) == set()
