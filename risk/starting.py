"""The policy that a new installation starts with, as data. Pure.

starting@1 never changes: decisions that were taken under it must replay. A change is a new version.
Why each number is what it is: docs/decisions/risk-starting-policy.md.
"""

from typing import Any

NAME, VERSION = "starting", 1

_CARD_IS_FOREIGN_TO_DELIVERY = (
    'instrument.country != "" && delivery.country != "" && instrument.country != delivery.country'
)


def _rule(name: str, expression: str, weight: int, en: str, zh: str, action: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "version": 1,
        "expression": expression,
        "weight": weight,
        "action": action,
        "message": {"en": en, "zh": zh},
    }


RULES: list[dict[str, Any]] = [
    _rule(
        "large_amount",
        "payment.amount_cny > 500000",
        20,
        "The amount of {payment.amount} is large.",
        "金额较大：{payment.amount}。",
    ),
    _rule(
        "new_customer",
        "customer.paid_orders == 0",
        15,
        "The customer has not paid an order before.",
        "客户此前没有已支付的订单。",
    ),
    _rule(
        "card_country_differs",
        _CARD_IS_FOREIGN_TO_DELIVERY,
        25,
        "The card's country ({instrument.country}) is not the delivery country ({delivery.country}).",
        "发卡地为{instrument.country}，收货地为{delivery.country}。",
    ),
    _rule(
        "cross_border_goods",
        f"{_CARD_IS_FOREIGN_TO_DELIVERY} && delivery.country != payment.merchant_country "
        "&& payment.amount_cny >= 300000",
        40,
        "Goods worth {payment.amount} leave the country, and the card is not from where they go.",
        "价值{payment.amount}的商品寄往境外，且付款卡并非收货地发行。",
    ),
    _rule(
        "high_frequency",
        "velocity.customer > 10 || velocity.card > 10 || velocity.device > 10",
        45,
        "More than 10 payments within one minute from the same customer, card or device.",
        "同一客户、卡片或设备一分钟内支付超过 10 次。",
        action="challenge",
    ),
    _rule(
        "new_device",
        "device.is_new && customer.paid_orders > 0 && payment.amount_cny >= 100000",
        10,
        "A known customer pays from a device not seen before.",
        "老客户使用了首次出现的设备。",
    ),
    _rule(
        "proxy",
        "device.is_proxy",
        25,
        "The connection comes through a proxy or VPN.",
        "连接来自代理或 VPN。",
    ),
    _rule(
        "currency_without_rate",
        "!payment.rate_known",
        20,
        "There is no rate for {payment.currency}, so the amount can not be compared.",
        "没有{payment.currency}的汇率，无法比较金额。",
    ),
]

THRESHOLDS: dict[str, int] = {
    "medium_above": 30,
    "challenge_above": 40,
    "high_above": 60,
    "reject_from": 100,
    "explain_above": 30,
    "grey_weight": 45,
    "review_minutes": 30,
}

# CNY minor units by verification level.
LIMITS: dict[str, dict[str, int]] = {
    "1": {"payment": 100_000, "day": 100_000},
    "2": {"payment": 1_000_000, "day": 1_000_000},
    "3": {"payment": 5_000_000, "day": 5_000_000},
}

# CNY for one major unit, rounded: thresholds need the order of magnitude, money never passes through here.
RATES: dict[str, str] = {
    "USD": "7.1",
    "EUR": "8.1",
    "GBP": "9.4",
    "HKD": "0.91",
    "JPY": "0.047",
    "SGD": "5.5",
    "AUD": "4.7",
    "KRW": "0.005",
}
