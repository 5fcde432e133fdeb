"""Reasons and explanations in words, in the reader's language. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from babel import Locale
from django.utils import translation

from ledger.money import Money, UnknownCurrency
from ledger.wording import in_words
from risk.limits import CURRENCY
from risk.rules import Ground
from risk.states import Action, Level

_PLACEHOLDER = re.compile(r"\{([a-z0-9_.]+)\}")

# What lists and limits say; rules bring their own words.
_MESSAGES: dict[str, dict[str, str]] = {
    "list_fatal": {
        "en": "The {entity} is on the fatal list: {reason}",
        "zh": "{entity}在致命名单中：{reason}",
    },
    "list_white": {"en": "The {entity} is on the white list: {reason}", "zh": "{entity}在白名单中：{reason}"},
    "list_black": {"en": "The {entity} is on the black list: {reason}", "zh": "{entity}在黑名单中：{reason}"},
    "list_grey": {"en": "The {entity} is on the grey list: {reason}", "zh": "{entity}在灰名单中：{reason}"},
    "limit_per_payment": {
        "en": "{used} is more than this customer's limit of {limit} for one payment.",
        "zh": "{used}超过该客户单笔限额{limit}。",
    },
    "limit_per_day": {
        "en": "With this payment the day adds up to {used}, more than the customer's limit of {limit}.",
        "zh": "加上这笔支付，当日累计{used}，超过该客户日限额{limit}。",
    },
    "limit_per_month": {
        "en": "With this payment the month adds up to {used}, more than the customer's limit of {limit}.",
        "zh": "加上这笔支付，当月累计{used}，超过该客户月限额{limit}。",
    },
    "limit_attempts": {
        "en": "This is attempt {count} within one minute; the customer may make {most}.",
        "zh": "一分钟内第 {count} 次尝试支付，该客户最多 {most} 次。",
    },
    "limit_new_merchants": {
        "en": "This is new merchant {count} of the day; the customer may pay {most}.",
        "zh": "当日第 {count} 家新商户，该客户最多 {most} 家。",
    },
    "limit_channel_payment": {
        "en": "{used} is more than this customer's limit of {limit} for one payment through {channel}.",
        "zh": "{used}超过该客户通过{channel}的单笔限额{limit}。",
    },
    "limit_channel_day": {
        "en": "With this payment the day adds up to {used} through {channel}, more than the limit of {limit}.",
        "zh": "加上这笔支付，当日通过{channel}累计{used}，超过限额{limit}。",
    },
    "limit_channel_month": {
        "en": "With this payment the month adds up to {used} through {channel}, more than the limit of {limit}.",
        "zh": "加上这笔支付，当月通过{channel}累计{used}，超过限额{limit}。",
    },
    "model": {
        "en": "The model {model} takes {per_mille} of 1,000 such payments for frauds, because of: {causes}.",
        "zh": "模型 {model} 认为每 1000 笔此类支付中有 {per_mille} 笔欺诈，主要原因：{causes}。",
    },
    "device_frozen": {"en": "The device is frozen: {reason}", "zh": "设备已冻结：{reason}"},
    "device_unverified": {
        "en": "A known customer at a strange device (trust {trust} of 100) must first prove to be there.",
        "zh": "老客户使用陌生设备（信任分 {trust}/100），须先验证身份。",
    },
    "decided_late": {
        "en": "The decision took more than {milliseconds} ms, so the rules decided without history and model.",
        "zh": "决策超过 {milliseconds} 毫秒，仅由规则判断，未使用历史与模型。",
    },
    "rule_failed": {
        "en": "The rule {rule} could not be evaluated; a person must look.",
        "zh": "规则{rule}无法计算，需要人工处理。",
    },
}
_ENTITIES = {
    "customer": "客户",
    "email": "邮箱",
    "phone": "电话",
    "card": "银行卡",
    "device": "设备",
    "ip": "IP 地址",
    "network": "网段",
    "address": "收货地址",
    "merchant": "商户",
    "sku": "商品",
}
_CAUSES = {"amount": "金额", "time": "时间", "challenge": "身份验证", **_ENTITIES}
_IN_CNY = (".amount_cny", ".used", ".limit")
_LEVELS = {Level.LOW: "低", Level.MEDIUM: "中", Level.HIGH: "高"}
_OUTCOMES: dict[str, dict[Action, str]] = {
    "en": {
        Action.ACCEPT: "the payment may go ahead",
        Action.CHALLENGE: "the customer must prove who they are first",
        Action.REVIEW: "a person must decide",
        Action.REJECT: "the payment is refused",
    },
    "zh": {
        Action.ACCEPT: "可以继续支付",
        Action.CHALLENGE: "客户须先完成身份验证",
        Action.REVIEW: "须人工审核",
        Action.REJECT: "拒绝支付",
    },
}


def language(locale: str) -> str:
    """The language of ours that a reader of `locale` gets."""
    return "zh" if locale.lower().startswith("zh") else "en"


def message_of(ground: Ground, rule_messages: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The template of a ground in every language; stored with the decision so that words need no policy."""
    return dict(
        _MESSAGES.get(ground.code) or rule_messages.get(ground.code) or {"en": ground.code, "zh": ground.code}
    )


