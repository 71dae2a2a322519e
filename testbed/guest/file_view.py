"""What a user's program sees of the file system: the host's, read-only, with some places new and some hidden.

Everything happens in a mount namespace of the caller's, so nothing has to be undone.
"""

from __future__ import annotations

import ctypes
import os
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileView", "mount_over", "share_scratch"]

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    0x1, 0x2, 0x4, 0x20, 0x1000, 0x4000, 0x40000,
)  # fmt: skip
_DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0),
    "net/tun": (10, 200),
}  # fmt: skip
_DEVICE_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}  # fmt: skip
# Where distributions keep the authorities that programs trust: Debian and Arch, Fedora, openSUSE, OpenSSL's own
# default.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
# Of the guest's memory. Files that filled it would leave nothing to run with, and files cannot be taken back.
_SCRATCH_SIZE, _SHARED_SIZE = "size=40%", "size=20%"
# On the machine's own kernel it would be of the machine's memory.
_CONTAINED_SCRATCH_SIZE, _CONTAINED_SHARED_SIZE = "size=512m", "size=256m"
_SCRATCH = Path("/run/testbed/scratch")
_SHARED = "/dev/shm"  # noqa: S108 - a file system of the program's own is mounted there
_CERTIFICATES = "/etc/ssl/certs"
_KEYS = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssh", "/etc/ssl/private", "/etc/sudoers",
    "/etc/sudoers.d",
)  # fmt: skip
_ETC = ("hosts", "resolv.conf", "passwd", "group", "nsswitch.conf")
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). Raises OSError with the target."""
    if _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode()):
        code = ctypes.get_errno()
        raise OSError(code, f"cannot mount {kind or source} there: {os.strerror(code)}", target)


@dataclass(slots=True)
class FileView:
    """What is hidden, and what stays visible all the same.

    Attributes:
        hidden: Folders that the program finds empty, and may write to; what it writes there is gone afterwards.
        visible: Files and folders that it finds where they are, though a folder around them is hidden.
        sealed: Folders and files that are hidden even where a visible one holds them: the run's own, and keys.
        uid, gid: Of the program.
        is_contained: The kernel is the machine's own: what its root alone may make is taken from what there is.
    """

    hidden: list[str]
    visible: list[str]
    sealed: list[str]
    uid: int
    gid: int
    is_contained: bool = False

    def set_up(self, *, output: Path, etc: Path) -> None:
        """Arrange the caller's mount namespace.

        Args:
            output: The folder that becomes /run/output.
            etc: A folder with ``hosts``, ``resolv.conf``, ``passwd``, ``group``, ``ca.pem`` and ``certificates/``.

        Raises:
            OSError: The kernel refused a mount.
        """
        _mount("", "/", flags=_MS_REC | _MS_PRIVATE)
        # A device of the host's, as in the folder of a container, is another here, such as the console to the host.
        _mount("", "/", flags=_MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
        kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in self._reachable()]
        terminals = Path("/dev/pts")
        places = [(str(path), os.open(path, os.O_PATH)) for path in (output, etc, etc / "ca.pem", terminals)]
        # Everything is opened by now: once folders are hidden, the paths to what lies in them lead nowhere.
        self._replace_etc(etc)
        scratch = self._make_scratch()
        for number, folder in enumerate(self.hidden):
            Path(folder).mkdir(parents=True, exist_ok=True)  # one may lie in another, which is empty by now
            self._empty(folder, scratch / str(number))
        for path, descriptor in kept:
            _bind(descriptor, path)
        # After what is visible: what is sealed lies in it.
        for folder in self.sealed:
            _seal(folder)
        for place in _KEYS:
            _seal(place)
        self._make_run(places[0][1])
        _bind(places[2][1], "/run/ca.pem")
        self._make_devices(places[3][1])
        # Last, and made anew: the old one has the processes of the whole guest.
        read_only = _MS_RDONLY if self.is_contained else 0  # as the one by which the kernel allows it (native/boot.py)
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | read_only)
        self._make_sys()
        for descriptor in (*(each for _, each in kept), *(each for _, each in places)):
            os.close(descriptor)

    def _make_scratch(self) -> Path:
        """One file system for all that the program writes to scratch folders: together they leave the guest memory."""
        if not _SCRATCH.is_mount():
            share_scratch(is_contained=self.is_contained)  # with nobody: the mount namespace is this program's own
        return _SCRATCH

    def _empty(self, folder: str, place: Path) -> None:
        """Put an empty folder of the program's own in the place of one."""
        place.mkdir(exist_ok=True)
        os.chown(place, self.uid, self.gid)
        place.chmod(0o1777)
        _mount(str(place), folder, flags=_MS_BIND)

    def _reachable(self) -> list[str]:
        """What stays visible, without what is closed to who we are outside: there a caller who is root is nobody."""
        return [path for path in self.visible if not self.is_contained or os.access(path, os.F_OK)]

    def _make_sys(self) -> None:
        try:
            _mount("sysfs", "/sys", "sysfs", _MS_NOSUID | _MS_NODEV | _MS_RDONLY)
        except PermissionError:
            # In a container that covers parts of it a new one would show those: then there is none.
            if not self.is_contained:
                raise
            _seal("/sys")

    def _make_devices(self, terminals: int) -> None:
        """A /dev without the console to the host, with shared memory of its own; terminals are those of the guest."""
        machines = _open_devices() if self.is_contained else []
        _mount("tmpfs", "/dev", "tmpfs", _MS_NOSUID, "mode=755")
        for name, descriptor in machines:
            _bind(descriptor, f"/dev/{name}")
            os.close(descriptor)
        if not self.is_contained:
            _make_device_nodes()
        for name, target in _DEVICE_LINKS.items():
            Path("/dev", name).symlink_to(target)
        Path(_SHARED).mkdir()
        size = _CONTAINED_SHARED_SIZE if self.is_contained else _SHARED_SIZE
        _mount("tmpfs", _SHARED, "tmpfs", _MS_NOSUID, f"mode=1777,{size}")
        Path("/dev/pts").mkdir()
        _bind(terminals, "/dev/pts")

    def _make_run(self, output: int) -> None:
        _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
        for name in ("output", "lock", "tmp"):
            Path("/run", name).mkdir(mode=0o1777)
            Path("/run", name).chmod(0o1777)
        _bind(output, "/run/output")

    def _replace_etc(self, etc: Path) -> None:
        for name in _ETC:
            mount_over(etc / name, f"/etc/{name}")
        if Path(_CERTIFICATES).is_dir():
            _mount(str(etc / "certificates"), os.path.realpath(_CERTIFICATES), flags=_MS_BIND)
        for bundle in _BUNDLES:
            if not bundle.startswith(_CERTIFICATES):
                mount_over(etc / "ca.pem", bundle)


