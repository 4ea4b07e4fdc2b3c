"""A process of its own world, by Linux namespaces. Standard library only: runs in the launcher.

The new root is an empty file system in memory. Only the system's libraries and the Python
installation are put into it, read-only; the rest of the disk does not exist there, nor do other
processes or any network but a loopback device that is down.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_NEW_EVERYTHING = (
    0x10000000  # user
    | 0x00020000  # mount
    | 0x20000000  # process ids
    | 0x40000000  # network
    | 0x08000000  # System V IPC
    | 0x04000000  # host name
    | 0x02000000  # control groups
)
_BIND, _RECURSIVE, _PRIVATE, _NOSUID, _NODEV = 4096, 16384, 1 << 18, 2, 4
_DETACH = 2
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture; Linux 5.12
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITIES_V3 = 0x20080522
_LAST_CAPABILITY = 63
_KILL = 9
NOBODY = 65534
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin")
_FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0 where it did what was asked."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    _call("prctl", option, *(ctypes.c_ulong(one) for one in (value, 0, 0, 0)))


def hide_memory() -> None:
    """Let no process of the same user read this one's memory."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    """Be killed when the parent ends."""
    _prctl(_PR_SET_PDEATHSIG, _KILL)


def separate() -> int:
    """Move this process into namespaces of its own; its next child is their first process.

    Returns:
        The user id that programs should run under: another than this process has where it is
        root, since the kernel does not limit root's processes.

    Raises:
        OSError: the kernel does not allow it.
    """
    read, write = os.pipe()
    parent, user, group = os.getpid(), os.geteuid(), os.getegid()
    mapper = os.fork()
    if mapper == 0:  # stays outside, where ids may be mapped
        failed = 1
        try:
            os.close(write)
            if os.read(read, 1):
                _map_ids(parent, user, group)
                failed = 0
        finally:
            os._exit(failed)
    os.close(read)
    try:
        _call("unshare", _NEW_EVERYTHING)
        os.write(write, b"1")
    finally:
        os.close(write)
        _, status = os.waitpid(mapper, 0)
    if status:
        raise OSError(1, "user ids cannot be mapped")
    return NOBODY if user == 0 else 0


def _map_ids(pid: int, user: int, group: int) -> None:
    more = f"\n{NOBODY} {NOBODY} 1" if user == 0 else ""
    if user != 0:
        Path(f"/proc/{pid}/setgroups").write_text("deny")
    Path(f"/proc/{pid}/uid_map").write_text(f"0 {user} 1{more}")
    Path(f"/proc/{pid}/gid_map").write_text(f"0 {group} 1{more}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _call(
        "mount",
        source.encode() if source else None,
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )


def _read_only(path: str, attributes: int, *, recursive: bool) -> None:
    wanted = struct.pack("QQQQ", attributes | _ATTR_RDONLY, 0, 0, 0)
    _call(
        "syscall",
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(path.encode()),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        wanted,
        ctypes.c_size_t(len(wanted)),
    )


def change_root(root: str, python: str, files: dict[str, str], bytes_of_files: int) -> None:
    """Make `root` the root: libraries, Python, `/code` with `files`, and an empty `/box`.

    Args:
        root: an empty directory, on which the new root is mounted.
        python: the directory of the Python installation.
        files: name → text, for `/code`.
        bytes_of_files: size of `/box`, the only place that can be written.

    Raises:
        OSError: the kernel does not allow it.
    """
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("none", root, "tmpfs", _NOSUID | _NODEV, "size=16m,mode=755")
    for path in _shown(python):
        _show(path, root)
    code, box = Path(root, "code"), Path(root, "box")
    code.mkdir()
    for name, text in files.items():
        (code / name).write_text(text, encoding="utf-8")
    box.mkdir()
    _mount("none", str(box), "tmpfs", _NOSUID | _NODEV, f"size={bytes_of_files},mode=1777")
    Path(root, "tmp").symlink_to("box")
    # No namespaces within: they would give rights over parts of the kernel again.
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _DETACH)
    _read_only("/", _ATTR_NOSUID | _ATTR_NODEV, recursive=False)
    os.chdir("/box")


def _shown(python: str) -> Iterable[str]:
    paths = [path for path in _SYSTEM if Path(path).exists()]
    if not any(Path(python).is_relative_to(path) for path in paths):
        paths.append(python)
    return [*paths, *(path for path in _FILES if Path(path).exists())]


def _show(path: str, root: str) -> None:
    """Make a path of the old root visible in the new one, read-only."""
    source, place = Path(path), Path(root + path)
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        place.symlink_to(source.readlink())
        return
    if source.is_dir():
        place.mkdir()
    else:
        place.touch()
    _mount(path, str(place), None, _BIND | _RECURSIVE)
    # `nodev` would close /dev/null as well
    device = 0 if path.startswith("/dev/") else _ATTR_NODEV
    _read_only(str(place), _ATTR_NOSUID | device, recursive=True)


def drop_rights(user: int) -> None:
    """Become `user` without any right over the namespaces, for good."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    for number in range(_LAST_CAPABILITY + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, number)
        except OSError:  # the kernel knows no more
            break
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = struct.pack("Ii", _CAPABILITIES_V3, 0)
    _call("capset", header, struct.pack("6I", *[0] * 6))
