"""The figures of risk, its models and the limits of channels are read in Chinese, however they are stored."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from risk import selectors, starting
from risk.models import Advice, Alert, DayFigures, Decision, Policy, RiskModel
from risk.services.assess import assess
from risk.states import AdviceState
from tests.pages.test_console_words import english_in
from tests.risk.makers import facts
from tests.risk.test_model_pages import later

pytestmark = pytest.mark.django_db(transaction=True)
CHINESE = {"accept-language": "zh-hans"}
ALERTS: Mapping[tuple[str, str], dict[str, Any]] = {
    ("jump", "reject"): {"before": 0.02, "today": 0.41},
    ("jump_hour", "accept"): {"usual": 0.9, "now": 0.4},
    ("drift", "device.is_proxy"): {"index": 0.3141},
    ("roll_out_stopped", "rol_1"): {"false_positives": 20, "budget": 20},
    ("model_unusable", "default@1"): {
        "problem": "There is no model default@1. Train one, or take it out of the policy."
    },
    ("model_unusable", "default@2"): {"problem": "The model was not signed by this installation."},
    ("model_old", "default@3"): {"days": 97},
    ("rule_ending", "foreign_card"): {"days": 2},
    ("advice_refused", "not_plain_words"): {"model": "writer-2"},
}


def days_of_figures() -> None:
    """Five weeks: in the last one, inputs of every kind are spread otherwise than before."""
    before, now = (
        {
            "signal.card_count_1h": {"0": 300, "4 to 8": few, "1/8 to 1/4": 20, "-4 to 8": 9},
            "device.is_proxy": {"yes": few, "no": 300},
            "device.ip_country": {"CN": 300, "US": few, "": 30},
            "instrument.brand": {"visa": few, "unknown": 300},
            "instrument.kind": {"bank_transfer": few, "card": 300, "other": 40},
            "payment.currency": {"CNY": 300, "USD": few},
            "signal.ip_count_1h": {"1 to 2": 300},
            "velocity.device": {"0": 3},
        }
        for few in (20, 900)
    )
    today = timezone.localdate()
    DayFigures.objects.bulk_create(
        DayFigures(
            counted_on=today - timedelta(days=age),
            actions={"accept": 300, "challenge": 9, "review": 6, "reject": 3},
            inputs=before if age > 7 else now,
        )
        for age in range(35)
    )
    for (kind, subject), detail in ALERTS.items():
        Alert.objects.create(kind=kind, subject=subject, raised_on=today, detail=detail)
    with transaction.atomic():
        decided = assess(facts=facts())
    row = Advice.objects.create(decision=selectors.decision_row(decided.decision))
    Advice.objects.filter(pk=row.pk).update(
        state=str(AdviceState.REFUSED), fault="not_plain_words", finished_at=timezone.now()
    )


def own_model() -> str:
    card = {
        "source": "file days.csv",
        "simulated": True,
        "first_day": "2024-10-04",
        "last_day": "2024-11-14",
        "signals": 218,
        "payments": 3000,
        "frauds": 90,
        "later": {**later(), "influence": {"ip": 0.4, "time": 0.2, "challenge": 0.1, "sku": 0.1}},
        "for": "Ranking payments for challenge and review. Not for refusing a person anything by itself.",
    }
    sealed = dict.fromkeys(("text", "digest", "key", "signature"), "")
    return str(RiskModel.objects.create(name="own", version=1, schema=[], card=card, **sealed))


def test_figures_are_read_in_chinese(admin_client: Client) -> None:
    days_of_figures()
    page = reverse("risk-figures")
    assert english_in(admin_client, page) == set()
    said = admin_client.get(page, headers=CHINESE).text
    for words in ("4 至 8：", "1/8 至 1/4：", "是：", "美国：", "USD：", "银行转账：", "拒绝"):
        assert words in said, words
    assert "<code>signal.card_count_1h</code>" in said.replace(' class="break-all"', "")
    assert "找不到模型 default@1" in said and "模型并非由本系统签名" in said
    english = admin_client.get(page, headers={"accept-language": "en"}).text
    assert "4 to 8: " in english and "There is no model default@1. Train one" in english


def test_what_is_stored_does_not_depend_on_the_reader(admin_client: Client) -> None:
    days_of_figures()
    name = own_model()
    kept = [
        list(DayFigures.objects.values()),
        list(Alert.objects.values()),
        RiskModel.objects.get(name="own").card,
    ]
    for page in (reverse("risk-figures"), reverse("risk-model", kwargs={"model": name})):
        admin_client.get(page, headers=CHINESE)
    assert kept == [
        list(DayFigures.objects.values()),
        list(Alert.objects.values()),
        RiskModel.objects.get(name="own").card,
    ]


def test_models_are_read_in_chinese(admin_client: Client) -> None:
    shipped = RiskModel.objects.get()
    names = [str(shipped), own_model()]
    pages = [reverse("risk-model", kwargs={"model": name}) for name in names]
    pages += [reverse("admin:risk_riskmodel_changelist")]
    pages += [reverse("admin:risk_riskmodel_change", args=[row.pk]) for row in RiskModel.objects.all()]
    assert {page: found for page in pages if (found := english_in(admin_client, page))} == {}
    of_shipped, own = (admin_client.get(page, headers=CHINESE).text for page in pages[:2])
    assert "生成的店铺 1" in of_shipped and "文件 days.csv" in own
    for plot in ("curve", "calibration", "histogram", "weeks"):
        assert f'data-testid="plot-{plot}"' in own, "nothing of it is left out"
    assert "2024-10-04：" in own and "0.05：" in own


def test_notes_that_ship_are_read_in_chinese_and_others_as_they_were_written(admin_client: Client) -> None:
    shipped = Policy.objects.get(state="ACTIVE")
    Policy.objects.filter(pk=Policy.objects.exclude(pk=shipped.pk).first().pk).update(note="Ana's for autumn")  # type: ignore[union-attr]
    pages = [reverse("risk-policies"), reverse("risk-policy", kwargs={"policy": shipped})]
    pages.append(reverse("admin:risk_policy_changelist"))
    for page in pages:
        said = admin_client.get(page, headers=CHINESE).text
        assert "随程序提供" in said and "Ships with the program" not in said, page
        assert "Ships with the program" in admin_client.get(page, headers={"accept-language": "en"}).text
    assert "Ana&#x27;s for autumn" in admin_client.get(pages[0], headers=CHINESE).text


def test_limits_name_channels_and_methods_as_the_reader_does(admin_client: Client) -> None:
    row = Policy.objects.get(state="ACTIVE")
    ceilings = {"bank_transfer": {"payment": 100, "day": 100}, "stripe": {"month": 200}}
    limit = {"payment": 10**9, "day": 10**9, "channels": ceilings}
    Policy.objects.filter(pk=row.pk).update(state="RETIRED")
    Policy.objects.create(
        name="limited",
        version=1,
        rules=starting.RULES,
        thresholds=starting.THRESHOLDS,
        limits={"0": limit},
        rates=starting.RATES,
        state="ACTIVE",
        created_by="tests",
    )
    with translation.override("zh-hans"), transaction.atomic():
        over = assess(facts=replace(facts(kind="bank_transfer"), channel="stripe"))
    stored = Decision.objects.get()
    assert {one["params"].get("channel") for one in stored.reasons} == {"bank_transfer", "stripe"}
    assert "through Bank transfer" in stored.explanation and "through Stripe" in stored.explanation
    chinese = selectors.decision(over.decision, locale="zh-hans")
    said = " ".join(one.text for one in chinese.reasons)
    assert "通过银行转账的单笔限额" in said and "通过 Stripe 累计" in said
    assert "通过银行转账的单笔限额" in chinese.explanation
    page = reverse("risk-policy", kwargs={"policy": "limited@1"})
    assert english_in(admin_client, page) == set()
    assert (
        "银行转账：单笔 ¥1.00、单日 ¥1.00；Stripe：单月 ¥2.00" in admin_client.get(page, headers=CHINESE).text
    )
