"""What browsers are told to allow, and how cookies travel."""

from urllib.parse import urlsplit

from config.settings.base import PUBLIC_URL
from config.settings.channels import ALIPAY, STRIPE, UNIONPAY
from config.settings.environment import env


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


_served_by_tls = PUBLIC_URL.startswith("https://")

# Behind a proxy that ends TLS and sets this header itself; never trusted otherwise.
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if _served_by_tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _served_by_tls
SECURE_SSL_REDIRECT = _served_by_tls
# Probes inside a private network come without TLS.
SECURE_REDIRECT_EXEMPT = [r"^health(/ready)?$"]
SECURE_REFERRER_POLICY = "same-origin"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[_origin(PUBLIC_URL)])
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = _served_by_tls
SESSION_COOKIE_HTTPONLY = True
# Cookies do not know ports: two copies on one machine must not sign each other out.
SESSION_COOKIE_NAME = f"session_{urlsplit(PUBLIC_URL).port or 'shop'}"
# Our own pages frame the page that a 3-D Secure challenge returns to.
X_FRAME_OPTIONS = "SAMEORIGIN"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Card fields and the challenge are frames of the card provider's.
_card_provider = [_origin(STRIPE["js_url"])]
if _card_provider == ["https://js.stripe.com"]:
    _card_provider += ["https://*.js.stripe.com", "https://hooks.stripe.com"]
# Browsers hold redirects that follow a form to form-action, so the wallets' cashiers are named.
_cashiers = [_origin(ALIPAY["gateway"]), "https://*.alipay.com", "https://wx.tenpay.com"]
# UnionPay's is reached by a form.
_cashiers += [_origin(UNIONPAY["gateway"]), "https://*.95516.com", "https://*.unionpay.com"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'", *_card_provider],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'", _origin(STRIPE["api_base"])],
        "frame-src": ["'self'", *_card_provider],
        "form-action": ["'self'", *_card_provider, *_cashiers],
        "manifest-src": ["'self'"],
        "frame-ancestors": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
# The console's Alpine.js evaluates attributes and its themes are inline styles; scripts still come from us alone.
CONSOLE_CONTENT_SECURITY_POLICY = {
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "form-action": ["'self'"],
    "frame-src": ["'none'"],
    "connect-src": ["'self'"],
}
