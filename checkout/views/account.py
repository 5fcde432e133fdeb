"""Signing in, on Django's own views."""

from django.contrib.auth.views import LoginView


class SignIn(LoginView):
    template_name = "checkout/sign_in.html"
