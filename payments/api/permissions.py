"""What an API key may do."""

from collections.abc import Mapping

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from payments.models.api_key import Scope as Scope
from payments.services.recognise_api_key import ApiKeyView


class RequiresScope(BasePermission):
    """For views that name `scopes` by method. People are not held to scopes: what is theirs is theirs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        scopes: Mapping[str, Scope] = getattr(view, "scopes", {})
        needed = scopes.get(str(request.method))
        if needed is None or not isinstance(request.auth, ApiKeyView) or needed in request.auth.scopes:
            return True
        raise PermissionDenied(
            f"This API key lacks the scope {needed}. Issue one that has it.", code="scope_missing"
        )
