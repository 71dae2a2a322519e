"""Whether the machine's own kernel has what a run on it needs: tried in a guest that is made and ends with the trial.

It is the guest of a run (boot.py), as the same user, with this module in the place of the agent. A module that is there
and not loaded is loaded by the trial itself, as it would be by a run. Each trial that fails has the line to type.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from testbed.engine.native.guest import boot_command, boot_environment
from testbed.engine.prepare.environment import Check
from testbed.engine.uml.confine import give_up_privileges, guest_identity
from testbed.errors import TestbedError
from testbed.netlink import NetlinkSocket, link, tc
from testbed.netlink.netem import Netem
from testbed.netlink.nftables import Chain, load_rules, meta, queue
from testbed.netlink.packet_queue import PacketQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testbed.netlink.socket import Request

__all__ = ["native_checks", "trials"]

# What a machine's owner forbids user namespaces by, as (parameter, value that forbids, value that does not).
_FORBIDDEN_BY = (
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),  # Ubuntu, since 24.04
    ("kernel.unprivileged_userns_clone", "0", "1"),  # Debian
    ("user.max_user_namespaces", "0", "1000"),
)  # fmt: skip


class _Stage(NamedTuple):
    """A part of making the guest.

    Attributes:
        name: What it is called.
        said: A word of what boot.py says when it fails.
        remedy: What to do then.
    """

    name: str
    said: str
    remedy: str


# In the order in which they come; what else is said is of the first.
_STAGES = (
    _Stage("user namespaces", "namespaces cannot be made: Operation", ""),  # _allow says what to do
    _Stage(
        "as many namespaces", "No space left on device",
        "sudo sysctl -w user.max_{user,net,mnt,pid,ipc,uts}_namespaces=1000 (in bash)",
    ),
    _Stage(
        "programs within reach", "Permission denied: '",
        "root's guest is nobody: install the testbed where everybody may read, or start it as a user",
    ),
    _Stage("read-only mounts", "attributes of the mount", "sudo reboot into Linux 5.12 or later"),
    _Stage(
        "mounts of its own", "cannot be mounted",
        "start it outside of the container, or give that its whole /proc (docker run --security-opt "
        "systempaths=unconfined)",
    ),
    _Stage("refused system calls", "seccomp", "sudo reboot into a kernel with CONFIG_SECCOMP_FILTER"),
    _Stage("this processor", "numbers of system calls", "use another machine"),
)  # fmt: skip
_FLOW = tc.FlowMatch(6, b"\n\0\0\2", b"\n\0\0\1", 443, 50_000)
_MODULES = {
    "links (veth)": "veth",
    "bridges": "bridge",
    "drop ports (dummy)": "dummy",
    "delays (netem)": "sch_netem",
    "rates (HTB)": "sch_htb",
    "policers (clsact, flower, police, mirred)": "sch_ingress cls_flower act_police act_mirred act_skbedit",
    "packet rules (nft)": "nf_tables nft_queue nft_meta_bridge",
    "packet queue (NFQUEUE)": "nfnetlink_queue",
}


def native_checks() -> Iterator[Check]:
    """Try everything, in a process of its own."""
    problem = _terminal_problem()
    if problem:
        remedy = "sudo mount -t devpts devpts /dev/pts"
        yield Check("pseudo-terminals", ok=False, found=f"none can be opened: {problem}", remedy=remedy)
        return
    tried = _try_in_a_guest()
    if tried.returncode:
        last = (tried.stderr.strip().splitlines() or [f"status {tried.returncode}"])[-1]
        failed = next((each for each in _STAGES if each.said in last), _STAGES[0])
        yield Check(failed.name, ok=False, found=f"refused: {last}", remedy=failed.remedy or _allow())
        return
    yield Check(_STAGES[0].name, ok=True, found="allowed")
    problems: dict[str, str] = json.loads(tried.stdout)
    for name, modules in _MODULES.items():
        problem = problems[name]
        yield Check(name, not problem, problem or "there", _remedy(problem, modules) if problem else "")


def _remedy(problem: str, modules: str) -> str:
    """Who is forbidden something has the module: root of a user namespace is, where AppArmor takes its rights away."""
    if os.strerror(errno.EPERM) in problem:
        return _allow()
    return f"sudo modprobe -a {modules}, where this kernel has them"


def _allow(parameters: Path = Path("/proc/sys")) -> str:
    """Return what lets everybody be root of a user namespace, on this machine."""
    for name, forbids, allows in _FORBIDDEN_BY:
        place = parameters / name.replace(".", "/")
        if place.exists() and place.read_text().strip() == forbids:
            return f"sudo sysctl -w {name}={allows}"
    return "start it outside of the chroot or container that this is, where none can be made"


def _terminal_problem() -> str | None:
    """Return why no pseudo-terminal can be opened, as in a bare chroot; None: one can."""
    try:
        ends = os.openpty()
    except OSError as error:
        return error.strerror
    for end in ends:
        os.close(end)
    return None


def _try_in_a_guest() -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="testbed-") as name:
        folder = Path(name)
        for below in ("kernel", "output/code"):
            (folder / below).mkdir(parents=True)
        ours, theirs = os.openpty()
        for place in (folder, folder / "output", folder / "kernel"):
            os.chown(place, *guest_identity())
        os.fchown(theirs, *guest_identity())
        try:
            return subprocess.run(
                boot_command(theirs, "testbed.engine.native.probe"),
                cwd=folder, env=boot_environment(), pass_fds=[theirs], capture_output=True, text=True, check=False,
                preexec_fn=give_up_privileges,
            )  # fmt: skip
        finally:
            os.close(ours)
            os.close(theirs)


def trials(kernel: NetlinkSocket) -> dict[str, str]:
    """Try each thing in the network namespace that this process is in; return what was wrong, empty for nothing."""
    ports: dict[str, int] = {}

    def add_pair() -> None:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        kernel.send([link.add_veth(link.End("one", home), link.End("two", home), mtu=1500)])
        os.close(home)
        look()

    def add(request: Request) -> None:
        kernel.send([request])
        look()

    def look() -> None:
        ports.update({name: state.index for name, state in link.links(kernel).items()})

    def add_policer() -> None:
        chain = [
            tc.skbedit_mark(1, tc.TC_ACT_PIPE),
            tc.police(17_500, 1_000_000, exceed=tc.TC_ACT_PIPE, conform=tc.TC_ACT_OK),
            tc.redirect(ports["one"]),
        ]
        kernel.send([tc.add_clsact(ports["two"]), tc.add_flow_filter(ports["two"], 1, _FLOW, chain)])

    netem = Netem(delay_ns=1_000_000, jitter_ns=0, loss=0.0, limit=1000)
    wanted: list[Callable[[], object]] = [
        add_pair,
        lambda: add(link.add_bridge("bridge")),
        lambda: add(link.add_link("drop", "dummy")),
        lambda: kernel.send([tc.add_netem(ports["one"], tc.TC_H_ROOT, netem)]),
        lambda: kernel.send(tc.add_htb(ports["two"], 125_000, 15_360)),
        add_policer,
        lambda: load_rules(Chain(table="box", name="inspect"), [(*meta("iifname", b"two"), *queue(0))]),
        lambda: PacketQueue(0, length=16, buffer_bytes=1 << 16).close(),
    ]
    return {name: _problem(each) for name, each in zip(_MODULES, wanted, strict=True)}


def _problem(trial: Callable[[], object]) -> str:
    try:
        trial()
    except KeyError:
        return "not tried: there is no link"
    except (TestbedError, OSError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trials(NetlinkSocket())))
    sys.stdout.flush()
