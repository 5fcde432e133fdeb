"""What only browsers need: sessions, signing in, messages, htmx, the device's cookie. Programs pass it by.

Whoever sends an `Authorization` header to the API is a program, whatever else it sends: its key alone says who it is,
and with a wrong one it is refused, no session looked at (`payments.api.authentication`). A browser's own requests to
the API carry a session's cookie, and pass all of this.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django_htmx.middleware import HtmxMiddleware

from checkout.middleware import DeviceCookieMiddleware

_API = "/api/v1/"


def is_of_a_program(request: HttpRequest) -> bool:
    return bool(request.META.get("HTTP_AUTHORIZATION")) and request.path_info.startswith(_API)


class _ForBrowsers:
    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if is_of_a_program(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class BrowserSessionMiddleware(_ForBrowsers, SessionMiddleware):
    pass


class BrowserSignInMiddleware(_ForBrowsers, AuthenticationMiddleware):
    pass


class BrowserMessageMiddleware(_ForBrowsers, MessageMiddleware):
    pass


class BrowserHtmxMiddleware(_ForBrowsers, HtmxMiddleware):
    pass


class BrowserDeviceMiddleware(_ForBrowsers, DeviceCookieMiddleware):
    pass
