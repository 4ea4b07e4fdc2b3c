"""Locks of GPUs for the whole machine, and who holds them.

A lock is an flock on a file that is never removed: the kernel frees it when the last process that
has it open dies, however it dies. Children made by `fork` keep it, which is meant, for they may
still use the GPU; `keepers` finds them. What stands in the file says who took the lock, and counts
only while the lock is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from workspace import machine
from workspace.errors import WorkError

LOCKS = Path("/tmp/welltempered-gpu-locks")
"""The same for every user and whatever TMPDIR says: a lock guards a device, not a session."""
_READ_BYTES = 8192


@dataclass(frozen=True)
class Owner:
    """Who holds a GPU or waits for one. Read from files that anybody may write: not trusted."""

    job: str = ""
    """Empty for a command that is no job, such as `temper chat`."""
    kind: str = ""
    workspace: str = ""
    pid: int = 0
    process_started: float = 0.0
    """Seconds since 1970."""
    user: str = ""
    since: float = 0.0
    """When it took the lock or the ticket, in seconds since 1970."""

    @classmethod
    def this_process(cls, *, job: str = "", kind: str = "", workspace: str = "") -> Owner:
        """Return what names this process, now."""
        pid = os.getpid()
        return cls(
            job,
            kind,
            workspace,
            pid,
            machine.process_started(pid) or 0.0,
            _user(),
            round(time.time(), 3),
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process itself is there; its children may outlive it."""
        return bool(self.pid) and machine.is_same_process(self.pid, self.process_started)

    def __str__(self) -> str:
        if not self.pid:
            return "a process that did not say which"
        what = f"job {self.job}" if self.job else "a command"
        where = f", workspace {self.workspace}" if self.workspace else ""
        user = f", user {self.user}" if self.user and self.user != _user() else ""
        return f"{what} (pid {self.pid}{where}{user})"


_TYPES: dict[str, type | tuple[type, ...]] = {
    field.name: (int, float) if isinstance(field.default, float) else type(field.default)
    for field in fields(Owner)
}


@dataclass(frozen=True)
class Holder:
    """Who holds a GPU's lock."""

    uuid: str
    owner: Owner
    orphans: tuple[str, ...] = ()
    """The children that hold the lock although its owner is gone, each with its pid."""

    def __str__(self) -> str:
        if self.owner.is_alive:
            return str(self.owner)
        children = ", ".join(self.orphans) or "a process of another user"
        return f"{children}, left behind by {self.owner}, which is gone"


def lock_directory() -> Path:
    """Return the directory of locks and tickets, made open to every user if need be."""
    if not LOCKS.is_dir():
        with contextlib.suppress(FileExistsError):
            LOCKS.mkdir(parents=True)
            LOCKS.chmod(0o1777)  # past the umask: every user of the machine takes locks here
    return LOCKS


def open_shared(path: Path) -> IO[bytes]:
    """Open a file that all users lock, made with mode 0666 if need be.

    Opened without O_CREAT where it is there: in a sticky directory Linux refuses O_CREAT on a file
    of another user (sysctl fs.protected_regular), whatever its mode.

    Raises:
        WorkError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        while True:
            with contextlib.suppress(FileNotFoundError):
                return os.fdopen(os.open(path, flags), "r+b", buffering=0)
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(descriptor, 0o666)
                return os.fdopen(descriptor, "r+b", buffering=0)
    except OSError as error:
        raise WorkError(
            "the lock of this GPU cannot be opened",
            where=str(path),
            cause=f"{error.strerror}.",
            cure=f"Its owner can mend it: chmod 666 {path}",
        ) from error


def try_flock(stream: IO[bytes]) -> bool:
    """Lock an open file for this process alone if nobody has; tell whether that worked."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_lock(uuid: str, owner: Owner) -> IO[bytes] | None:
    """Take the lock of a GPU for `owner`, or return None where it is held."""
    stream = open_shared(_path(uuid))
    if not try_flock(stream):
        stream.close()
        return None
    write_document(stream, asdict(owner))
    return stream


def release(lock: IO[bytes]) -> None:
    """Let go of a lock; children that were forked meanwhile keep it."""
    lock.close()


def is_free(uuid: str) -> bool:
    """Tell whether a GPU's lock can be taken now."""
    path = _path(uuid)
    if not path.exists():
        return True
    with open_shared(path) as stream:
        return try_flock(stream)


def holder(uuid: str) -> Holder | None:
    """Return who holds a GPU's lock, or None if it is free."""
    path = _path(uuid)
    if not path.exists():
        return None
    with open_shared(path) as stream:
        if try_flock(stream):
            return None
        owner = read_owner(read_document(stream))
    return Holder(uuid, owner, () if owner.is_alive else tuple(keepers(path)))


def holders() -> list[Holder]:
    """Return every GPU's holder, longest first."""
    names = [path.name.removesuffix(".lock") for path in LOCKS.glob("*.lock")]
    found = [one for name in names if name != "queue" and (one := holder(name))]
    return sorted(found, key=lambda one: one.owner.since)


def _path(uuid: str) -> Path:
    return lock_directory() / f"{uuid}.lock"


def keepers(path: Path) -> Iterator[str]:
    """Yield the processes that have a file open, as far as this user may look: pid and name."""
    wanted = path.stat()
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # gone, or another user's
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.path.samestat(link.stat(), wanted):
                        name = (process / "comm").read_text(errors="replace").strip()
                        yield f"process {process.name} ({name})"
                        break


def write_document(stream: IO[bytes], document: dict[str, Any]) -> None:
    """Put a small JSON object in place of what an open file holds."""
    data = json.dumps(document).encode()
    os.ftruncate(stream.fileno(), 0)
    os.pwrite(stream.fileno(), data, 0)


def read_document(stream: IO[bytes]) -> dict[str, Any]:
    """Return the JSON object in an open file, empty where there is none (yet)."""
    try:
        document = json.loads(os.pread(stream.fileno(), _READ_BYTES, 0))
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def read_owner(document: dict[str, Any]) -> Owner:
    """Return the owner in a document, with what is not of its type left out."""
    return Owner(
        **{
            name: document[name]
            for name, wanted in _TYPES.items()
            if isinstance(document.get(name), wanted)
        }
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return str(os.getuid())
