"""The command line: a name leads to a function, and the function's signature to its options.

    anonbench --help
    anonbench evaluate --help
    anonbench verify results/tables/table3.csv

Every rule of the workflow is one command with paths in and paths out, and every stage runs without Snakemake. A command
exits with status 2 and a sentence when the user can fix what is wrong (`AnonbenchError`), with 1 when it has found
something to report, with 130 when it was interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from anonbench import __version__
from anonbench.core.command import (
    GROUPS,
    Declaration,
    footprint,
)
from anonbench.core.errors import AnonbenchError
from anonbench.core.parallel import THREAD_SETTINGS
from anonbench.ops.catalog import command_names, declaration, plugin_registry, shown
from anonbench.ops.given import demand_keys
from anonbench.ops.options import NOT_GIVEN, build_parser, option_values

TITLES = {
    "data": "datasets",
    "detect": "finding faces",
    "anonymize": "hiding them",
    "train": "training networks",
    "evaluate": "scoring them",
    "report": "tables and figures",
    "study": "statistics of a study",
    "dvc": "versions",
    "help": "help for users",
}


def _overview() -> str:
    """`anonbench --help`: every command in its group, with a line."""
    grouped: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for name in command_names():
        declared = declaration(name)
        grouped[declared.group].append((shown(name), declared.help.rstrip(".")))
    width = max(len(name) for rows in grouped.values() for name, _ in rows)
    lines = ["usage: anonbench COMMAND [OPTIONS]      (anonbench COMMAND --help, anonbench --version)", ""]
    for group, rows in grouped.items():
        lines += [f"{TITLES[group]}:", *(f"  {name:<{width}}  {text}" for name, text in rows), ""]
    return "\n".join(lines).rstrip()


# --- running ---


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Ends like any Unix tool where nobody reads the output any more."""
    try:
        status = _main(arguments)
        sys.stdout.flush()  # here, where it can be caught
        return status
    except OSError as error:
        if error.errno == errno.EPIPE and _nobody_reads():
            _write_nowhere()
            return 128 + signal.SIGPIPE  # what a shell shows for `cat file | head`
        if error.filename is None and error.errno == errno.ENOSPC:  # /dev/full, or a full disk behind `> file`
            _write_nowhere()
            print(f"anonbench: the output cannot be written ({error.strerror}).", file=sys.stderr)
            return 1
        raise


def _nobody_reads() -> bool:
    """Whether stdout or stderr is a pipe whose reader has gone. A pipe between processes of ours is another matter."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            poll.register(stream.fileno(), 0)  # POLLERR is always reported
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _write_nowhere() -> None:
    """Let Python's own flush at exit succeed."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"anonbench {__version__}")
        return 0
    try:
        command = Command.from_words(words)
    except LookupError as error:
        print(f"anonbench: {error}", file=sys.stderr)
        return 2
    return command.run()


