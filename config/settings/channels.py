"""The providers: addresses and credentials, from the environment. Nothing falls back from live to sandbox."""

from datetime import timedelta

from config.settings.base import PUBLIC_URL
from config.settings.environment import env

# Where providers send notifications; the public address unless a tunnel says otherwise.
NOTIFY_BASE_URL = env.str("NOTIFY_BASE_URL", default=PUBLIC_URL)
CHANNEL_TIMEOUT_SECONDS = env.float("CHANNEL_TIMEOUT_SECONDS", default=10.0)
# Take the money with each shipment, where the channel can hold it until then; otherwise at once.
CAPTURE_ON_SHIPMENT = env.bool("CAPTURE_ON_SHIPMENT", default=False)
# When an order that has wholly left counts as done, unless somebody says earlier that it arrived.
ORDER_DONE_AFTER = timedelta(days=env.float("ORDER_DONE_AFTER_DAYS", default=14.0))
# How long before the provider lets go of what it holds somebody is warned.
HOLD_WARNING = timedelta(hours=env.float("HOLD_WARNING_HOURS", default=48.0))

# channel code → dotted path of a factory that takes the dictionary of settings below
CHANNELS = {
    "stripe": "payments.channels.stripe.channel.from_settings",
    "alipay": "payments.channels.alipay.channel.from_settings",
    "wechat": "payments.channels.wechat.channel.from_settings",
    "unionpay": "payments.channels.unionpay.channel.from_settings",
    "ecny": "payments.channels.ecny.channel.from_settings",
    "bank": "payments.channels.bank.channel.from_settings",
    "crypto": "payments.channels.crypto.channel.from_settings",
}
# method that the customer picks → channels that serve it, in order of preference
PAYMENT_METHODS = {
    "card": ["stripe"],
    "apple_pay": ["stripe"],
    "alipay": ["alipay", "stripe"],
    "wechat_pay": ["wechat", "stripe"],
    "unionpay": ["unionpay"],
    "e_cny": ["ecny"],
    "bank_transfer": ["bank"],
    "crypto": ["crypto"],
}
# What a channel costs until the console says otherwise: basis points, and minor units by currency for each payment.
CHANNEL_FEES = {
    "stripe": {"bps": 340, "fixed": {"CNY": 200, "USD": 30, "EUR": 30, "GBP": 20, "HKD": 235, "JPY": 40}},
    "alipay": {"bps": 60},
    "wechat": {"bps": 60},
}
# New payments avoid a channel when, of at least `least` in the window, so many ‰ were faults of the channel's.
BREAKER = {
    "window_seconds": env.int("BREAKER_WINDOW_SECONDS", default=60),
    "least": env.int("BREAKER_LEAST_CALLS", default=10),
    "fault_share": env.int("BREAKER_FAULT_SHARE", default=500),
    "open_seconds": env.int("BREAKER_OPEN_SECONDS", default=30),
}

# Whoever carries codes by SMS, in the profile of docs/risk-challenges.md; none unless both are set.
SMS = {
    "api_base": env.str("SMS_API_BASE", default=""),
    "api_key": env.str("SMS_API_KEY", default=""),
}

