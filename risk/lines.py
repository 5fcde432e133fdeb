"""A thread's own connection to Redis, for questions whose answer is read a little later."""

import os
import threading
from collections.abc import Sequence
from typing import Any

import redis


class Line(threading.local):
    """Each thread's own connection: to borrow one of a pool takes longer than to ask."""

    client: redis.Redis | None = None
    connection: Any = None
    owed = False  # an answer that nobody has read

    def ask(self, client: redis.Redis, command: Sequence[str | bytes | int]) -> None:
        """An answer to the question before that nobody read is not taken for one to this. Raises what Redis raises."""
        if self.client is not client or self.connection.pid != os.getpid():
            self.client, self.connection = client, client.connection_pool.make_connection()
        elif self.owed or self._was_left():
            self.connection.disconnect()
        self.owed = True
        self.connection.send_command(*command)

    def read(self) -> Any:
        answer = self.connection.read_response()
        self.owed = False
        return answer

    def _was_left(self) -> bool:
        try:
            return bool(self.connection.is_connected and self.connection.can_read())
        except redis.ConnectionError:
            return True