class Command:
    """One command with the values of its options."""

    def __init__(self, name: str, declared: Declaration, options: argparse.Namespace) -> None:
        self.name, self.declared = name, declared
        self.values = option_values(declared, options)
        self.stamp: Path | None = getattr(options, "stamp", None)
        code = self.values.get("code", getattr(options, "code", ""))
        self.code = "" if code is NOT_GIVEN else str(code)
        extra = [] if self.declared.option("plugins") else getattr(options, "plugins", [])
        self.plugins: Sequence[str] = self.values.get("plugins") or extra
        self.started = time.monotonic()

    @classmethod
    def from_words(cls, words: Sequence[str]) -> Command:
        """Read a command line: the name of a command, then its options.

        Raises `LookupError` for an unknown command. Options that cannot be used end the process with status 2.
        """
        name = words[0].replace("-", "_")
        declared = declaration(name)
        return cls(name, declared, build_parser(name, declared).parse_args(words[1:]))

    @property
    def threads(self) -> int:
        return int(self.values.get("threads") or 1)

    def run(self) -> int:
        """Run it, with a stamp where one is asked for, and turn what goes wrong into a message and a status."""
        signal.signal(signal.SIGTERM, _interrupt)  # a cancelled job cleans up like one stopped by Ctrl-C
        logging.basicConfig(format="%(message)s")
        logging.getLogger("anonbench").setLevel(logging.INFO)  # a line an epoch, what was resumed
        if self.declared.option("threads"):
            _limit_threads(self.threads)
        try:
            for name, keys in self.declared.needs.items():
                demand_keys(self.values[name], keys, f"--{name}")
            return self._call() if self.stamp is None else self._make(self.stamp)
        except AnonbenchError as error:
            return self._say(str(error), 2)
        except KeyboardInterrupt:
            return self._say("interrupted; unfinished outputs were removed.", 130)
        except Exception as error:
            if type(error).__name__ != "OutOfMemoryError":  # torch's; most commands have not loaded it
                raise
            return self._say(
                f"the GPU has too little memory ({str(error).splitlines()[0]}). `nvidia-smi` lists other programs that "
                f"use it. Else: a smaller `batch_size` in the recipe, or a larger GPU, on which a training goes on "
                f"from its last saved epoch.",
                2,
            )

    def _say(self, text: str, status: int) -> int:
        print(f"anonbench {shown(self.name)}: {text}", file=sys.stderr)
        return status

    def _call(self) -> int:
        self._claim_gpus()
        if self.plugins:
            from anonbench.core.registry import load_plugins

            load_plugins(self.plugins)
        if "code" in self.values and not self.code and self.values.get("resume_dir"):
            self.values["code"] = self._own_code()
        function = getattr(importlib.import_module(self.declared.module), self.declared.function)
        return int(function(**self.values) or 0)

    def _claim_gpus(self) -> None:
        """Settle which GPUs a command sees before it loads torch."""
        device = self.values.get("device")
        if device is None:
            return
        from anonbench.core.gpus import VISIBLE, claim_gpus

        if device == "cpu" and self.declared.gpu:
            os.environ[VISIBLE] = "-1"
        claim_gpus(device, self.values.get("gpus", 1))

    def _own_code(self) -> str:
        """The digest that the workflow would give, for a state that is to be kept by a command typed by hand."""
        from anonbench.ops.provenance import code_digest

        modules = [self.declared.module]
        spec = self.values.get("spec")
        if self.declared.plugin and isinstance(spec, Mapping):
            modules.append(plugin_registry(self.declared).get(spec.get("method")).__module__)
        return code_digest(*modules)

    def _make(self, stamp: Path) -> int:
        """Run as the only process on its job, keep record of it, and stamp what it made."""
        from anonbench.ops import job_lock
        from anonbench.ops.clock import wait_for_inputs
        from anonbench.ops.journal import Attempt, log_taken
        from anonbench.ops.provenance import write_stamp

        found = footprint(self.declared, self.values)
        job = job_lock.JobFiles(self.name, stamp, found, self.code, self.values.get("resume_dir"))
        with job_lock.sole_process(stamp) as waited:
            if job_lock.was_made_meanwhile(job):
                self._say("another process has made this meanwhile; taken.", 0)
                log_taken(self.name, stamp)
                return 0
            job_lock.remove_leftovers(job, waited)
            if self.code:  # by hand nobody compares times
                wait_for_inputs(found.inputs)
            started = time.monotonic() if waited else self.started
            with Attempt(self.name, stamp, self.threads, self.values.get("gpus", 1)):
                status = self._call()
                seconds = time.monotonic() - started
                write_stamp(
                    stamp, self.name, found.settings, found.inputs, found.outputs, self.code, seconds, self.threads
                )
        return status


def _limit_threads(threads: int) -> None:
    """Set, before they are loaded, how many threads the numerical libraries use: those that the scheduler has reserved.

    Left alone they start one a core, and two such jobs on two cores run 5-10 times slower than two of one thread.
    """
    os.environ.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
