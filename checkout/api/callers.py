"""Who calls and from which device, out of the HTTP request."""

import re

from rest_framework.request import Request

from checkout import conduct
from checkout.facts import Client, Viewer
from payments.services.recognise_api_key import ApiKeyView

ORDER_TOKEN_HEADER = "Order-Token"
_TOKEN = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,200}")
_MAX_TOKENS = 20
_PHONE = re.compile(r"Mobi|Android|iPhone", re.IGNORECASE)


def viewer_of(request: Request, *granting: str) -> Viewer:
    """A key's scopes, a session's user, a guest's order tokens: whatever the request carries.

    `granting` is what the operation needs of the order beneath it, for a key that has the operation's own scope:
    who may pay orders need not be able to change them.
    """
    key = request.auth if isinstance(request.auth, ApiKeyView) else None
    return Viewer(
        user_id=request.user.pk if request.user.is_authenticated else None,
        order_tokens=_order_tokens(request),
        scopes=key.scopes.union(granting) if key else frozenset(),
        api_key=key.id if key else "",
    )


def client_of(request: Request, told: str = "") -> Client:
    """The customer's device, with what it says of itself. Behind an API key stands a server, whose address tells
    nothing."""
    behaved = conduct.read(told, shown_for=None)
    if isinstance(request.auth, ApiKeyView):
        return Client(language=request.LANGUAGE_CODE, session=request.auth.id, conduct=behaved)
    agent = request.headers.get("User-Agent", "")
    return Client(
        ip=request.META.get("REMOTE_ADDR", ""),
        # Without the cookie of a page the device has a name that nobody will say again.
        device_id=getattr(request, "device_id", "") if getattr(request, "device_kept", False) else "",
        device_kind="phone" if _PHONE.search(agent) else "desktop",
        language=request.LANGUAGE_CODE,
        session=request.headers.get(ORDER_TOKEN_HEADER, "") or request.session.session_key or "",
        label=conduct.label(agent),
        conduct=behaved,
    )


def _order_tokens(request: Request) -> frozenset[str]:
    sent = [token.strip() for token in request.META.get("HTTP_ORDER_TOKEN", "").split(",")[:_MAX_TOKENS]]
    return frozenset(token for token in sent if _TOKEN.fullmatch(token))
