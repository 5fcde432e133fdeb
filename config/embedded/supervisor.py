"""One process over all parts: starts them, starts them again when they die, stops them in order.

It stays single-threaded: the kernel ties a child's death signal to the thread that started it.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from config.embedded.errors import CannotStart, Interrupted
from config.embedded.process import kill_group

_SHORT_LIFE = 10.0  # seconds: a part that dies sooner did not really start
_DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_TELL_AFTER = 4  # short lives in a row
_LOG_LIMIT = 20_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A program to keep alive. `start` gets the descriptor of its log; `answers` says that it does its work."""

    name: str
    start: Callable[[int], subprocess.Popen[bytes]]
    answers: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    foundation: bool = False  # others need it: it is stopped after them
    # seconds between its stop signal and SIGKILL, which whatever our own programs do must bear anyway
    grace: float = 5.0


@dataclass(slots=True)
class _Life:
    part: Part
    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.monotonic)
    short_lives: int = 0
    again_at: float | None = None


class Supervisor:
    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._lives: list[_Life] = []
        self._asked_to_stop = False
        self._interruptible = False

    def obey_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and a closed terminal end us in order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        first, self._asked_to_stop = not self._asked_to_stop, True
        if first and self._interruptible:
            raise Interrupted

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """For what may take long and can be left at any point: a signal ends it at once with `Interrupted`."""
        self._interruptible = True
        try:
            self.check_not_interrupted()
            yield
        finally:
            self._interruptible = False

    def check_not_interrupted(self) -> None:
        if self._asked_to_stop:
            raise Interrupted

    @property
    def has_parts(self) -> bool:
        return bool(self._lives)

    def start(self, part: Part) -> None:
        self._lives.append(_Life(part, self._spawn(part)))

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        with self._log(part.name).open("ab") as log:
            return part.start(log.fileno())

    def _log(self, name: str) -> Path:
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

    def wait_for(self, *names: str, seconds: float = 240.0) -> None:
        """Return once these parts answer. Raises `CannotStart` when any part died or one takes too long."""
        end = time.monotonic() + seconds
        waiting = [life for life in self._lives if life.part.name in names]
        while waiting:
            self.check_not_interrupted()
            for life in self._lives:
                if life.process.poll() is not None:
                    raise CannotStart(self._obituary(life.part.name))
            with self.interruptible():
                waiting = [life for life in waiting if not life.part.answers()]
            if waiting and time.monotonic() > end:
                late = ", ".join(life.part.name for life in waiting)
                raise CannotStart(f"{late} did not answer within {seconds:.0f} s: see {self._logs}")
            if waiting:
                time.sleep(0.1)

    def run_once(self, name: str, start: Callable[[int], subprocess.Popen[bytes]]) -> None:
        """Run a program to its end. Raises `CannotStart` with its last words when it fails."""
        with self._log(name).open("ab") as log:
            process = start(log.fileno())
        try:
            while process.poll() is None:
                self.check_not_interrupted()
                time.sleep(0.05)
        finally:
            kill_group(process)
        if process.returncode:
            self.check_not_interrupted()
            raise CannotStart(self._obituary(name))

    def watch(self) -> None:
        """Keep every part alive until somebody asks to stop."""
        while not self._asked_to_stop:
            for life in self._lives:
                self._look_after(life)
            time.sleep(0.2)

    def _look_after(self, life: _Life) -> None:
        now = time.monotonic()
        if life.again_at is not None:
            if now >= life.again_at:
                life.process, life.began, life.again_at = self._spawn(life.part), now, None
            return
        if life.process.poll() is None:
            return
        kill_group(life.process)
        life.short_lives = life.short_lives + 1 if now - life.began < _SHORT_LIFE else 0
        delay = _DELAYS[min(life.short_lives, len(_DELAYS) - 1)]
        life.again_at = now + delay
        if life.short_lives < _TELL_AFTER:
            self._say(f"{life.part.name} ended ({_manner(life.process)}); starting it again")
        elif life.short_lives == _TELL_AFTER:
            self._say(f"{self._obituary(life.part.name)}; trying again every {_DELAYS[-1]:.0f} s")

    def stop(self) -> None:
        """End the parts with their own signals, those that others need last; after their grace with SIGKILL."""
        for foundation in (False, True):
            leaving = [life for life in self._lives if life.part.foundation == foundation]
            for life in leaving:
                life.process.send_signal(life.part.stop_signal)
            told = time.monotonic()
            for life in leaving:
                try:
                    life.process.wait(timeout=max(0.0, told + life.part.grace - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._say(f"{life.part.name} did not leave within {life.part.grace:.0f} s and is killed")
                kill_group(life.process)
        self._lives.clear()

    def _obituary(self, name: str) -> str:
        path = self._logs / f"{name}.log"
        return f"{name} ended: {_last_line(path)} (see {path})"


def _manner(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 20_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return "it left no log"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
