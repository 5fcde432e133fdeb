"""Starting a program that can not outlive us, and, for root, as an account that PostgreSQL accepts.

The kernel signals the child when our process is gone (`PR_SET_PDEATHSIG`), even after SIGKILL. By default it kills it:
a worker that outlived its database would fail its task, and a failed task is done with; a killed one's is taken up
again. What the child forks must say of itself that it ends with its parent (`end_with`). A child of root that
must run as somebody else may be unable to reach its files (a project under /root): instead of opening directories
to everybody it keeps one capability, to search and read, and only when a folder on the way demands it.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS, _NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_on_linux = sys.platform == "linux"


class NoOrdinaryAccount(Exception):
    """Root has no account to hand the database to."""


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int


def account_for_database() -> Account | None:
    """None: our own account will do. As root, the account that PostgreSQL is to run as."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NoOrdinaryAccount(
        "PostgreSQL refuses to run as root and there is no account postgres or nobody to run it as. "
        "Run as an ordinary user, or give DATABASE_URL."
    )


def reachable_by_all(*paths: Path) -> bool:
    """Whether every folder on the way to `paths` may be searched by everybody."""
    folders = {folder for path in paths for folder in path.resolve().parents}
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: IO[bytes] | int,
    account: Account | None = None,
    may_search: bool = False,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own session and process group. `may_search`: see the module's first lines."""
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_before_exec(account, may_search, death_signal),  # noqa: PLW1509 (we have one thread)
        )
    except subprocess.SubprocessError as error:
        who = account.name if account else "ourselves"
        raise NoOrdinaryAccount(
            f"PostgreSQL refuses to run as root, and root here may not become {who}: "
            "run as an ordinary user, or give DATABASE_URL."
        ) from error


def _before_exec(
    account: Account | None, may_search: bool, death_signal: signal.Signals
) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        if account is not None:
            _become(account, may_search)
        # Changing the account clears the death signal, so it is set last.
        end_with(parent, death_signal)

    return prepare


def end_with(parent: int, death_signal: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel signal this process when the thread of `parent` that forked it is gone; Linux only."""
    if not _on_linux:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def kill_group(leader: subprocess.Popen[bytes]) -> None:
    """End a program that `spawn` started, or what it left behind in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _become(account: Account, may_search: bool) -> None:
    keep = _capability_to_search() if may_search and _on_linux else None
    if keep is not None:
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # PostgreSQL asks access(2) for its own files, which disregards capabilities of anybody but root without this.
        _libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    if keep is not None:
        header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
        mask = 1 << keep
        sets = (_CapabilitySets * 2)(_CapabilitySets(mask, mask, mask))
        _libc.capset(ctypes.byref(header), sets)
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, keep, 0, 0)


def _capability_to_search() -> int | None:
    """The smaller of the two that open a closed folder, or None when root here has neither."""
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySets * 2)()
    _libc.capget(ctypes.byref(header), sets)
    held = sets[0].permitted
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if held & (1 << capability):
            return capability
    return None
