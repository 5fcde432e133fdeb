"""What every request passes."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.forwarding import client_address
from ledger.audit import current_network, current_request_id, network_of


class ClientAddressMiddleware:
    """Behind a proxy `REMOTE_ADDR` is the customer's address from here on, if the proxy is one of ours.

    gunicorn's threads leave the proxy's own there. Stands first: limits, risk, the journal and the log read it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        told = request.META
        peer, forwarded = told.get("REMOTE_ADDR", ""), told.get("HTTP_X_FORWARDED_FOR", "")
        told["REMOTE_ADDR"] = client_address(peer, forwarded, settings.TRUSTED_PROXIES)
        return self.get_response(request)


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
    """Where a request came from: its address for the log, for the audit journal the network only."""

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
