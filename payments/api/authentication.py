"""API keys: `Authorization: Bearer sk_…`."""

import re

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from payments.services.recognise_api_key import ApiKeyInvalid, ApiKeyView, recognise_api_key

_BEARER = re.compile(r"Bearer +(sk_(?:test|live)_[A-Za-z0-9]{32})", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """A program with a key. `request.user` stays anonymous, `request.auth` is the key."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKeyView] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        match = _BEARER.fullmatch(header.strip())
        if match is None:
            raise AuthenticationFailed(
                "Send the API key as `Authorization: Bearer sk_test_…`, with nothing else.",
                code="api_key_malformed",
            )
        try:
            return AnonymousUser(), recognise_api_key(secret=match[1])
        except ApiKeyInvalid as invalid:
            raise AuthenticationFailed(str(invalid), code=invalid.code) from invalid

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
