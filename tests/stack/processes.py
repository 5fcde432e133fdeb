"""The processes of one copy, known by its data folder: other copies may run on the same machine."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def of(data: Path, *words: str) -> list[int]:
    """Living processes that were told this data folder, or work inside it, with all `words` in their command."""
    told = f"SMART_CHECKOUT_DATA={data}".encode()
    return sorted(
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _belongs(folder, data, told) and _commanded(folder, words)
    )


def kill(data: Path, *words: str) -> list[int]:
    """SIGKILL to all of them at once; returns who they were."""
    victims = of(data, *words)
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return victims


def _belongs(folder: Path, data: Path, told: bytes) -> bool:
    try:
        if told in (folder / "environ").read_bytes().split(b"\0"):
            return True
        return (folder / "cwd").readlink().is_relative_to(data)
    except OSError:
        return False


def _commanded(folder: Path, words: tuple[str, ...]) -> bool:
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False
    return bool(command) and all(word in command for word in words)
