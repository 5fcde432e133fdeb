"""What every request passes."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from ledger.audit import current_network, current_request_id, network_of


class RequestIdMiddleware:
    """One name for a request, in its log lines, in what it writes to the audit journal, and in its answer.

    Stands after django-structlog's middleware, which takes the name from `X-Request-ID` or makes one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
        token = current_request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            current_request_id.reset(token)
        if request_id:
            response["X-Request-ID"] = request_id
        return response


class RequestNetworkMiddleware:
    """Where a request came from: its address for the log, for the audit journal the network only. Which address
    counts, gunicorn decides (FORWARDED_ALLOW_IPS)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        address = request.META.get("REMOTE_ADDR", "")
        structlog.contextvars.bind_contextvars(ip=address)
        token = current_network.set(network_of(address))
        try:
            return self.get_response(request)
        finally:
            current_network.reset(token)
