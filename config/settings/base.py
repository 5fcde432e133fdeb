"""Django, its database, cache, templates, pages and API."""

from typing import Any

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from config import forwarding
from config.settings.environment import BASE_DIR, DATA_DIR, REQUIRED, env

# Django's generic classes take type parameters at run time too.
django_stubs_ext.monkeypatch()

if _missing := [name for name in REQUIRED if not env.str(name, default="")]:
    raise ImproperlyConfigured(
        f"{', '.join(_missing)} not set: set them in the environment, or start once with `make run`, "
        f"which writes them to {DATA_DIR / 'environment'}."
    )

SECRET_KEY = env.str("SECRET_KEY")
# signs seals and anchors of the audit journal; those that it took the place of still verify
AUDIT_HMAC_KEY = env.str("AUDIT_HMAC_KEY")
AUDIT_HMAC_OLD_KEYS: list[str] = env.list("AUDIT_HMAC_OLD_KEYS", default=[])
AUDIT_ANCHOR_DIR = env.str("AUDIT_ANCHOR_DIR", default="") or str(DATA_DIR / "audit")
# hashes personal entities of risk lists and velocity; another key forgets them all
RISK_ENTITY_KEY = env.str("RISK_ENTITY_KEY")
# A decision waits so long for its histories; then it counts in PostgreSQL.
RISK_REDIS_MS = env.int("RISK_REDIS_MS", default=15)
# So many orders that nobody has placed are looked at by one process at the same time.
RISK_SCREENINGS_AT_ONCE = env.int("RISK_SCREENINGS_AT_ONCE", default=4)
# files of the operator's: places of addresses (MaxMind's format), and networks of proxies, one a line
GEO_DATABASE = env.str("GEO_DATABASE", default="")
PROXY_NETWORKS = env.str("PROXY_NETWORKS", default="")
# key id → secret; the first signs, all verify
QUOTE_KEYS: dict[str, str] = env.dict("QUOTE_KEYS")
# version → 32 bytes in base64; the first seals what is kept of customers, all open
VAULT_KEYS: dict[str, str] = env.dict("VAULT_KEYS")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
try:
    TRUSTED_PROXIES = forwarding.proxies(env.list("FORWARDED_ALLOW_IPS", default=["127.0.0.1", "::1"]))
except ValueError as _wrong:
    raise ImproperlyConfigured(f"FORWARDED_ALLOW_IPS: {_wrong}.") from _wrong
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "pgtrigger",
    "django_celery_beat",
    "django_htmx",
    "django_structlog",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "ledger",
    "risk",
    "payments",
    "checkout",
    "reconciliation",
    "config",
]

MIDDLEWARE = [
    "config.middleware.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.policies.ContentPolicyMiddleware",
    "config.browsing.BrowserSessionMiddleware",
    "config.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.browsing.BrowserSignInMiddleware",
    "config.browsing.BrowserMessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.browsing.BrowserHtmxMiddleware",
    "config.browsing.BrowserDeviceMiddleware",
    "checkout.middleware.RefusalPageMiddleware",
    "config.middleware.RequestLogMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
LOGIN_URL = "checkout:sign-in"
LOGIN_REDIRECT_URL = "checkout:orders"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "checkout.context_processors.page",
            ]
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": {
        **env.db("DATABASE_URL", engine="config.postgresql"),
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # Of what is sent by `ledger.wire`; Django's own statements are not prepared. A pooler that does not know
        # prepared statements (PgBouncer before 1.21) needs this switched off.
        "OPTIONS": {
            "prepare_threshold": 2 if env.bool("DATABASE_PREPARED_STATEMENTS", default=True) else None
        },
    }
}

REDIS_URL = env.str("REDIS_URL")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

LANGUAGE_CODE = "en"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
# Compiled from config/locale by `manage.py prepare` (no gettext is needed).
LOCALE_PATHS = [DATA_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
# Whose midnight ends an accounting day.
LEDGER_TIME_ZONE = env.str("LEDGER_TIME_ZONE", default="Asia/Shanghai")
# So many days after its end an accounting day closes by itself; 0 or nothing: never, a person closes it.
LEDGER_CLOSE_AFTER_DAYS = int(env.str("LEDGER_CLOSE_AFTER_DAYS", default="7") or 0)
USE_I18N = True
# English is read all over the world: days are written year first, hours from 0 to 23.
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = DATA_DIR / "media"

if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"
# No mail server keeps anybody waiting longer.
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", default=10)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Smart Checkout <shop@localhost>")

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.problems.problem_response",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "payments.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
}

