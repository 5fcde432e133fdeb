"""What a handler of WeChat Pay's API takes and gives."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from sandbox.provider import World
from sandbox.wechat.orders import Account

Content = Mapping[str, Any]
Answer = tuple[int, dict[str, Any] | None]
Handler = Callable[[World, Account, Request, Content], Answer]


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
