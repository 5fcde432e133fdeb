"""What is agreed with each channel about its statements (`reconciliation.terms.Terms`). The fees are the sandbox's."""

from typing import Any

# channel → its days, its lateness, its charges. `merchant` names the setting that holds who we are there.
RECONCILIATION: dict[str, dict[str, Any]] = {
    "wechat": {
        "zone": "Asia/Shanghai",
        "ready_after": "10:00",
        "late_days": 1,
        "matched": ("trade",),
        "merchant": "WECHAT.mchid",
        # Of a refund, all that was refunded so far is charged less of: parts may differ by their rounding.
        "tolerance": {"refund_fee": 1000},
        "tariff": {"rates": (54, 60), "gives_back": True},
    },
    "alipay": {
        "zone": "Asia/Shanghai",
        "ready_after": "10:00",
        "late_days": 1,
        "matched": ("trade",),
        "merchant": "ALIPAY.seller_id",
        "tariff": {"rates": (60,)},
    },
    "unionpay": {
        "zone": "Asia/Shanghai",
        "cut_off": "23:00",
        "ready_after": "09:00",
        "late_days": 1,
        "matched": ("ACOMN",),
        "merchant": "UNIONPAY.mer_id",
        "tariff": {"rates": (60,), "half_up": False},
    },
    "stripe": {
        "zone": "UTC",
        "ready_after": "12:00",
        "late_days": 1,
        "matched": ("balance_change",),
        "tariff": {"rates": (290,), "fixed": 30},
    },
    "ecny": {
        "zone": "Asia/Shanghai",
        "ready_after": "10:00",
        "late_days": 1,
        "matched": ("trade",),
        "merchant": "ECNY.mch_id",
        "tariff": {"rates": (0,)},
    },
    "bank": {"zone": "Asia/Shanghai", "ready_after": "06:00", "late_days": 2},
}
