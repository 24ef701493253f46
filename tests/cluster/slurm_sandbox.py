"""A SLURM of one node for tests: munged, slurmctld and slurmd on the loopback interface, as root or as anybody.

    python tests/cluster/slurm_sandbox.py FOLDER -- COMMAND ...

runs a command within it and takes it down afterwards. Needs Debian's packages slurm-wlm and munge. All that it writes
lies in FOLDER; it ends the processes that it started and no others. CPUs, memory and GPUs are claimed, not there: jobs
share what the machine has.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare")
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
PORTS = 70  # slurmctld, slurmd, and what srun listens on
DIE_WITH_PARENT = 1  # prctl(PR_SET_PDEATHSIG)
# What scontrol tells of a job: the transcript's columns.
SHOWN = ("JobId", "JobState", "ExitCode", "RunTime", "TimeLimit", "Partition", "TRES", "TresPerJob", "Comment")


def missing_programs() -> list[str]:
    """The programs of SLURM and munge that cannot be found."""
    return [name for name in (*DAEMONS, *CLIENTS[:6]) if shutil.which(name, path=SEARCHED) is None]


@dataclass
class Sandbox:
    """A SLURM to be used as a context manager.

    root: an empty folder; its path must be short (munge's socket lies in it) and no ancestor may be writable by others,
    unless with the sticky bit. cpus, memory_mb, gpus: what the node claims to have.
    """

    root: Path
    cpus: int = 8
    memory_mb: int = 64_000
    gpus: int = 2
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Sandbox:
        try:
            self._write_settings()
            self._start("munged", "--foreground", "--force", *self._munge_options())
            self._await("munge", lambda: self._munge_answers())
            self._start("slurmctld", "-D", "-f", str(self.root / "slurm.conf"))
            self._start("slurmd", "-D", "-f", str(self.root / "slurm.conf"), "-N", socket.gethostname().split(".")[0])
            self._await("an idle node", lambda: self.ask("sinfo", "-h", "-o", "%T", "-p", "cpu", check=False) == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self._running:
            with contextlib.suppress(subprocess.SubprocessError):
                self.ask("scancel", "--user", _user(), check=False)
                self._await("the end of all jobs", lambda: not self.ask("squeue", "-h", check=False), seconds=20)
        for name in reversed(DAEMONS):
            process = self._running.pop(name, None)
            if process is not None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which SLURM's clients find this SLURM."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return {**kept, "PATH": f"{self.root / 'bin'}{os.pathsep}{SEARCHED}"}

    def ask(self, *command: str, check: bool = True) -> str:
        """What a SLURM client prints, without the last line end."""
        done = subprocess.run(
            command, env=self.environment, cwd=self.root, capture_output=True, text=True, check=False, timeout=60
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def jobs(self) -> list[dict[str, str]]:
        """Every job since the start, in order, as `scontrol show job` tells of it."""
        text = self.ask("scontrol", "--oneliner", "show", "job", check=False)
        jobs = [dict(item.split("=", 1) for item in line.split() if "=" in item) for line in text.splitlines()]
        return sorted((job for job in jobs if "JobId" in job), key=lambda job: int(job["JobId"]))

    def transcript(self, after: int = 0) -> str:
        """A table of all jobs with a number above `after`."""
        jobs = [job for job in self.jobs() if int(job["JobId"]) > after]
        rows = [SHOWN, *([job.get(name, "") for name in SHOWN] for job in jobs)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(SHOWN))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join(line.rstrip() for line in lines)

    def last_job(self) -> int:
        """The number of the job submitted last; 0 before any."""
        jobs = self.jobs()
        return int(jobs[-1]["JobId"]) if jobs else 0

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=SEARCHED)
        if program is None:
            raise FileNotFoundError(f"{name}: not installed (Debian: apt-get install slurm-wlm munge)")
        log = (self.root / "log" / f"{name}.out").open("wb")
        libc = ctypes.CDLL(None)

        def with_us() -> None:  # a test run that is killed leaves no daemon behind
            libc.prctl(DIE_WITH_PARENT, signal.SIGTERM)

        self._running[name] = subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env=self.environment | {"SLURM_CONF": str(self.root / "slurm.conf")}, preexec_fn=with_us,
        )  # fmt: skip

    def _await(self, what: str, true: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not true():
            dead = [name for name, process in self._running.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                logs = sorted((self.root / "log").iterdir())
                tails = "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)
                raise RuntimeError(f"no {what} within {seconds} s; ended: {dead or 'none'}{tails}")
            time.sleep(0.1)

    def _munge_answers(self) -> bool:
        command = ["munge", "-n", "-S", str(self.root / "munge.run/socket")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _munge_options(self) -> list[str]:
        places = {"key-file": "munge/key", "socket": "munge.run/socket", "pid-file": "munge.run/pid",
                  "seed-file": "munge/seed", "log-file": "munge/log"}  # fmt: skip
        return [f"--{name}={self.root / path}" for name, path in places.items()]

    def _write_settings(self) -> None:
        for name in ("ctld", "d", "log", "bin", "gpu"):
            (self.root / name).mkdir(parents=True)
        self.root.chmod(0o755)
        (self.root / "munge").mkdir(mode=0o700)  # munge refuses what others could write to
        (self.root / "munge.run").mkdir(mode=0o755)
        key = self.root / "munge/key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        for number in range(self.gpus):
            _fake_device(self.root / f"gpu/{number}")
        host, port = socket.gethostname().split(".")[0], _free_ports()
        (self.root / "gres.conf").write_text(
            f"NodeName={host} Name=gpu Type=fake File={self.root}/gpu/[0-{self.gpus - 1}]\n" if self.gpus else ""
        )
        (self.root / "slurm.conf").write_text(self._settings(host, port))
        # The plugin's job step takes SLURM_CONF, like every SLURM_* variable, out of the environment of its srun:
        # without a file in /etc/slurm the clients must be told where the settings are.
        for name in CLIENTS:
            real = shutil.which(name, path=SEARCHED)
            if real is not None:
                client = self.root / "bin" / name
                client.write_text(f"#!/bin/sh\nSLURM_CONF='{self.root}/slurm.conf' exec {real} \"$@\"\n")
                client.chmod(0o755)

    def _settings(self, host: str, port: int) -> str:
        root, user = self.root, _user()
        gres = f"Gres=gpu:fake:{self.gpus} " if self.gpus else ""
        partition = f"Nodes={host} MaxTime=UNLIMITED DefMemPerCPU=500 State=UP"
        return f"""\
ClusterName=sandbox
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port + 1}
SrunPortRange={port + 2}-{port + PORTS - 1}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.run/socket
CredType=cred/munge
StateSaveLocation={root}/ctld
SlurmdSpoolDir={root}/d
SlurmctldPidFile={root}/ctld.pid
SlurmdPidFile={root}/d.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
# Jobs stay in squeue for the whole of the tests: with no accounting there is no other record of them.
MinJobAge=7200
KillWait=5
InactiveLimit=0
ReturnToService=2
SlurmctldTimeout=60
SlurmdTimeout=60
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={self.cpus} RealMemory={self.memory_mb} {gres}State=UNKNOWN
PartitionName=cpu Default=YES {partition}
PartitionName=gpu Default=NO {partition}
# So many CPUs at once, whatever the node claims: real cores are few.
PartitionName=pipeline Default=NO MaxCPUsPerNode=3 {partition}
"""


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _fake_device(path: Path) -> None:
    """A character device where that is allowed, a link to one else."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        path.symlink_to("/dev/null")


def _free_ports() -> int:
    """The first of `PORTS` ports in a row that nobody listens on now."""
    for _ in range(200):
        first = 20_000 + secrets.randbelow(20_000)
        try:
            for port in range(first, first + PORTS):
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports on 127.0.0.1")


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str]) -> int:
    """Run a command within a sandbox; returns its exit status."""
    if len(arguments) < 3 or arguments[1] != "--":
        print(__doc__, file=sys.stderr)
        return 2
    if missing := missing_programs():
        print(f"not installed: {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)", file=sys.stderr)
        return 2
    with _signals_raise(), Sandbox(Path(arguments[0]).resolve()) as sandbox:
        command = subprocess.Popen(arguments[2:], env=sandbox.environment, start_new_session=True)
        try:
            return command.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
