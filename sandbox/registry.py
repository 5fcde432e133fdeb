"""The providers of this world. A new one is one line here."""

from sandbox.alipay.provider import Alipay
from sandbox.bank.provider import Bank
from sandbox.crypto.provider import Crypto
from sandbox.ecny.provider import Ecny
from sandbox.provider import Provider
from sandbox.stripe.provider import StripeProvider
from sandbox.unionpay.provider import UnionPay
from sandbox.wechat.provider import Wechat


def all_providers() -> list[Provider]:
    return [StripeProvider(), Alipay(), Wechat(), UnionPay(), Ecny(), Bank(), Crypto()]