# Where other programs hear of every event: redis://… or nats://…
EVENT_BUS_URL = env.str("EVENT_BUS_URL", default="") or REDIS_URL
EVENT_BUS_PREFIX = env.str("EVENT_BUS_PREFIX", default="smartcheckout")
EVENT_BUS_KEEP = env.int("EVENT_BUS_KEEP", default=100_000)  # events; older ones fall off

# Webhooks to merchants: at once by so many threads of each relay; to this machine itself only while developing.
WEBHOOK_SENDERS = env.int("WEBHOOK_SENDERS", default=4)
WEBHOOK_ALLOW_LOOPBACK = env.bool("WEBHOOK_ALLOW_LOOPBACK", default=DEBUG)
# Who else hears that an endpoint was switched off.
OPERATIONS_EMAILS = env.list("OPERATIONS_EMAILS", default=[])

# Who asks /metrics shows it as a bearer token; without one there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# How long events that everybody has heard of, and notifications that were applied, can still be looked at.
EVENTS_KEPT_DAYS = env.int("EVENTS_KEPT_DAYS", default=90)

# Of one API key, user, or guest's address.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=60_000)

# Minor units by currency: a refund that brings what nobody approved of a payment above it waits for a second person.
# What is refunded in another currency always waits.
REFUND_APPROVAL_ABOVE: dict[str, int] = env.json(
    "REFUND_APPROVAL_ABOVE",
    default={
        "CNY": 100_000,
        "HKD": 100_000,
        "USD": 15_000,
        "EUR": 15_000,
        "GBP": 12_000,
        "SGD": 20_000,
        "JPY": 20_000,
    },
)
# Minor units by currency: a repair of the books above it waits for a second person; in another currency, always.
RECONCILIATION_APPROVAL_ABOVE: dict[str, int] = env.json(
    "RECONCILIATION_APPROVAL_ABOVE", default={"CNY": 50_000, "HKD": 50_000, "USD": 7_500, "EUR": 7_500}
)
# Minor units by currency: above it no rule resolves anything by itself, whatever the rule says.
RECONCILIATION_RULE_CEILING: dict[str, int] = env.json(
    "RECONCILIATION_RULE_CEILING", default={"CNY": 10_000, "HKD": 10_000, "USD": 1_500, "EUR": 1_500}
)
# Days for which a discrepancy that waits for a later file is off the list of what is to be done now.
RECONCILIATION_WAIT_DAYS = env.int("RECONCILIATION_WAIT_DAYS", default=3)
# Minor units by currency: the customer is asked to look twice at a payment above it; in another currency, never. It is
# no part of a risk policy: what the policy looks at, and from where, is not shown to those who pay.
LARGE_PAYMENT_ABOVE: dict[str, int] = env.json(
    "LARGE_PAYMENT_ABOVE",
    default={
        "CNY": 500_000,
        "HKD": 500_000,
        "USD": 70_000,
        "EUR": 60_000,
        "GBP": 50_000,
        "SGD": 90_000,
        "AUD": 100_000,
        "JPY": 100_000,
        "KRW": 1_000_000,
    },
)
# Days after payment in which a customer's own wish to have unsent goods refunded needs nobody's approval.
REFUND_WINDOW_DAYS = env.int("REFUND_WINDOW_DAYS", default=14)

SPECTACULAR_SETTINGS = {
    "TITLE": "Smart Checkout",
    "DESCRIPTION": "Catalogue, quotes, orders, payments and refunds. Errors are RFC 9457 problem details.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "ChallengeKind": "checkout.api.serializers.challenges.KINDS",
        "CodeKind": "checkout.api.serializers.challenges.CODE_KINDS",
        "OrderState": "checkout.states.OrderState",
        "PaymentState": "payments.states.PaymentState",
        "RefundState": "payments.states.RefundState",
        "WebhookEndpointState": "payments.states.WebhookEndpointState",
        "WebhookMessageState": "payments.states.WebhookMessageState",
    },
}
