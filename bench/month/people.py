"""The people of the console: one presses the buttons, another agrees where two are needed."""

from typing import Any

import httpx

from tests.stack.copy import Stack


class Person:
    """Signed in, as in a browser without scripts."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._base = stack.url
        self._http = httpx.Client(timeout=60, trust_env=False, follow_redirects=True)
        self._http.get(f"{self._base}/sign-in/").raise_for_status()
        self.press("/sign-in/", {"username": name, "password": stack.sign_in_words(name)})

    def press(self, page: str, fields: dict[str, str]) -> str:
        form: dict[str, Any] = {**fields, "csrfmiddlewaretoken": self._http.cookies["csrftoken"]}
        answer = self._http.post(f"{self._base}{page}", data=form, headers={"Referer": f"{self._base}{page}"})
        answer.raise_for_status()
        return answer.text