def share_scratch(*, is_contained: bool = False) -> None:
    """Make the file system of scratch folders; all programs of this mount namespace and those below have it in common.

    Args:
        is_contained: The kernel, and so its memory, is the machine's own.

    Raises:
        OSError: The kernel refused it.
    """
    _SCRATCH.mkdir()
    size = _CONTAINED_SCRATCH_SIZE if is_contained else _SCRATCH_SIZE
    _mount("tmpfs", str(_SCRATCH), "tmpfs", _MS_NOSUID | _MS_NODEV, size)


def _seal(place: str) -> None:
    """Put an empty folder that nobody can write to in the place of one, or an empty file in that of a file."""
    if Path(place).is_dir():
        _mount("tmpfs", place, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_RDONLY, "mode=555")
    else:
        mount_over(Path(os.devnull), place)


def mount_over(source: Path, target: str) -> None:
    """Bind a file over one of the host's, wherever a link leads to it; nothing where the host has none."""
    resolved = os.path.realpath(target)
    if Path(resolved).is_file():
        _mount(str(source), resolved, flags=_MS_BIND)


def _bind(descriptor: int, path: str) -> None:
    """Show what a descriptor is of at a path, which is made if a hidden folder lacks it."""
    target = Path(path)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    _mount(f"/proc/self/fd/{descriptor}", path, flags=_MS_BIND | _MS_REC)


def _open_devices() -> list[tuple[str, int]]:
    """The devices that are there, to be shown: only a kernel's own root may make some."""
    return [(name, os.open(f"/dev/{name}", os.O_PATH)) for name in _DEVICES if Path("/dev", name).exists()]


def _make_device_nodes() -> None:
    previous = os.umask(0)
    for name, (major, minor) in _DEVICES.items():
        path = Path("/dev", name)
        path.parent.mkdir(mode=0o755, exist_ok=True)
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    os.umask(previous)