STRIPE = {
    "api_base": env.str("STRIPE_API_BASE", default="https://api.stripe.com"),
    # where evidence for disputes is sent; beside a sandbox's api_base it is the sandbox's too
    "files_base": env.str("STRIPE_FILES_BASE", default=""),
    "js_url": env.str("STRIPE_JS_URL", default="https://js.stripe.com/v3/"),
    "secret_key": env.str("STRIPE_SECRET_KEY", default=""),
    "publishable_key": env.str("STRIPE_PUBLISHABLE_KEY", default=""),
    "webhook_secrets": env.list("STRIPE_WEBHOOK_SECRETS", default=[]),
}
ALIPAY = {
    "gateway": env.str("ALIPAY_GATEWAY", default="https://openapi.alipay.com/gateway.do"),
    "app_id": env.str("ALIPAY_APP_ID", default=""),
    "seller_id": env.str("ALIPAY_SELLER_ID", default=""),
    "app_private_key_file": env.str("ALIPAY_APP_PRIVATE_KEY_FILE", default=""),
    "alipay_public_key_file": env.str("ALIPAY_PUBLIC_KEY_FILE", default=""),
    # further keys or certificates of Alipay's while it changes its own
    "also_accepted_key_files": env.list("ALIPAY_ALSO_ACCEPTED_KEY_FILES", default=[]),
    # both for certificate mode; then ALIPAY_PUBLIC_KEY_FILE is Alipay's certificate
    "app_certificate_file": env.str("ALIPAY_APP_CERTIFICATE_FILE", default=""),
    "alipay_root_certificate_file": env.str("ALIPAY_ROOT_CERTIFICATE_FILE", default=""),
    # what a desktop gets: "qr", or "page" for Alipay's own cashier
    "desktop_product": env.str("ALIPAY_DESKTOP_PRODUCT", default="qr"),
    "qr_product_code": env.str("ALIPAY_QR_PRODUCT_CODE", default="FACE_TO_FACE_PAYMENT"),
}
WECHAT = {
    "api_base": env.str("WECHAT_API_BASE", default="https://api.mch.weixin.qq.com"),
    "appid": env.str("WECHAT_APPID", default=""),
    "mchid": env.str("WECHAT_MCHID", default=""),
    "merchant_serial": env.str("WECHAT_MERCHANT_SERIAL", default=""),
    "merchant_private_key_file": env.str("WECHAT_MERCHANT_PRIVATE_KEY_FILE", default=""),
    "api_v3_key": env.str("WECHAT_API_V3_KEY", default=""),
    # "PUB_KEY_ID_…=/path.pem", several during a key switch
    "platform_keys": env.list("WECHAT_PLATFORM_KEYS", default=[]),
    # certificate mode: fetch WeChat Pay's certificates and keep them fresh; with both, a key switch is under way
    "platform_certificates": env.bool("WECHAT_PLATFORM_CERTIFICATES", default=False),
}
UNIONPAY = {
    "gateway": env.str("UNIONPAY_GATEWAY", default="https://gateway.95516.com/gateway/api"),
    "file_gateway": env.str("UNIONPAY_FILE_GATEWAY", default="https://filedownload.95516.com/"),
    "mer_id": env.str("UNIONPAY_MER_ID", default=""),
    "sign_key_file": env.str("UNIONPAY_SIGN_KEY_FILE", default=""),
    "sign_cert_file": env.str("UNIONPAY_SIGN_CERT_FILE", default=""),
    # One file may hold several certificates, while an issuer changes its own.
    "root_cert_file": env.str("UNIONPAY_ROOT_CERT_FILE", default=""),
    "middle_cert_file": env.str("UNIONPAY_MIDDLE_CERT_FILE", default=""),
    # The third part of the common name of UnionPay's own certificates.
    "common_name": env.str("UNIONPAY_COMMON_NAME", default="中国银联股份有限公司"),
    # Widths of the settlement file's columns; empty for those of the published sample.
    "statement_widths": env.list("UNIONPAY_STATEMENT_WIDTHS", cast=int, default=[]),
}
# A generic profile: the fields of a real e-CNY gateway stand in the contract with it. See docs/channels/ecny.md.
ECNY = {
    "gateway": env.str("ECNY_GATEWAY", default=""),
    "mch_id": env.str("ECNY_MCH_ID", default=""),
    "merchant_private_key_file": env.str("ECNY_MERCHANT_PRIVATE_KEY_FILE", default=""),
    # "key id=/path.pem", several while the gateway changes its key
    "gateway_keys": env.list("ECNY_GATEWAY_KEYS", default=[]),
}
# A generic profile of a bank's feed: see docs/channels/bank.md.
BANK = {
    "api_base": env.str("BANK_API_BASE", default=""),
    "account": env.str("BANK_ACCOUNT", default=""),  # IBAN or account number, without spaces
    "account_name": env.str("BANK_ACCOUNT_NAME", default=""),
    "bank_name": env.str("BANK_NAME", default=""),
    "bic": env.str("BANK_BIC", default=""),
    "currency": env.str("BANK_CURRENCY", default="CNY"),
    "token": env.str("BANK_TOKEN", default=""),
    "request_secret": env.str("BANK_REQUEST_SECRET", default=""),
    # several while the bank changes its secret
    "notice_secrets": env.list("BANK_NOTICE_SECRETS", default=[]),
}
# How long stock is held for a customer who pays by bank transfer.
BANK_TRANSFER_HOLD = timedelta(hours=env.int("BANK_TRANSFER_HOLD_HOURS", default=72))
# A generic profile of a processor's hosted invoices, off until it is switched on: see docs/channels/crypto.md.
CRYPTO = {
    "api_base": env.str("CRYPTO_API_BASE", default=""),
    "store": env.str("CRYPTO_STORE", default=""),
    "api_key": env.str("CRYPTO_API_KEY", default="") if env.bool("CRYPTO_ENABLED", default=False) else "",
    "webhook_secrets": env.list("CRYPTO_WEBHOOK_SECRETS", default=[]),
}
SANDBOX_URL = env.str("SANDBOX_URL", default="")
