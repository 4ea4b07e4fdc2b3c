"""Locks of GPUs for the whole machine, and who holds them.

A lock is an flock on a file that is never removed: the kernel frees it when the last process that
has it open dies, however it dies. Children made by `fork` keep it, which is meant, for they may
still use the GPU; `keepers` finds them. What stands in the file says who took the lock, and counts
only while the lock is held.

Every user writes in the directory: whatever stands there is looked at without trust. Whoever holds
something there keeps the directory locked as well, for what cleans /tmp would remove old files.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import stat
import time
import uuid as uuids
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from workspace import machine
from workspace.errors import WorkError
from workspace.text import plain

LOCKS = Path("/tmp/welltempered-gpu-locks")
"""The same for every user and whatever TMPDIR says: a lock guards a device, not a session."""
_READ_BYTES = 8192
_LONGEST_TEXT = 200
_PIDS = 2**22
"""Linux gives no higher ones."""
_LATEST_SECONDS = 1e11
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""How what others made is opened: a pipe in its place must not hold anybody up."""


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


_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(Owner)}


@dataclass(frozen=True)
class Holder:
    """Who holds a GPU's lock."""

    uuid: str
    owner: Owner
    orphans: tuple[str, ...] = ()
    """The children that hold the lock although its owner is gone, each with its pid."""
    fault: str = ""
    """Why nobody can tell, and how to mend that; empty where the lock can be looked at."""

    def __str__(self) -> str:
        if self.fault:
            return self.fault
        if self.owner.is_alive:
            return str(self.owner)
        children = ", ".join(self.orphans) or "a process of another user"
        return f"{children}, left behind by {self.owner}, which is gone"


def lock_directory() -> Path:
    """Return the directory of locks and tickets, open to every user."""
    if not LOCKS.is_dir():
        with contextlib.suppress(FileExistsError):
            LOCKS.mkdir(parents=True)
    with contextlib.suppress(OSError):  # another user's: theirs to open
        _open_to_all(LOCKS)
    return LOCKS


def _open_to_all(directory: Path) -> None:
    """Let every user take locks here: past the umask, and where a kill came before that."""
    descriptor = os.open(directory, _LOOK | os.O_DIRECTORY)
    try:
        found = os.fstat(descriptor)
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != 0o1777:
            os.fchmod(descriptor, 0o1777)
    finally:
        os.close(descriptor)


