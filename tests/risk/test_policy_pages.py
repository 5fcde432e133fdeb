"""The console's pages of policies, through HTTP: drafted, tried, switched by a second person, taken back, watched."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.db import transaction
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError

from ledger.identifiers import first_key_of
from risk import starting_v3
from risk.models import Alert, BackTest, DayFigures, Decision, Policy, Reader, RollOut
from risk.services import take_day_figures as taking
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from risk.services.draft_policy import draft_policy
from risk.services.judge_along import judge_along
from risk.services.resume_back_tests import resume_back_tests
from risk.services.take_day_figures import take_day_figures
from risk.services.watch_jumps import watch_jumps
from tests.reconciliation.operators import person
from tests.risk.makers import facts

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/console/risk/policies/"
LAST = len(starting_v3.RULES)  # where a new rule is added


def asked(subject: str, amount: int = 10_000, **others: Any) -> Any:
    with transaction.atomic():
        return assess(facts=facts(amount, subject=subject, customer=f"cus_{subject}", **others))


@pytest.fixture(autouse=True)
def decided() -> None:
    for n in range(3):
        asked(f"pay_{n}")
    asked("pay_us", 500_000, to="US")


def form(page: str) -> dict[str, str]:
    """What the page's form holds, as a browser would send it."""
    held = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*?value="([^"]*)"', page))
    held |= {
        name: value for value, name in re.findall(r'<input[^>]*value="([^"]*)"[^>]*?name="([^"]+)"', page)
    }
    areas = re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\s*(.*?)</textarea>', page, re.DOTALL)
    chosen = re.findall(r'<select name="([^"]+)"(.*?)</select>', page, re.DOTALL)
    held |= {name: (re.findall(r'value="([^"]*)" selected', options) or [""])[0] for name, options in chosen}
    held |= dict(areas)
    unescaped = {"&quot;": '"', "&#x27;": "'", "&gt;": ">", "&lt;": "<", "&amp;": "&"}
    for entity, plain in unescaped.items():
        held = {name: value.replace(entity, plain) for name, value in held.items()}
    return {name: value for name, value in held.items() if not name.endswith("DELETE")}


def drafted(client: Client) -> str:
    given = form(client.get(f"{HOME}draft/").text) | {"do": "save", "note": "All above nothing"}
    new = {"id": "everything", "expression": "payment.amount >= 0", "weight": "70", "action": ""}
    given |= {
        f"rules-{LAST}-{name}": value for name, value in {**new, "en": "Everything.", "zh": "全部。"}.items()
    }
    answer = client.post(f"{HOME}draft/", given)
    assert answer.status_code == 302, re.findall(r'role="alert"[^>]*>([^<]+)', answer.text)
    return str(answer["Location"]).removeprefix(HOME).strip("/")


def test_a_rule_is_tried_before_it_is_saved_and_errors_stand_at_its_field() -> None:
    analyst = person("risk analyst")
    page = analyst.get(f"{HOME}draft/").text
    assert 'data-name="payment.amount_cny"' in page and "whole number" in page
    given = form(page) | {"note": "Tighter", "rules-0-expression": "payment.amount_cny >"}
    wrong = analyst.post(f"{HOME}draft/", given | {"do": "save"})
    assert wrong.status_code == 422 and "Rule large_amount: the expression can not be used" in wrong.text
    assert ">" + " " * 17 + "^</span></pre>" in wrong.text and "…ent.amount_cny &gt;" in wrong.text
    assert "Syntax error" not in wrong.text
    assert 'href="#rule-0"' in wrong.text and 'href="#rule-1"' not in wrong.text
    assert wrong.context["rules"].forms[0].errors["expression"] and Policy.objects.count() == 3
    unknown = analyst.post(
        f"{HOME}draft/", given | {"rules-0-expression": "payment.colour == 1", "do": "try"}
    )
    assert unknown.status_code == 422 and not unknown.context["rules"].forms[1].errors
    message = given | {"rules-0-expression": "true", "rules-0-en": "It is {payment.colour}."}
    assert analyst.post(f"{HOME}draft/", message).context["rules"].forms[0].errors["en"]
    tried = analyst.post(
        f"{HOME}draft/", given | {"rules-0-expression": "payment.amount == 10000", "do": "try"}
    )
    assert tried.status_code == 200 and Policy.objects.count() == 3
    assert ("large_amount", 3, 0) in tried.context["fired"]
    bad = analyst.post(
        f"{HOME}draft/", given | {"rules-0-expression": "true", "reject_from": "5", "do": "save"}
    )
    assert "medium_above" in bad.text and bad.status_code == 422


