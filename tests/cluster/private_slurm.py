"""A Slurm of its own on this machine: two nodes and a fake GPU, gone when the block ends.

Debian's daemons are installed where they are missing, which needs root. Everything that is started is stopped by its
pid, and the configuration is removed: a `slurm.conf` that is left behind makes every later `snakemake` wait for a
controller.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
NODES = ("n1", "n2")
CONFIGURATION = Path("/etc/slurm")  # the executor strips SLURM_CONF from the environment
_MUNGE_KEY = Path("/etc/munge/munge.key")
_MUNGE_SOCKET = Path("/run/munge/munge.socket.2")


class UnavailableError(Exception):
    """Why there can be no Slurm here."""


class PrivateSlurm:
    """Controller and nodes; a context manager. Raises UnavailableError, with the reason, where they cannot run."""

    def __init__(self, directory: Path) -> None:
        """`directory`: for logs, state and the fake GPU."""
        self._directory = directory
        self._daemons: dict[str, subprocess.Popen] = {}
        self._made: list[Path] = []

    def __enter__(self) -> PrivateSlurm:
        _install()
        if (CONFIGURATION / "slurm.conf").exists():
            raise UnavailableError(
                f"{CONFIGURATION}/slurm.conf belongs to another Slurm; remove it to test with one of our own"
            )
        try:
            self._configure()
            self._start_munge()
            self._start("slurmctld", "slurmctld", "-D", "-c")
            for node in NODES:
                self.start_node(node)
            _wait_until(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60, f"the nodes are {self.states()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self._daemons and _runs(self._daemons["slurmctld"]):
            subprocess.run(["scancel", "--full", "--signal=KILL", "--user=root"], capture_output=True)
        for daemon in reversed(self._daemons.values()):
            _stop(daemon)
        for path in reversed(self._made):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._daemons, self._made = {}, []

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node that is not running."""
        self._start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """SIGKILL to a node's slurmd; the jobs that it has started live on."""
        self._daemons.pop(node).kill()

    def states(self) -> dict[str, str]:
        """What sinfo says of each node: idle, mixed, allocated, down, … (with * where it does not answer)."""
        done = subprocess.run(["sinfo", "--noheader", "--Node", "--format=%N %T"], capture_output=True, text=True)
        return dict(line.split() for line in done.stdout.splitlines())

    def jobs(self) -> list[dict[str, str]]:
        """What scontrol says of every job so far, in the order of their numbers (JobId, JobState, TimeLimit, …)."""
        output = subprocess.check_output(["scontrol", "--oneliner", "show", "jobs"], text=True)
        found = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in output.splitlines() if line.startswith("JobId=")]
        return sorted(found, key=lambda job: int(job["JobId"]))

    def _start(self, name: str, *command: str) -> None:
        log = (self._directory / f"{name}.log").open("a")
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")} | {"PATH": path}
        self._daemons[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self._directory)

    def _start_munge(self) -> None:
        if not _MUNGE_KEY.exists():
            raise UnavailableError(f"munge has no key at {_MUNGE_KEY}")
        if not _munge_answers():
            _MUNGE_SOCKET.parent.mkdir(exist_ok=True)
            for directory in (_MUNGE_SOCKET.parent, Path("/var/log/munge"), Path("/var/lib/munge")):
                shutil.chown(directory, "munge", "munge")
                directory.chmod(0o755)
            self._start("munge", "setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", "-F", "--force")
            _wait_until(_munge_answers, 20, "munge does not answer")

    def _configure(self) -> None:
        cores = len(os.sched_getaffinity(0))
        memory = psutil.virtual_memory().available // 2**20
        controller, *nodes = _free_ports(1 + len(NODES))
        gpu = self._directory / "gpu0"
        os.mknod(gpu, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        for path in (self._directory / "state", self._directory / "spool"):
            path.mkdir()
        host = socket.gethostname()
        per_node = f"CPUs={max(1, cores // len(NODES))} RealMemory={memory // len(NODES)}"
        lines = [
            "ClusterName=private",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={controller}",
            f"SlurmctldPidFile={self._directory}/slurmctld.pid",
            f"SlurmdPidFile={self._directory}/%n.pid",
            f"StateSaveLocation={self._directory}/state",
            f"SlurmdSpoolDir={self._directory}/spool/%n",
            "SlurmUser=root",
            "AuthType=auth/munge",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core_Memory",
            "SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer=0",
            "SlurmdParameters=config_overrides",
            "JobAcctGatherType=jobacct_gather/linux",  # there are no cgroups to hold a job to its memory, so Slurm looks
            "JobAcctGatherFrequency=task=1",
            "JobAcctGatherParams=OverMemoryKill",
            "AccountingStorageType=accounting_storage/none",
            "MpiDefault=none",
            "MinJobAge=3600",
            "ReturnToService=2",
            "SlurmdTimeout=15",
            "KillWait=1",
            "GresTypes=gpu",
            *(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {per_node} Gres=gpu:{number}"
                for number, (node, port) in enumerate(zip(NODES, nodes, strict=True))
            ),
            f"PartitionName=cpu Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP",
        ]
        if not CONFIGURATION.exists():
            CONFIGURATION.mkdir()
            self._made.append(CONFIGURATION)
        for name, text in {
            "slurm.conf": "\n".join(lines),
            "gres.conf": f"NodeName={NODES[1]} Name=gpu File={gpu}",
        }.items():
            (CONFIGURATION / name).write_text(f"{text}\n")
            self._made.append(CONFIGURATION / name)


def _install() -> None:
    needed = ("slurmctld", "slurmd", "sbatch", "munged", "setpriv")
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in needed if not shutil.which(name, path=search)]
    if os.geteuid() != 0:
        raise UnavailableError("this is not root, and Slurm's daemons must be")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise UnavailableError(f"{', '.join(missing)} missing, and no apt-get to install Debian's packages with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", "--quiet", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}")


def _munge_answers() -> bool:
    return subprocess.run(["munge", "--no-input"], capture_output=True).returncode == 0


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _runs(process: subprocess.Popen) -> bool:
    return process.poll() is None


def _stop(process: subprocess.Popen) -> None:
    """End a daemon and what it started: SIGTERM, then SIGKILL."""
    if not _runs(process):
        return
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=10)
    for each in alive:
        each.kill()
    process.wait(10)


def _wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise UnavailableError(f"Slurm does not start: {otherwise}")
        time.sleep(0.2)
