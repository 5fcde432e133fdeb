"""The Content-Security-Policy of each page: the shop's, or the console's; a program's answer is no page."""

from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

_NO_PAGE = "default-src 'none'; frame-ancestors 'none'"


class ContentPolicyMiddleware(CSPMiddleware):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.get("Content-Type") in {"application/json", "application/problem+json"}:
            response["Content-Security-Policy"] = _NO_PAGE
            return response
        if request.path_info.startswith(reverse("admin:index")):
            replaced = {**settings.CONSOLE_CONTENT_SECURITY_POLICY, **getattr(response, "_csp_replace", {})}
            response._csp_replace = replaced  # type: ignore[attr-defined]
        return super().process_response(request, response)
