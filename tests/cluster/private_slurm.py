"""A private Slurm on this machine, with two nodes and a fake GPU; it is removed when its block ends.

Debian's daemons are installed if they are missing, which needs root. This module starts them and stops them by their
pids. Outside its own directory it touches only /etc/slurm, where the executor makes every client look, and removes what
it made there: a leftover `slurm.conf` makes every later `snakemake` wait for a controller.

This Slurm hands out cores but binds no process to them (TaskPlugin=task/none); tests/runtime/test_runtime.py tests what
a job does with cores that it is bound to.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.cluster.install import UnavailableError, install, search_path

NODES = ("n1", "n2")
SLURMD_TIMEOUT = 15
"""Seconds after which a node that does not answer is down."""
CONFIGURATION = Path("/etc/slurm")  # the executor strips SLURM_CONF from the environment
DAEMONS = ("slurmctld", "slurmd", "slurmstepd")
_OWNER = "# of a test, process {process}, in {directory}"


class PrivateSlurm:
    """Controller and nodes; a context manager.

    Raises UnavailableError, with the reason, if Slurm cannot run on this machine, and RuntimeError, with the end of the
    daemons' logs, if it is installed but does not start.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` holds logs, state and the fake GPU."""
        self._directory = directory
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> PrivateSlurm:
        install()
        _remove_stale()
        with contextlib.ExitStack() as self._undo:  # undoes everything in reverse order, even if a step raises
            self._configure()
            self._undo.callback(kill_all_of, self._directory)
            self._undo.callback(self._stop_daemons)
            self._start_munge()
            self._start("slurmctld", "slurmctld", "-D", "-c")
            self._undo.callback(self.cancel_jobs)
            self.recover()
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def start_node(self, node: str) -> None:
        """Starts the slurmd of a node if it is not running."""
        if node not in self._daemons:
            self._start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kills a node's slurmd with SIGKILL; the jobs that it started keep running."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()

    def states(self) -> dict[str, str]:
        """The state of each node by sinfo: idle, mixed, allocated, down, … (with * if it does not answer)."""
        return dict(line.split() for line in _ask("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines())

    def jobs(self) -> list[dict[str, str]]:
        """The fields of every job so far by scontrol (JobId, JobState, TimeLimit, …), in the order of their numbers."""
        output = subprocess.check_output(["scontrol", "--oneliner", "show", "jobs"], text=True)
        jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in output.splitlines() if line.startswith("JobId=")]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def start_now(self, job: str) -> None:
        """Starts a requeued job without Slurm's wait of two minutes."""
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)

    def cancel_jobs(self) -> None:
        """Ends all jobs; returns when none is left, or after 10 s."""
        deadline = time.monotonic() + 10
        _ask("scancel", "--user=root")
        while _ask("squeue", "--noheader") and time.monotonic() < deadline:
            time.sleep(0.2)

    def recover(self) -> None:
        """Cancels all jobs and waits until all nodes are idle."""
        self.cancel_jobs()
        for node in NODES:
            self.start_node(node)
        self.wait_until(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60, "not all nodes are idle")

    def wait_until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Waits for `condition`; raises RuntimeError, with the daemons' logs, after `seconds` or if a daemon ends."""
        started = time.monotonic()
        while not condition():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > started + seconds:
                state = f"after {time.monotonic() - started:.0f} s {otherwise}; nodes: {self.states()}, ended: {ended}"
                logs = [f"{log.name}:\n{log.read_text()[-1500:]}" for log in sorted(self._directory.glob("*.log"))]
                raise RuntimeError("\n".join([f"Slurm: {state}", *logs]))
            time.sleep(0.2)

    def _start(self, name: str, *command: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")} | {"PATH": search_path()}
        with (self._directory / f"{name}.log").open("a") as log:
            self._daemons[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self._directory)

    def _stop_daemons(self) -> None:
        with contextlib.ExitStack() as daemons:
            for daemon in self._daemons.values():
                daemons.callback(_stop, daemon)
        self._daemons = {}

    def _start_munge(self) -> None:
        """Starts a munge with a key and a socket of its own, apart from any munge that runs already."""
        key = self._directory / "munge.key"
        key.touch(mode=0o400, exist_ok=False)
        key.write_bytes(secrets.token_bytes(128))  # root may write it although its mode is 0400
        names = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "messages.log", "seed-file": "seed"}
        options = [f"--{option}={self._directory}/munge.{name}" for option, name in names.items()]
        self._start("munge", "munged", "--foreground", "--force", *options)  # --force: as root, in root's directory
        answers = ["munge", "--no-input", f"--socket={self._directory}/munge.socket"]
        self.wait_until(lambda: subprocess.run(answers, capture_output=True).returncode == 0, 20, "munge does not answer")

    def _configure(self) -> None:
        gpu = self._directory / "gpu0"
        try:
            os.mknod(gpu, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError as error:
            raise UnavailableError(f"this machine does not allow making a device ({error})") from None
        self._undo.callback(gpu.unlink, missing_ok=True)
        for name in ("state", "spool"):
            (self._directory / name).mkdir()
            self._undo.callback(shutil.rmtree, self._directory / name, ignore_errors=True)
        if not CONFIGURATION.exists():
            self._undo.callback(_remove_empty, CONFIGURATION)
            CONFIGURATION.mkdir()
        owner = _OWNER.format(process=os.getpid(), directory=self._directory)
        for name, lines in {
            "slurm.conf": _configuration(self._directory),
            "gres.conf": [f"NodeName={NODES[1]} Name=gpu File={gpu}"],
        }.items():
            with (CONFIGURATION / name).open("x") as file:
                self._undo.callback((CONFIGURATION / name).unlink, missing_ok=True)
                file.write("\n".join([owner, *lines, ""]))


def processes_of(directory: Path) -> list[psutil.Process]:
    """Processes that run in `directory` or name it, as this Slurm's daemons do, and all that these started."""
    by_pid: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            names = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if any(name.startswith(f"{directory}/") or f"={directory}/" in name for name in [f"{names[0]}/", *names[1:]]):
                by_pid |= {member.pid: member for member in (process, *process.children(recursive=True))}
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for pid, process in by_pid.items() if pid not in spared]