def reason(message: Mapping[str, str], params: Mapping[str, Any], locale: str = "en") -> str:
    """One reason in words."""
    spoken = language(locale)
    template = message.get(spoken) or message.get("en", "")
    return _PLACEHOLDER.sub(lambda found: _value(found.group(1), params, spoken), template)


def _value(name: str, params: Mapping[str, Any], spoken: str) -> str:
    value = params.get(name, "")
    if name in ("payment.amount", "limit", "used"):
        currency = params.get("payment.currency" if name == "payment.amount" else "currency", "")
        return amount(value, str(currency), spoken)
    if name.endswith("country"):
        return country(value, spoken)
    if name == "entity":
        return entity(str(value), spoken)
    if name == "channel":
        return _channel(str(value), spoken)
    if name == "causes" and spoken == "zh":
        return "、".join(cause(one, spoken) for one in str(value).split(", "))
    return str(value)


def _channel(code: str, spoken: str) -> str:
    """A channel or method by its name, whoever asks; Chinese sets off what it writes in Latin letters."""
    with translation.override("zh-hans" if spoken == "zh" else "en"):
        said = in_words(code)
    return f" {said} " if spoken == "zh" and said.isascii() else said


def cited(name: str, value: Any, *, currency: str, locale: str = "en") -> str:
    """An input of a decision as a sentence says it; `currency` is that of the payment."""
    spoken = language(locale)
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "zh": ("否", "是")}[spoken][value]
    if name == "payment.amount":
        return amount(value, currency, spoken)
    if name.endswith(_IN_CNY) or "_sum_" in name:
        return amount(value, CURRENCY, spoken) if isinstance(value, int) else str(value)
    if name.endswith("country"):
        return country(value, spoken)
    kind, _, which = str(value).partition(" ")
    if which:  # "card A"
        return f"{entity(kind, spoken)} {which}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def entity(kind: str, locale: str = "en") -> str:
    """What a customer is seen with ("card"), as a sentence has it."""
    return _ENTITIES.get(kind, kind) if language(locale) == "zh" else kind


def cause(group: str, locale: str = "en") -> str:
    """A group of signals ("amount"), as a sentence has it."""
    return _CAUSES.get(group, group) if language(locale) == "zh" else group


def country(code: Any, locale: str = "en") -> str:
    """Its name as the reader calls it; the code where there is none."""
    territories: Mapping[str, str] = Locale.parse(language(locale)).territories
    return territories.get(str(code), str(code))


def amount(minor: Any, currency: str, locale: str = "en") -> str:
    """As the reader writes it; bare figures where the currency is not one."""
    try:
        return Money(minor, currency).formatted(language(locale))
    except (UnknownCurrency, TypeError):
        return f"{minor} {currency}"


def explanation(
    *, score: int, level: Level, action: Action, reasons: Sequence[tuple[str, int]], locale: str = "en"
) -> str:
    """The whole decision in words: what follows, then each reason with what it added."""
    spoken = language(locale)
    outcome = _OUTCOMES[spoken][action]
    if spoken == "zh":
        said = ((text.rstrip("。"), f"（{weight:+d}）" if weight else "") for text, weight in reasons)
        causes = "；".join(f"{text}{added}" for text, added in said)
        return f"风险评分 {score}（{_LEVELS[level]}）：{outcome}。{causes}{'。' if causes else ''}"
    causes = " ".join(f"{text} ({weight:+d})" if weight else text for text, weight in reasons)
    return f"Risk score {score} ({level.lower()}): {outcome}. {causes}".rstrip()
