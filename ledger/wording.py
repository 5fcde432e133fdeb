"""What methods, channels, brands, states and other stored words are called where people read of them."""

from enum import Enum
from typing import Any

from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_noop as _

from ledger.sentences import Sentence

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
    "bank": gettext_lazy("bank"),
    "crypto": gettext_lazy("Crypto"),
    "stripe": gettext_lazy("Stripe"),
    "visa": gettext_lazy("Visa"),
    "mastercard": gettext_lazy("Mastercard"),
    "amex": gettext_lazy("American Express"),
    "email": gettext_lazy("e-mail"),
    "sms": gettext_lazy("SMS"),
    "three_d_secure": gettext_lazy("3-D Secure"),
    "INIT": gettext_lazy("new"),
    "IN_REVIEW": gettext_lazy("waits for a person"),
    "REQUIRES_ACTION": gettext_lazy("waits for the customer"),
    "AWAITING_APPROVAL": gettext_lazy("waits for approval"),
    "AUTHORIZED": gettext_lazy("authorised"),
    "UNKNOWN": gettext_lazy("outcome unknown"),
    "ASSIGNED": gettext_lazy("taken"),
    "WARNING": gettext_lazy("inquiry"),
    "CONFIRMED": gettext_lazy("is confirmed"),
}
# All others are called as they are written, in small letters and with spaces.
_PLAIN = frozenset(
    (
        _("accept"),
        _("accepted"),
        _("acomn"),
        _("action"),
        _("active"),
        _("add"),
        _("address"),
        _("amount"),
        _("announced"),
        _("apart"),
        _("applied"),
        _("approved"),
        _("ask provider"),
        _("asset"),
        _("automatic"),
        _("balance change"),
        _("bank unexplained"),
        _("black"),
        _("called off"),
        _("cancelled"),
        _("cancelled after pay"),
        _("captcha"),
        _("capture"),
        _("challenge"),
        _("challenged"),
        _("challenger"),
        _("champion"),
        _("chargeback"),
        _("command"),
        _("correct"),
        _("created"),
        _("creating"),
        _("credit"),
        _("currency"),
        _("customer"),
        _("dead"),
        _("debit"),
        _("declined"),
        _("deleted"),
        _("delivered"),
        _("deposit amount"),
        _("deposit missing"),
        _("deposited"),
        _("device"),
        _("disabled"),
        _("dispute"),
        _("dispute fee"),
        _("dispute won"),
        _("done"),
        _("draft"),
        _("due"),
        _("duplicate"),
        _("elsewhere"),
        _("empty"),
        _("enabled"),
        _("end"),
        _("ended"),
        _("ends soon"),
        _("entity"),
        _("errored"),
        _("escalated"),
        _("expense"),
        _("expired"),
        _("explained"),
        _("failed"),
        _("fatal"),
        _("fee"),
        _("fetched"),
        _("file"),
        _("finished"),
        _("fraud"),
        _("fraudulent"),
        _("fulfilled"),
        _("fulfilling"),
        _("fundflow"),
        _("gone"),
        _("grey"),
        _("high"),
        _("hit"),
        _("hold"),
        _("ignored"),
        _("import"),
        _("income"),
        _("investigating"),
        _("ip"),
        _("kind"),
        _("late"),
        _("liability"),
        _("loading"),
        _("lost"),
        _("low"),
        _("manual"),
        _("matched"),
        _("matching"),
        _("medium"),
        _("merchant"),
        _("met"),
        _("miss"),
        _("missing here"),
        _("missing there"),
        _("needs response"),
        _("needs review"),
        _("network"),
        _("nobody decided in time"),
        _("not as described"),
        _("not met"),
        _("not received"),
        _("not refunded"),
        _("off"),
        _("old"),
        _("on"),
        _("open"),
        _("operator"),
        _("order"),
        _("other"),
        _("ours"),
        _("paid"),
        _("passed"),
        _("passkey"),
        _("payment"),
        _("payout"),
        _("payout reconciliation"),
        _("payouts"),
        _("pending"),
        _("pending payment"),
        _("phone"),
        _("processing"),
        _("received"),
        _("refund"),
        _("refund returned"),
        _("refused"),
        _("reject"),
        _("rejected"),
        _("released"),
        _("requested"),
        _("requested by customer"),
        _("reserved"),
        _("resolved"),
        _("retired"),
        _("review"),
        _("risk checking"),
        _("running"),
        _("sample"),
        _("second"),
        _("sent"),
        _("settled"),
        _("shadow"),
        _("signcustomer"),
        _("sku"),
        _("start"),
        _("started"),
        _("state"),
        _("statement"),
        _("stopped"),
        _("submit"),
        _("succeeded"),
        _("success"),
        _("superseded"),
        _("suspense"),
        _("taken"),
        _("theirs"),
        _("the money was taken first"),
        _("the payment ended first"),
        _("too many wrong answers"),
        _("trade"),
        _("unavailable"),
        _("under review"),
        _("undone"),
        _("uploaded"),
        _("void"),
        _("wait"),
        _("waiting"),
        _("waiting for money"),
        _("white"),
        _("withdrawn"),
        _("won"),
        _("write off"),
        _("written"),
        _("written off"),
    )
)


def in_words(code: str) -> str:
    """A stored word as people say it; one that has no name here in small letters, with spaces.

    Of one channel's accounts ("bank:main") the account keeps the name that it was given.
    """
    kind, _colon, account = code.partition(":")
    name = str(_NAMES.get(kind) or _plain(kind))
    return f"{name} {account}" if account else name


def said(text: str) -> str:
    """A sentence in the reader's language; any other text as it is."""
    if not isinstance(text, Sentence):
        return text
    words = gettext(text.template)
    return words % {name: _said(one) for name, one in text.values.items()} if text.values else words


def _said(value: Any) -> Any:
    match value:
        case Enum():
            return in_words(str(value.value))
        case tuple():
            return gettext(", ").join(said(one) for one in value)
        case str():
            return said(value)
    return value


def _plain(code: str) -> str:
    words = code.replace("_", " ").lower()
    return gettext(words) if words in _PLAIN else words