def test_only_what_changed_is_another_version_of_its_rule() -> None:
    assert drafted(person("risk analyst")) == "starting@4"
    row = Policy.objects.get(version=4)
    first = Policy.objects.get(version=3)
    assert [{**rule, "owner": ""} for rule in row.rules[:LAST]] == [
        {**rule, "owner": ""} for rule in first.rules
    ]
    assert {rule["owner"] for rule in row.rules} == {"riskanalyst"}
    assert row.thresholds == first.thresholds and row.limits == first.limits
    assert (row.rules[LAST]["id"], row.rules[LAST]["version"], row.note) == (
        "everything",
        1,
        "All above nothing",
    )


def test_four_eyes_through_the_pages_and_back_again() -> None:
    max_, ada, ana = person("risk manager"), person("administrator"), person("risk analyst")
    name = drafted(max_)
    page = f"{HOME}{name}/"
    assert "a second person has to switch it on" in max_.get(page).text
    refused = max_.post(page, {"do": "activate", "reason": "Mine"}, follow=True)
    assert "a second person has to switch it on" in refused.text
    assert ana.post(page, {"do": "activate", "reason": "x"}).status_code == 403
    assert Policy.objects.get(state="ACTIVE").version == 3
    assert "Done." in ada.post(page, {"do": "activate", "reason": "Fraud wave"}, follow=True).text
    assert asked("pay_7").policy == name
    home = max_.get(HOME).text
    assert "Return to starting@3" in home and "Fraud wave" in home
    assert ana.post(HOME, {"do": "return", "reason": "x"}).status_code == 403
    max_.post(HOME, {"do": "return", "reason": "Shoppers complain"})
    assert asked("pay_8").policy == "starting@3" and 'data-testid="return"' not in max_.get(HOME).text
    assert (
        ada.post(page, {"do": "nothing"}).status_code == 404
        and person("support").get(HOME).status_code == 403
    )


def test_a_roll_out_and_a_shadow_are_started_and_ended_on_its_page() -> None:
    max_, ana = person("risk manager"), person("risk analyst")
    name = drafted(ana)
    page = f"{HOME}{name}/"
    ana.post(page, {"do": "shadow"})
    judge_along(now=timezone.now())
    assert "4 decisions of others; the same answer in 0 % of them" in ana.get(page).text
    told = max_.post(page, {"do": "roll_out", "share": "all", "budget": "5", "reason": "x"}, follow=True).text
    assert "at most 100 per cent" in told
    max_.post(page, {"do": "roll_out", "share": "12.5", "budget": "5", "reason": "An eighth"})
    assert RollOut.objects.get().share == 1250
    assert "decides for 12.5 % of the customers; 0 of 5" in max_.get(HOME).text
    max_.post(page, {"do": "end", "reason": "Enough"})
    ana.post(page, {"do": "retire"})
    assert (RollOut.objects.get().state, Policy.objects.get(version=4).state) == ("FINISHED", "RETIRED")


def test_a_back_test_shows_how_far_it_is_and_what_came_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(asked: str) -> None:
        raise OperationalError("the broker is gone")

    monkeypatch.setattr("risk.tasks.do_back_test.delay", lost)
    ana = person("risk analyst")
    with transaction.atomic():
        decide_case(
            case=asked("pay_us", 500_000, to="US").case, approve=False, actor="user:9", reason="stolen"
        )
    started = ana.post(f"{HOME}{drafted(ana)}/", {"do": "back_test", "days": "180"})
    waiting = ana.get(started["Location"]).text
    assert 'role="progressbar"' in waiting and 'http-equiv="refresh"' in waiting
    assert resume_back_tests(now=timezone.now()) == 0
    assert resume_back_tests(now=timezone.now() + timedelta(minutes=1)) == 1
    done = ana.get(started["Location"]).text
    assert BackTest.objects.get().state == "DONE" and "progressbar" not in done
    assert "CN¥10,000.00" in done and "everything" in done  # two attempts at 5,000
    assert ana.get(f"{HOME}back-tests/bkt_1/").status_code == 404


def history(day: int, count: int, **changed: Any) -> None:
    """As many copies of a decision, so many days ago."""
    seed = Decision.objects.order_by("pk")[0]
    at = timezone.now() - timedelta(days=day)
    inputs = {**seed.inputs, "facts": {**seed.inputs["facts"], "currency": changed.pop("currency", "CNY")}}
    base = {f.attname: getattr(seed, f.attname) for f in Decision._meta.concrete_fields} | changed
    first = first_key_of(at).int
    copies = [
        Decision(**{**base, "id": UUID(int=first + n), "inputs": inputs, "created_at": at})
        for n in range(count)
    ]
    Decision.objects.bulk_create(copies)


