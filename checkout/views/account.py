"""Signing in, on Django's own views."""

from django.contrib.auth.views import LoginView
from django.urls import reverse


class SignIn(LoginView):
    template_name = "checkout/sign_in.html"

    def get_default_redirect_url(self) -> str:
        return reverse("checkout:orders")
