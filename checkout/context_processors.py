"""What every page shows: how full the cart is, and the other language."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from checkout.views.session import cart_count


def page(request: HttpRequest) -> dict[str, Any]:
    # A middleware may refuse a request before there is a session.
    count = cart_count(request) if hasattr(request, "session") else 0
    others = [(code, name) for code, name in settings.LANGUAGES if code != get_language()]
    return {"cart_count": count, "other_languages": others}
