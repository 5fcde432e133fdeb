"""The editor of policies, files of list entries, changes of the lists and what they refuse are read in Chinese."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from ledger.models import AuditEntry
from ledger.sentences import Sentence
from ledger.wording import said
from risk.models import (
    BackTest,
    Device,
    Expectation,
    Freeze,
    ListChange,
    ListEntry,
    ListImport,
    Policy,
    PolicySwitch,
    RollOut,
)
from risk.services.draft_policy import draft_policy
from risk.services.import_list import import_list
from risk.services.keep_expectation import keep_expectation
from risk.states import ListKind
from tests.pages.messages import wanted
from tests.pages.test_console_words import ENGLISH, english_in, english_of
from tests.pages.test_translations import catalogue, forms
from tests.risk.makers import listed
from tests.risk.test_devices import ask, at
from tests.risk.test_list_import import COLUMNS, GOOD, file
from tests.risk.test_policy_pages import form

pytestmark = pytest.mark.django_db(transaction=True)

_BY_HAND = "I looked, too"  # why somebody confirmed what `listed` makes
KEPT = (
    AuditEntry,
    BackTest,
    Expectation,
    Freeze,
    ListChange,
    ListEntry,
    ListImport,
    Policy,
    PolicySwitch,
    RollOut,
)


def stored() -> list[int]:
    return [model._default_manager.count() for model in KEPT]


@pytest.fixture
def chinese(admin_client: Client) -> Client:
    admin_client.defaults["HTTP_ACCEPT_LANGUAGE"] = "zh-hans"
    return admin_client


def alerts(page: str) -> list[str]:
    return [one.strip() for one in re.findall(r'role="alert"[^>]*>([^<]+)', page)]


def told(client: Client, address: str, given: dict[str, Any]) -> str:
    """What the page says once the form is sent."""
    answer = client.post(address, given, follow=True)
    assert english_of(answer.text) <= {_BY_HAND, *Policy.objects.values_list("note", flat=True)}
    return " ".join(str(one) for one in answer.context["messages"])


def sentences() -> Iterator[tuple[str, str]]:
    texts = catalogue("zh_Hans")
    for message, where in wanted().items():
        if where.startswith(("risk/", "templates/risk/")):
            found = texts.get(message[0])
            yield from ((message[0], words) for words in forms(found.string if found else None))


def test_no_sentence_of_risk_is_half_english_nor_half_wide() -> None:
    half = re.compile(r"[\u4e00-\u9fff）][,:;?!]|[\u4e00-\u9fff] ?\((?!s\b)")
    wrong = {
        english: words
        for english, words in sentences()
        if not words or ENGLISH.search(re.sub(r"%\(\w+\)s", "、", words)) or half.search(words)
    }
    assert wrong == {}


def test_a_sentence_is_english_until_it_is_read() -> None:
    inner = Sentence("is none: write one of %(codes)s.", codes=tuple(ListKind))
    whole = Sentence("line %(line)s: %(what)s", line=3, what=inner)
    assert whole == "line 3: is none: write one of fatal, white, black, grey."
    with translation.override("zh-hans"):
        assert f"{whole}".startswith("line 3")
        assert said(whole) == "第 3 行：无此取值，可填：fatal、white、black、grey。"
        assert said("as it is") == "as it is"


def test_the_editor_of_policies_is_read_in_chinese(chinese: Client) -> None:
    address = reverse("risk-policy-draft")
    assert english_in(chinese, address) == set()
    page = chinese.get(address).text
    assert "整数" in page and "人工审核" in page and "whole number" not in page
    given = form(page) | {"note": "更严", "do": "save"}
    before = stored()
    for wrong, words in {
        "payment.amount >": "规则 large_amount：表达式无法使用，表达式不完整，此处缺少字段或取值。",
        "payment.amout > 5": (
            "规则 large_amount：表达式无法使用，没有 payment.amout，是否应为 payment.amount？"
        ),
        "payment.amount": "规则 large_amount：表达式的结果应为真或假，而不是 int。",
        "payment.amount > 'x'": (
            "规则 large_amount：表达式无法使用，比较的两个值类型不同（例如数字与文本），文本须加引号，数字不加。"
        ),
    }.items():
        refused = chinese.post(address, given | {"rules-0-expression": wrong})
        assert refused.status_code == 422 and words in alerts(refused.text.replace("&#x27;", "'"))
        assert english_of(refused.text) == set()
    last = len(refused.context["rules"].forms) - 1
    nameless = chinese.post(address, given | {f"rules-{last}-expression": "true"})
    assert alerts(nameless.text)[0] == "新规则无法保存。" and english_of(nameless.text) == set()
    broken = {"name": "", "reject_from": "x", "limits": "{", "model": "[1]", "rules-0-weight": "999"}
    refused = chinese.post(address, given | broken)
    assert refused.status_code == 422 and english_of(refused.text) == set()
    for document in ({"reject_from": "1"}, {"model": "[1]"}, {"rates": '{"XYZ": "1"}'}, {"limits": "[]"}):
        refused = chinese.post(address, given | document)
        assert refused.status_code == 422 and english_of(refused.text) == set()
    assert stored() == before


def test_an_expectation_that_is_not_met_is_told_in_chinese(chinese: Client) -> None:
    for must, value in {"action": "review", "hit": "large_amount", "miss": "new_customer"}.items():
        example = {"amount": 5} if must != "miss" else {"customer": {"paid_orders": 0}}
        keep_expectation(
            policy="starting", label="大额", actor="user:77", example=example, must=must, value=value
        )
    address = reverse("risk-policy-draft")
    tried = chinese.post(address, form(chinese.get(address).text) | {"note": "试", "do": "try"})
    assert tried.status_code == 200 and english_of(tried.text) == set()
    assert "实际：放行" in tried.text and tried.text.count('data-met="no"') == 3
    now = Policy.objects.get(state="ACTIVE")
    drafted = draft_policy(
        name="starting",
        rules=now.rules,
        thresholds=now.thresholds,
        limits=now.limits,
        rates=now.rates,
        model=now.model,
        actor="user:77",
    )
    before, page = stored(), reverse("risk-policy", kwargs={"policy": drafted})
    words = told(chinese, page, {"do": "activate", "reason": "上线"})
    assert words.startswith("有 3 项预期未满足：") and not ENGLISH.search(words)
    assert "大额（应为人工审核，实际为放行）" in words and "大额（应命中 large_amount）" in words
    assert stored() == before and Policy.objects.get(state="ACTIVE") == now


def test_what_a_policy_refuses_is_told_in_chinese(chinese: Client) -> None:
    now = Policy.objects.get(state="ACTIVE")
    mine = draft_policy(
        name="autumn",
        rules=now.rules,
        thresholds=now.thresholds,
        limits=now.limits,
        rates=now.rates,
        model=now.model,
        actor=f"user:{User.objects.get().pk}",
    )
    before = stored()
    page, deciding = (reverse("risk-policy", kwargs={"policy": one}) for one in (mine, str(now)))
    expect = {"do": "expect", "reason": "大额", "must": "action", "value": "review"}
    for given, words in (
        ({"do": "activate", "reason": "上线"}, "此策略由您起草，须由第二人启用。"),
        ({"do": "activate", "reason": " "}, "请说明原因，原因将记入审计日志。"),
        ({"do": "roll_out", "reason": "x", "share": "0", "budget": "5"}, "客户比例应大于 0，且不超过 100%。"),
        ({"do": "end", "reason": "x"}, "当前没有灰度中的策略。"),
        ({"do": "retire"}, f"{mine} 未在并行试判。"),
        ({"do": "back_test", "days": "0"}, "回测天数应在 1 到 730 之间。"),
        (expect | {"example": "{"}, "示例不是有效的 JSON。"),
        (expect | {"example": '{"colour": 1}'}, "支付没有 colour 这个字段。"),
        (expect | {"value": ""}, "请填写处置结果，或规则名。"),
    ):
        assert told(chinese, page, given) == words
    assert told(chinese, deciding, {"do": "shadow"}) == f"{now} 的状态为“生效中”，不能并行试判。"
    assert stored() == before


WRONG = [
    ("red", *GOOD[1:]),
    ("black", "moon", *GOOD[2:]),
    ("fatal", "card", "fp_8", "x", "", ""),
    ("black", "card", "4242 4242 4242 4242", "x", "", ""),
    ("black", "email", "eve", "x", "", ""),
    ("black", "phone", "13800138000", "x", "", ""),
    ("black", "address", "Shanghai", "x", "", ""),
    ("black", "ip", "1.2.3", "x", "", ""),
    ("black", "network", "10.0.0.0/8", "x", "", ""),
    ("black", "customer", "anna", "x", "", ""),
    ("black", "card", "fp_8", "", "", ""),
    ("black", "card", "fp_8", "x", "", "31.1.2099"),
    ("black", "card", "fp_8", "x", "", "2020-01-31"),
    ("black", "card", "fp\u200b8", "x", "", ""),
    GOOD,
]


def brought(client: Client, content: bytes, **given: str) -> Any:
    given |= {"file": SimpleUploadedFile("mules.csv", content, "text/csv")}  # type: ignore[dict-item]
    return client.post(reverse("risk-import-list"), given, follow=True)


def test_a_file_of_entries_is_checked_and_refused_in_chinese(chinese: Client) -> None:
    assert english_in(chinese, reverse("risk-import-list")) == set()
    before = stored()
    refused = brought(chinese, file(GOOD, *WRONG), do="check")
    assert refused.status_code == 422 and refused.text.count("<code>value</code>") > 9
    assert "因 15 行有误，未导入任何条目" in refused.text and "已在第 2 行" in refused.text
    only_codes = {one for one in english_of(refused.text) if ENGLISH.search(one) or "moon" in one}
    assert only_codes == set()
    for content in (
        b"",
        file(),
        file(columns=(*COLUMNS, "colour")),
        file([*GOOD, "x"]),
        file(GOOD) + b'black,card,"fp',
        "盗".encode("gb18030"),
    ):
        one = brought(chinese, content, do="check")
        assert one.status_code == 422 and not [said for said in english_of(one.text) if ENGLISH.search(said)]
    none = chinese.post(reverse("risk-import-list"), {"do": "check"})
    assert "请选择文件。" in none.text and english_of(none.text) == set()
    checked = brought(chinese, file(("fatal", "card", "fp_8", "盗刷", "银行", ""), GOOD), do="check")
    assert english_of(checked.text) == set() and "致命名单" in checked.text
    other = brought(chinese, file(GOOD), do="import", checked=checked.context["done"].digest)
    assert "与检查过的不是同一个文件，请重新检查。" in other.text and english_of(other.text) == set()
    assert stored() == before


def test_changes_of_the_lists_are_read_and_refused_in_chinese(chinese: Client) -> None:
    add = reverse("admin:risk_listentry_add")
    given = {"kind": "fatal", "entity": "card", "value": "fp_1", "reason": "盗刷", "label": "4242"}
    waits = chinese.post(add, given, follow=True)
    assert "等待第二人确认" in " ".join(str(one) for one in waits.context["messages"])
    listed(kind="grey", entity="card", value="fp_2", reason="查过", actor="user:1", label="4343")
    fatal = listed(kind="fatal", entity="card", value="fp_3", reason="查过", actor="user:1", label="4444")
    chosen = {"action": "end", "_selected_action": [str(ListEntry.objects.get(label="4444").pk)]}
    chinese.post("/console/risk/listentry/", chosen, follow=True)
    bytes_ = file(("white", "card", "fp_8", "员工", "import", ""), GOOD)
    import_list(content=bytes_, name="名单.csv", actor="command:import_list")
    before = stored()

    again = chinese.post("/console/risk/listentry/", chosen, follow=True)
    assert "该条目的移出正等待第二人确认。" in again.text and fatal
    twice = chinese.post(add, given).text
    assert "加入此名单正等待第二人确认。" in twice
    there = chinese.post(add, given | {"kind": "grey", "value": "fp_2"}).text
    assert "已在此名单中。" in there
    assert "像是卡号" in chinese.post(add, given | {"value": "4242 4242 4242 4242"}).text
    addresses = [
        reverse("risk-list-change", kwargs={"change": one.public_id}) for one in ListChange.objects.waiting()
    ]
    assert len(addresses) == 3
    pages = [reverse("risk-list-changes"), *addresses]
    assert {one: found for one in pages if (found := english_in(chinese, one) - {_BY_HAND})} == {}
    mine, _end, nobodys = addresses
    assert told(chinese, mine, {"do": "confirm", "reason": "核对"}) == "此变更由您提出，须由第二人确认。"
    assert told(chinese, mine, {"do": "confirm", "reason": " "}) == "请填写原因，将随变更保存。"
    assert "提出人" in told(chinese, nobodys, {"do": "confirm", "reason": "核对"})
    assert stored() == before and ListChange.objects.waiting().count() == 3
    assert told(chinese, mine, {"do": "reject", "reason": "误填"}) == "已拒绝，名单未变更。"
    assert told(chinese, mine, {"do": "reject", "reason": "误填"}) == "已有人处理此变更。"
    assert english_in(chinese, mine) == set() == english_in(chinese, pages[0]) - {_BY_HAND}


def test_what_a_device_refuses_is_told_in_chinese(chinese: Client) -> None:
    ask(at("dev_1"))
    page = reverse("risk-device", kwargs={"device": Device.objects.get().public_id})
    before = stored()
    assert told(chinese, page, {"do": "freeze", "reason": " "}) == "请填写原因，设备被拒时将显示此原因。"
    assert told(chinese, page, {"do": "unfreeze", "reason": " "}) == "请填写原因，将随设备保存。"
    assert told(chinese, page, {"do": "unfreeze", "reason": "误判"}) == "此设备未被冻结，或不是由您冻结。"
    assert stored() == before and english_in(chinese, page) == set()
