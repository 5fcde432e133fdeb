"""API keys: `Authorization: Bearer sk_…`, and what a key may do."""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from payments.models.api_key import Scope as Scope
from payments.services.recognise_api_key import ApiKeyInvalid, ApiKeyView, recognise_api_key

_BEARER = re.compile(r"Bearer +(sk_(?:test|live)_[A-Za-z0-9]{32})", re.IGNORECASE)


class ApiKeyAuthentication(BaseAuthentication):
    """A program with a key. It is nobody's session: `request.user` stays anonymous, `request.auth` is the key."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKeyView] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        match = _BEARER.fullmatch(header.strip())
        if match is None:
            raise AuthenticationFailed(
                "Send the API key as `Authorization: Bearer sk_test_…`, with nothing else.", code="api_key_malformed"
            )
        try:
            return AnonymousUser(), recognise_api_key(secret=match[1])
        except ApiKeyInvalid as invalid:
            raise AuthenticationFailed(str(invalid), code=invalid.code) from invalid

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class RequiresScope(BasePermission):
    """For views that name `scopes` by method. People are not held to scopes: what is theirs is theirs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
        needed = scopes.get(str(request.method))
        if needed is None or not isinstance(request.auth, ApiKeyView) or needed in request.auth.scopes:
            return True
        raise PermissionDenied(f"This API key lacks the scope {needed}. Issue one that has it.", code="scope_missing")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "payments.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "sk_test_…",
            "description": "A key from `manage.py issue_api_key`. Its secret is shown once.",
        }
