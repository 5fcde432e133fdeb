"""What every request passes."""

import logging
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django_structlog.middlewares import RequestMiddleware
from uuid_utils import uuid4

from config.forwarding import client_address
from ledger.audit import current_network, current_request_id, network_of

log = structlog.get_logger(__name__)
_levels = logging.getLogger(__name__)


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


class LanguageMiddleware:
    """The language that a request asks for. Django's own also looks for one in the address, where ours have none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = request.LANGUAGE_CODE = translation.get_language_from_request(request)
        translation.activate(language)
        response = self.get_response(request)
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", language)
        return response


class RequestLogMiddleware(RequestMiddleware):
    """One name for a request, in its log lines, in what it writes to the audit journal, and in its answer; with where
    it came from: the address for the log, for the journal the network only.

    A request is one line of log, when it is answered; that it began is told by another where `DEBUG` is asked for.
    django-structlog's own middleware, which tells it of what breaks, does this for its listeners, of which we have
    none.
    """

    get_response: Callable[[HttpRequest], HttpResponse]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name, address = str(uuid4()), request.META.get("REMOTE_ADDR", "")
        structlog.contextvars.bind_contextvars(request_id=name, ip=address)
        self.bind_user_id(request)
        if _levels.isEnabledFor(logging.DEBUG):
            agent = request.META.get("HTTP_USER_AGENT")
            log.debug("request_started", request=self.format_request(request), user_agent=agent)
        named, seen = current_request_id.set(name), current_network.set(network_of(address))
        try:
            response = self.get_response(request)
        finally:
            current_network.reset(seen)
            current_request_id.reset(named)
        response["X-Request-ID"] = name
        self.handle_response(request, response)
        return response

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        if response.streaming or hasattr(request, "_raised_exception"):
            return super().handle_response(request, response)
        self.bind_user_id(request)
        level = self._log_level_for_status_code(response.status_code)
        log.log(level, "request_finished", code=response.status_code, request=self.format_request(request))
        structlog.contextvars.clear_contextvars()
        return None
