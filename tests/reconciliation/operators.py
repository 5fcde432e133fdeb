"""People of the console, by role, and what they see and press on the list of stuck money."""

import re
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from config.people import ensure_roles

LIST = "/console/stuck/"


def person(role: str, name: str = "") -> Client:
    """Somebody with just the rights of this role."""
    ensure_roles()
    user = User.objects.create_user(name or role.replace(" ", ""), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def seen(client: Client, **query: Any) -> list[str]:
    """The subjects on the list's first page."""
    return re.findall(r'data-subject="([^"]+)"', client.get(LIST, query).text)


def press(client: Client, kind: str, subject: str, do: str, reason: str = "On the phone") -> str:
    """The page that follows."""
    answer = client.post(f"{LIST}{kind}/{subject}/", {"do": do, "reason": reason}, follow=True)
    assert answer.status_code == 200, answer.status_code
    return str(answer.text)
