"""A copy of the program as a person starts it, in a project folder of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded import process
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parent.parent.parent


def copy_project(target: Path) -> Path:
    """The project's files without its data, tests and environment.

    With what is compiled of it, which every program of the copy would compile again where it may not write. (Half
    compiled is what another process is just writing, and gone soon.)
    """
    unwanted = shutil.ignore_patterns(".*", "var", "tests", "docs", "*.pyc.*", "node_modules")
    shutil.copytree(ROOT, target, ignore=unwanted)
    return target


@dataclass
class Copy:
    """`account`: who runs it (None: we). `extra`: environment variables beside the bare ones."""

    project: Path
    data: Path
    port: int
    account: process.Account | None = None
    extra: dict[str, str] = field(default_factory=dict)
    running: "subprocess.Popen[bytes] | None" = None

    output: Path = field(init=False)

    def __post_init__(self) -> None:
        self.output = self.project.with_name(f"output of {self.port}")

    @property
    def printed(self) -> str:
        return self.output.read_text()

    def begin(self, terminal: int | None = None) -> None:
        """Start and do not wait. `terminal`: a descriptor to print on (None: a file, which `printed` reads)."""
        command = [sys.executable, "manage.py", "up", "--no-browser", "--port", str(self.port)]
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(self.data.parent)}
        # Like `manage.py`, the copy must write no byte code into the interpreter of somebody else.
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"} | self.extra
        with self.output.open("wb") as output:
            self.running = process.spawn(
                [*command, "--data", str(self.data)],
                cwd=self.project,
                env=environment,
                output=output if terminal is None else terminal,
                account=self.account,
                may_search=True,
                death_signal=signal.SIGTERM,
            )

    def start(self) -> float:
        """Start and wait for `Ready:`; returns the seconds it took."""
        began = time.monotonic()
        self.begin()
        assert self.running
        while "\nReady:" not in self.printed:
            assert self.running.poll() is None, self.printed
            assert time.monotonic() - began < PATIENCE, self.printed
            time.sleep(0.1)
        return time.monotonic() - began

    def refusal(self) -> str:
        """Start what must not start: its one line, after exit code 1."""
        self.begin()
        assert self.running
        assert self.running.wait(PATIENCE) == 1, self.printed
        return self.printed

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self.running
        self.running.send_signal(how)
        return self.running.wait(PATIENCE)

    def processes(self) -> list[tuple[int, str]]:
        """Every living process that works in this data folder, or names it in its command or its environment."""
        return [(pid, words) for pid, words, told in _all_processes() if bytes(self.data) in told]

    def part(self, word: str) -> int:
        """The process that the supervisor itself started with `word` in its command line."""
        assert self.running
        supervisor = self.running.pid
        found = [pid for pid, words in self.processes() if word in words and _parent(pid) == supervisor]
        assert len(found) == 1, (word, found)
        return found[0]


def _all_processes() -> list[tuple[int, str, bytes]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
                surroundings = (folder / "environ").read_bytes() + bytes((folder / "cwd").readlink())
            except OSError:
                continue
            if command:
                told = command + surroundings
                found.append((int(folder.name), command.replace(b"\0", b" ").decode(errors="replace"), told))
    return found


def _parent(pid: int) -> int:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