def test_of_a_busy_shops_inputs_a_tenth_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_CHUNK", 50)
    monkeypatch.setattr(taking, "_LOOKED_AT", 5)
    Reader.objects.update_or_create(
        name="day_figures", defaults={"through": first_key_of(timezone.now() - timedelta(days=9))}
    )
    history(8, 150, currency="USD")
    history(2, 70, currency="EUR")
    before = timezone.now() - timedelta(hours=1)
    assert take_day_figures(now=before) == 220
    days = list(DayFigures.objects.order_by("counted_on"))
    assert [sum(day.actions.values()) for day in days] == [150, 70]
    # 20 after the last full chunk are looked at one by one.
    assert [day.inputs["payment.currency"] for day in days] == [{"USD": 150}, {"EUR": 70}]


def test_inputs_of_which_too_few_are_known_are_not_listed_as_moved() -> None:
    history(1, 30)
    assert take_day_figures(now=timezone.now() + timedelta(minutes=3))
    page = person("risk manager").get("/console/risk/figures/")
    assert "Too few decisions yet to compare these days." in page.text
    assert (page.context["moved"], page.context["too_few"] > 100) == ([], True)


def test_figures_count_each_decision_once_and_warn_of_a_jump_once_a_day() -> None:
    later = timezone.now() + timedelta(minutes=3)
    history(20, 500)
    history(1, 300, currency="USD")
    assert take_day_figures(now=later) == 804 and take_day_figures(now=later) == 0
    assert sum(sum(row.actions.values()) for row in DayFigures.objects.all()) == 804
    history(0, 300, action="reject")
    Reader.objects.update(through=first_key_of(timezone.now() - timedelta(hours=1)))
    DayFigures.objects.latest("counted_on").delete()
    take_day_figures(now=later)
    with structlog.testing.capture_logs() as logs:
        given = watch_jumps(now=timezone.now())
        assert watch_jumps(now=timezone.now()) == 0
    told = {(one["kind"], one["subject"]) for one in logs if one["event"] == "risk.alert"}
    assert len(told) == given == Alert.objects.count()
    assert {("jump", "reject"), ("jump", "accept"), ("drift", "payment.currency")} <= told
    assert ("drift", "device.is_proxy") not in told
    page = person("risk manager").get("/console/risk/figures/")
    assert page.status_code == 200 and "payment.currency" in page.text and "CNY: 1000" in page.text
    assert re.search(r"[\d.]+ % today, 0 % in the weeks before", page.text)
    assert 0 < len(page.context["moved"]) <= 20


def test_who_switches_a_policy_on_sees_all_that_it_says_and_what_would_change() -> None:
    changed = {**starting_v3.RULES[0], "weight": 25}
    level: Any = {
        "payment": 100_000,
        "day": 200_000,
        "attempts_per_minute": 3,
        "channels": {"alipay": {"day": 15_000}},
    }
    name = draft_policy(
        name="stricter",
        rules=[changed, {**changed, "id": "again"}, *starting_v3.RULES[2:]],
        thresholds={**starting_v3.THRESHOLDS, "challenge_above": 35},
        limits={**starting_v3.LIMITS, "1": level},
        rates={**starting_v3.RATES, "USD": "7.3"},
        model={**starting_v3.MODEL, "points": [[200_000, 20]]},
        actor="user:77",
    )
    manager = person("risk manager")
    page = manager.get(f"{HOME}{name}/")
    said = dict(page.context["figures"])
    assert said["Limits of level 1"] == (
        "CN¥1,000.00 a payment, CN¥2,000.00 a day, 3 attempts a minute; Alipay: CN¥150.00 a day"
    )
    assert (said["Model"], said["Points of the model"]) == ("generated@1", "20 from 20 %")
    assert said["The model asks for a challenge"] == "from 75 %, above CN¥200.00"
    assert "USD 7.3" in said["CNY for one unit"] and "USD 7.3" in page.text
    found = {one.title: one for one in page.context["differences"]}
    assert set(found) == {
        "Rule large_amount",
        "Rule new_customer",
        "Rule again",
        "Challenged above a score of",
        "Points of the model",
        "Limits of level 1",
        "CNY for one unit",
    }
    assert [part.pieces for part in found["Challenged above a score of"].parts] == [
        [("-", "40"), ("+", "35")]
    ]
    assert [(part.name, part.pieces) for part in found["Rule large_amount"].parts] == [
        ("Weight", [("-", "+20"), ("+", "+25")])
    ]
    assert found["Rule again"].is_new and found["Rule new_customer"].is_left_out
    assert found["CNY for one unit"].parts[0].pieces[1:] == [("-", "7.1"), ("+", "7.3")], (
        "words of a long text"
    )
    assert str(starting_v3.RULES[2]["message"]["zh"]) in page.text, "and what a rule tells people"
    assert "which decides now" in page.text and "left out here" in page.text and "only here" in page.text
    same = manager.get(f"{HOME}starting@3/")
    assert same.context["deciding"] is None and 'data-testid="differences"' not in same.text
