"""The policy that a new installation starts with since there are histories, a graph and a model. Pure.

starting@2 never changes: decisions that were taken under it must replay. A change is a new version.
Its first rules are those of starting@1. What came on top asks, and adds no points: what starting@1 scored keeps score
and level, and no two suspicions add up to a refusal. Why each is what it is: docs/decisions/risk-starting-policy.md.
"""

from typing import Any

from risk import starting, starting_model

NAME, VERSION = "starting", 2

# A merchant's own program shows neither its customers' browsers nor their networks: it knows them itself.
SEEN = "(device.known || signal.ip_total >= 0.0)"
# Who brings a card that was never seen here, and has never paid. Without histories nobody knows, and nobody is asked.
_STRANGE_CARD = "customer.paid_orders == 0 && signal.card_total == 0.0"
_LARGER = "payment.amount_cny > 20000"


def asks(name: str, expression: str, en: str, zh: str, action: str = "challenge") -> dict[str, Any]:
    return {
        "id": name,
        "version": 1,
        "expression": f"{SEEN} && ({expression})",
        "weight": 0,
        "action": action,
        "message": {"en": en, "zh": zh},
    }


RULES: list[dict[str, Any]] = [
    *starting.RULES,
    asks(
        "first_is_dear",
        f"{_STRANGE_CARD} && payment.amount_cny >= 100000",
        "A first order of {payment.amount}, on a card not seen before.",
        "首单即用新卡支付{payment.amount}。",
    ),
    asks(
        "many_cards",
        "velocity.device_distinct_card_1d >= 4 || velocity.customer_distinct_card_1d >= 4",
        "Several cards within a day: {velocity.device_distinct_card_1d} on this device.",
        "一天内使用多张卡：此设备上 {velocity.device_distinct_card_1d} 张。",
    ),
    asks(
        "card_after_card",
        "velocity.device_distinct_card_1d >= 10 || velocity.customer_distinct_card_1d >= 10",
        "One card after another within a day: {velocity.device_distinct_card_1d} on this device.",
        "一天内接连试卡：此设备上 {velocity.device_distinct_card_1d} 张。",
        action="reject",
    ),
    asks(
        "cards_from_network",
        f"{_STRANGE_CARD} && velocity.ip_distinct_card_1d >= 4 && velocity.ip_count_1h >= 4",
        "New customers with {velocity.ip_distinct_card_1d} cards come from one network address today.",
        "同一网络地址今日出现 {velocity.ip_distinct_card_1d} 张卡的新客户。",
    ),
    asks(
        "cards_at_address",
        f"{_STRANGE_CARD} && velocity.address_distinct_card_7d >= 2 && {_LARGER}",
        "{velocity.address_distinct_card_7d} other cards have paid for parcels to this address this week.",
        "本周已有 {velocity.address_distinct_card_7d} 张其他卡付款寄往此地址。",
    ),
    asks(
        "card_of_another",
        "customer.paid_orders == 0 && signal.customer_total == 0.0 && signal.device_total <= 0.0"
        " && velocity.card_distinct_customer_7d >= 1 && payment.amount_cny >= 50000",
        "Another customer paid with this card this week; customer and device are new.",
        "本周另有客户使用此卡，且客户与设备均为首次出现。",
    ),
    asks(
        "accounts_on_card",
        "customer.paid_orders == 0 && velocity.card_distinct_customer_7d >= 8",
        "{velocity.card_distinct_customer_7d} customers paid with this card this week.",
        "本周有 {velocity.card_distinct_customer_7d} 位客户使用此卡。",
    ),
    asks(
        "accounts_on_device",
        "customer.paid_orders == 0 && velocity.device_distinct_customer_7d >= 4",
        "{velocity.device_distinct_customer_7d} customers paid from this device this week.",
        "本周有 {velocity.device_distinct_customer_7d} 位客户使用此设备。",
    ),
    asks(
        "accounts_at_address",
        "customer.paid_orders == 0 && velocity.address_distinct_customer_7d >= 4"
        " && velocity.ip_distinct_customer_7d >= 4",
        "{velocity.address_distinct_customer_7d} customers of one address and network address this week.",
        "本周有 {velocity.address_distinct_customer_7d} 位客户来自同一地址与同一网络地址。",
    ),
    asks(
        "taken_over",
        f"device.is_new && customer.paid_orders > 0 && {_LARGER}"
        " && (signal.address_total == 0.0 || signal.card_total == 0.0"
        " || signal.customer_amount_ratio_median >= 3.0)",
        "A known customer's new device, and a new address, a new card or an unusual amount.",
        "老客户使用新设备，且地址或卡片首次出现，或金额异常。",
    ),
    asks(
        "taken_over_patiently",
        "customer.paid_orders > 0 && payment.amount_cny >= 50000 && signal.customer_amount_ratio_median >= 4.0"
        " && signal.device_age_days >= 0.0 && signal.device_age_days < 7.0 && signal.device_total <= 3.0"
        " && signal.address_age_days < 7.0",
        "An unusual amount, from a device and to an address of this week.",
        "金额异常，且设备与地址均为本周首次出现。",
    ),
    asks(
        "impossible_travel",
        f"signal.geo_speed_kmh > 500.0 && {_LARGER}",
        "The customer paid too far away shortly before.",
        "客户刚在过远的地方付过款。",
    ),
    asks(
        "fraud_before",
        f"{_LARGER} && (signal.customer_fraud_count_28d >= 1.0"
        " || signal.card_fraud_count_28d >= 2.0 || signal.device_fraud_count_28d >= 2.0"
        " || customer.paid_orders == 0 && signal.address_fraud_count_28d >= 2.0)",
        "A payment with the same customer, card, device or address was fraud.",
        "同一客户、卡片、设备或地址曾有欺诈支付。",
    ),
    asks(
        "ring",
        f"{_LARGER} && graph.same_card >= 1 && graph.same_device >= 1 && graph.same_card + graph.same_device >= 3"
        " && graph.near + graph.far >= 5 && !graph.vouched_card && !graph.vouched_device",
        "Linked with {graph.near} customers by card, device or address, and with {graph.far} through them.",
        "通过卡片、设备或地址与 {graph.near} 位客户关联，并间接关联 {graph.far} 位。",
    ),
    asks(
        "lent",
        f"{_LARGER} && customer.paid_orders <= 3 && graph.same_card + graph.same_device >= 1"
        " && graph.same_address == 0 && !graph.vouched_card && !graph.vouched_device",
        "Card or device are shared with customers of other addresses; {graph.near} are linked, and {graph.far} through"
        " them.",
        "与其他地址的客户共用卡片或设备；直接关联 {graph.near} 位，间接 {graph.far} 位。",
    ),
    asks(
        "ring_of_fraud",
        f"{_LARGER} && graph.same_card + graph.same_device >= 1 && graph.frauds_near + graph.frauds_far >= 2",
        "Linked with customers whose payments were fraud: {graph.frauds_near} directly, {graph.frauds_far} through"
        " others.",
        "与欺诈客户关联：直接 {graph.frauds_near} 位，间接 {graph.frauds_far} 位。",
    ),
]

THRESHOLDS: dict[str, Any] = {
    **starting.THRESHOLDS,
    "deadline_ms": 50,
    "late_weight": 0,
    "sample_per_mille": 1,
    "challenge": {"*": ["three_d_secure", "passkey", "sms", "email", "captcha"]},
}

LIMITS = starting.LIMITS
RATES = starting.RATES
MODEL: dict[str, Any] = {
    "name": f"{starting_model.NAME}@{starting_model.VERSION}",
    "points": [],
    "challenge_from": 750_000,
    "challenge_above": 20_000,
}
