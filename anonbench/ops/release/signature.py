"""The owner's signature of a release, by `ssh-keygen -Y sign`: with a key that many people have already.

A recipient who has the owner's line of `allowed_signers` (`man ssh-keygen`) knows who signed. Without it only that the
files are those that were signed by some key, whose fingerprint the owner can read out.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from anonbench.core.errors import DataError, MissingDependencyError
from anonbench.ops.release.layout import SIGNATURE, SUMS

PROGRAM = "ssh-keygen"
NAMESPACE = "anonbench-release"


def sign(folder: Path, key: Path) -> None:
    """Sign a folder's `SUMS`. It may ask for the key's passphrase.

    key: the private one, or the public one of a key in an agent.
    Raises `DataError` where it cannot be used, `MissingDependencyError` where there is no ssh-keygen.
    """
    if not key.is_file():
        raise DataError(f"{key}: no such key. Make one with `ssh-keygen -t ed25519`, or leave --sign-key out.")
    done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(folder / SUMS)], None)
    if done.returncode or not (folder / SIGNATURE).is_file():
        raise DataError(f"{key}: {PROGRAM} cannot sign with it ({_said(done)}). Nothing was released.")


def fault_of(folder: Path, signers: Path | None) -> tuple[str, str]:
    """What is wrong with a folder's signature ("" for nothing), and what there is to say about it.

    signers: file of allowed signers; None to check the signature alone, by whomever it is.
    Raises `MissingDependencyError` where there is no ssh-keygen.
    """
    if not (folder / SIGNATURE).is_file():
        return ("there is none", "") if signers else ("", "not signed")
    data = (folder / SUMS).read_bytes()
    about = ["-n", NAMESPACE, "-s", str(folder / SIGNATURE)]
    if signers is None:
        done = _run(["-Y", "check-novalidate", *about], data)
        said = f"{_said(done)}. Ask the owner whether that is their key, or name --signers"
        return (_said(done), "") if done.returncode else ("", said)
    if not signers.is_file():
        raise DataError(f"{signers}: no such file. Expected lines of a name and a public key (`man {PROGRAM}`).")
    named = _run(["-Y", "find-principals", "-s", str(folder / SIGNATURE), "-f", str(signers)], None)
    names = named.stdout.decode(errors="replace").split()
    if named.returncode or not names:
        return f"none of {signers} has made it", ""
    done = _run(["-Y", "verify", "-f", str(signers), "-I", names[0], *about], data)
    return (_said(done), "") if done.returncode else ("", f"{_said(done)}")


def _run(words: Sequence[str], data: bytes | None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *words], input=data, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingDependencyError(
            f"{PROGRAM} is not here: signatures are made and checked by it. Install OpenSSH's client, or leave the "
            f"signature out."
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr + done.stdout).decode(errors="replace").split("\n")
    lines = [line.strip() for line in text if line.strip()]
    return lines[-1].rstrip(".") if lines else f"status {done.returncode}"
