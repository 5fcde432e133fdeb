"""The policy that a new installation starts with since coupons are told to risk. Pure.

starting@3 never changes: decisions that were taken under it must replay. A change is a new version.
It is starting@2 and two rules more. Why: docs/decisions/risk-starting-policy.md.
"""

from typing import Any

from risk import starting_v2

NAME, VERSION = "starting", 3

_NEWCOMER_S = "coupon.used && customer.paid_orders == 0"

RULES: list[dict[str, Any]] = [
    *starting_v2.RULES,
    starting_v2.asks(
        "coupon_again",
        f"{_NEWCOMER_S} && (coupon.others_device >= 1 || coupon.others_card >= 1 || coupon.others_phone >= 1)",
        "A newcomer's coupon, and others took one this week with this device ({coupon.others_device}), card"
        " ({coupon.others_card}) or phone ({coupon.others_phone}).",
        "新客使用优惠券，而本周已有其他新客以同一设备（{coupon.others_device}）、"
        "卡片（{coupon.others_card}）或电话（{coupon.others_phone}）使用过。",
    ),
    # A parcel station or a campus has one door and many networks, a carrier many doors and one network.
    starting_v2.asks(
        "coupons_at_door",
        f"{_NEWCOMER_S} && coupon.others_address >= 1 && coupon.others_network >= 1"
        " && coupon.others_address + coupon.others_network >= 3",
        "A newcomer's coupon, and others took one this week at this address ({coupon.others_address}) and from this"
        " network ({coupon.others_network}).",
        "新客使用优惠券，而本周已有其他新客在同一地址（{coupon.others_address}）与同一网络"
        "（{coupon.others_network}）使用过。",
    ),
]

THRESHOLDS = starting_v2.THRESHOLDS
LIMITS = starting_v2.LIMITS
RATES = starting_v2.RATES
MODEL = starting_v2.MODEL