def kill_all_of(directory: Path) -> None:
    """Kills the remaining processes of the Slurm in `directory` with SIGKILL."""
    leftovers = processes_of(directory)
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=10)


def _configuration(directory: Path) -> list[str]:
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().available // 2**20
    controller, *nodes = _free_ports(1 + len(NODES))
    host = socket.gethostname()
    per_node = f"CPUs={max(1, cores // len(NODES))} RealMemory={memory // len(NODES)}"
    return [
        "ClusterName=private",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={controller}",
        f"SlurmctldPidFile={directory}/slurmctld.pid",
        f"SlurmdPidFile={directory}/%n.pid",
        f"StateSaveLocation={directory}/state",
        f"SlurmdSpoolDir={directory}/spool/%n",
        "SlurmUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={directory}/munge.socket",
        "CredType=cred/munge",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "SchedulerParameters=sched_interval=1,batch_sched_delay=0,defer=0",
        "SlurmdParameters=config_overrides",
        "JobAcctGatherType=jobacct_gather/linux",  # without cgroups to limit a job's memory, Slurm polls it
        "JobAcctGatherFrequency=task=1",
        "JobAcctGatherParams=OverMemoryKill",
        "AccountingStorageType=accounting_storage/none",
        "MpiDefault=none",
        "MinJobAge=3600",
        "ReturnToService=2",
        f"SlurmdTimeout={SLURMD_TIMEOUT}",
        "KillWait=1",
        "GresTypes=gpu",
        *(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {per_node} Gres=gpu:{number}"
            for number, (node, port) in enumerate(zip(NODES, nodes, strict=True))
        ),
        f"PartitionName=cpu Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP",
    ]


def _remove_stale() -> None:
    """Removes files in /etc/slurm and processes of a killed test; raises UnavailableError if they belong to others."""
    mark = re.compile(_OWNER.format(process=r"(\d+)", directory=r"(/.+)"))
    for path in (CONFIGURATION / name for name in ("slurm.conf", "gres.conf", "cgroup.conf")):
        if not path.exists():
            continue
        owner = mark.match(path.read_text())
        if not owner:
            raise UnavailableError(f"{path} belongs to another Slurm; remove it to test with a private one")
        with contextlib.suppress(psutil.NoSuchProcess):  # another process may have that number now
            if psutil.Process(int(owner[1])).create_time() <= path.stat().st_mtime:
                raise UnavailableError(f"{path} belongs to a running test, process {owner[1]}; wait until it ends")
        kill_all_of(Path(owner[2]))
        path.unlink()


def _remove_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _ask(*command: str) -> str:
    """What a client of Slurm prints; empty if the controller does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for unbound in sockets:
            unbound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a daemon and all that it started, with SIGTERM and then SIGKILL."""
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=10)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait(10)
