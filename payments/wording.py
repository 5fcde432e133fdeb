"""What methods, channels, brands and states are called where people read of them."""

from typing import Any

from django.utils.translation import gettext_lazy

_NAMES: dict[str, Any] = {
    "card": gettext_lazy("Card"),
    "apple_pay": gettext_lazy("Apple Pay"),
    "alipay": gettext_lazy("Alipay"),
    "wechat_pay": gettext_lazy("WeChat Pay"),
    "wechat": gettext_lazy("WeChat Pay"),
    "unionpay": gettext_lazy("UnionPay"),
    "e_cny": gettext_lazy("Digital RMB"),
    "ecny": gettext_lazy("Digital RMB"),
    "bank_transfer": gettext_lazy("Bank transfer"),
    "bank": gettext_lazy("Bank"),
    "crypto": gettext_lazy("Crypto"),
    "stripe": gettext_lazy("Stripe"),
    "visa": gettext_lazy("Visa"),
    "mastercard": gettext_lazy("Mastercard"),
    "amex": gettext_lazy("American Express"),
    "email": gettext_lazy("code by e-mail"),
    "sms": gettext_lazy("code by SMS"),
    "three_d_secure": gettext_lazy("3-D Secure"),
    "IN_REVIEW": gettext_lazy("waits for a person"),
    "REQUIRES_ACTION": gettext_lazy("waits for the customer"),
    "AWAITING_APPROVAL": gettext_lazy("waits for approval"),
    "AUTHORIZED": gettext_lazy("authorised"),
    "UNKNOWN": gettext_lazy("outcome unknown"),
    "ASSIGNED": gettext_lazy("taken"),
    "WARNING": gettext_lazy("inquiry"),
}


def in_words(code: str) -> str:
    """A stored word as people say it; one without a name of its own in small letters, with spaces.

    Of one channel's accounts ("bank:main") the account keeps the name that it was given.
    """
    kind, _, account = code.partition(":")
    name = str(_NAMES.get(kind) or kind.replace("_", " ").lower())
    return f"{name} {account}" if account else name