class Shelter:
    """Keeps the directory from being cleaned, until it is closed.

    systemd-tmpfiles removes what is old from /tmp, and passes over a directory that is locked
    (tmpfiles.d(5)). A lock that was removed while it is held would be taken a second time.
    """

    def __init__(self) -> None:
        """Share the lock of the directory, if nobody has it alone.

        Raises:
            WorkError: the directory cannot be opened.
        """
        directory = lock_directory()
        try:
            self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _no_directory(directory, error) from error
        self.is_safe = self._is_shared() and self._is_at(directory)
        """Whether nothing is being removed, and nothing will be."""

    def _is_shared(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_at(self, directory: Path) -> bool:
        """Whether it was not removed and made again before it was locked."""
        try:
            return os.path.samestat(directory.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let it be cleaned."""
        os.close(self._descriptor)


@dataclass(frozen=True)
class GpuLock:
    """A GPU's lock, held until it is closed; children that are forked meanwhile keep it."""

    stream: IO[bytes]
    shelter: Shelter

    def close(self) -> None:
        """Let go of it."""
        self.stream.close()
        self.shelter.close()


def open_shared(path: Path) -> IO[bytes]:
    """Open a file that all users lock, made with mode 0666 if need be.

    Opened without O_CREAT where it is there: in a sticky directory Linux refuses O_CREAT on a file
    of another user (sysctl fs.protected_regular), whatever its mode.

    Raises:
        WorkError: it cannot be opened.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        while True:
            with contextlib.suppress(FileNotFoundError):
                return os.fdopen(os.open(path, flags), "r+b", buffering=0)
            _make_shared(path)
    except OSError as error:
        raise _cannot_open(path, error) from error


def _make_shared(path: Path) -> None:
    """Make a lock file, with its mode from its first instant: a kill leaves it whole or not."""
    new = path.with_name(f".{uuids.uuid4().hex}.new")
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o666)
        with contextlib.suppress(FileExistsError):
            os.link(new, path)
    finally:
        os.close(descriptor)
        new.unlink(missing_ok=True)


def _cannot_open(path: Path, error: OSError) -> WorkError:
    if not os.path.lexists(path):
        return _no_directory(path.parent, error)
    return WorkError(
        "the lock of this GPU cannot be opened",
        where=str(path),
        cause=f"{error.strerror}.",
        cure=_mending(path),
    )


def _no_directory(directory: Path, error: OSError) -> WorkError:
    return WorkError(
        "no lock of a GPU can be made",
        where=str(directory),
        cause=f"{error.strerror}.",
        cure=f"The directory's owner can open it to all users: chmod 1777 {directory}",
    )


def _mending(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return f"It is no lock; whoever made it can remove it: {path}"
    return f"Its owner can mend it: chmod 666 {path}"


def open_to_look(path: Path) -> IO[bytes] | None:
    """Open a file that anybody may have made, to look who has locked it; None where it is no
    ordinary file or may not be read.
    """
    try:
        descriptor = os.open(path, _LOOK)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb", buffering=0)


def try_flock(stream: IO[bytes]) -> bool:
    """Lock an open file for this process alone if nobody has; tell whether that worked."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_lock(uuid: str, owner: Owner) -> GpuLock | None:
    """Take the lock of a GPU for `owner`, or return None where it is held."""
    shelter = Shelter()
    try:
        stream = open_shared(_path(uuid))
    except BaseException:
        shelter.close()
        raise
    lock = GpuLock(stream, shelter)
    if not shelter.is_safe or not try_flock(stream):
        lock.close()
        return None
    write_document(stream, asdict(owner))
    return lock


def release(lock: GpuLock) -> None:
    """Let go of a lock; children that were forked meanwhile keep it."""
    lock.close()


def is_free(uuid: str) -> bool:
    """Tell whether a GPU's lock can be taken now."""
    path = _path(uuid)
    if not os.path.lexists(path):
        return True
    stream = open_to_look(path)
    if stream is None:
        return False
    with stream:
        return try_flock(stream)


def holder(uuid: str) -> Holder | None:
    """Return who holds a GPU's lock, or None if it is free."""
    path = _path(uuid)
    if not os.path.lexists(path):
        return None
    stream = open_to_look(path)
    if stream is None:
        return Holder(uuid, Owner(), fault=f"a lock that cannot be looked at. {_mending(path)}")
    with stream:
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
    try:
        wanted = path.stat()
    except OSError:  # gone meanwhile
        return
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # gone, or another user's
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.path.samestat(link.stat(), wanted):
                        name = plain((process / "comm").read_text(errors="replace").strip(), 40)
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
    except (ValueError, RecursionError):  # the latter: brackets within brackets
        return {}
    return document if isinstance(document, dict) else {}


def read_owner(document: dict[str, Any]) -> Owner:
    """Return the owner in a document, with what cannot be true left out."""
    read = {name: _read(wanted, document.get(name)) for name, wanted in _TYPES.items()}
    return Owner(**{name: value for name, value in read.items() if value is not None})


def _read(wanted: type, value: object) -> Any:
    """Return a value of an owner: text made safe to show, a pid or a time that there can be."""
    if wanted is str:
        return plain(value, _LONGEST_TEXT) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if wanted is int:
        return value if isinstance(value, int) and 0 < value < _PIDS else None
    return float(value) if 0 <= value < _LATEST_SECONDS else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return str(os.getuid())
