"""What keeps code that is only looked into from whatever is none of its business.

It may read what Python and hummingbot are made of, write into its own folder, and has to end soon. Limits of the
process hold everywhere. On Linux it is also alone in a network without interfaces, where namespaces can be had, and
Landlock (https://docs.kernel.org/userspace-api/landlock.html) keeps it from all other files, from TCP, and from the
processes outside, whose environment it could read otherwise. That takes three system calls, less than any of the young
packages that wrap them.
"""

import ctypes
import importlib.util
import os
import resource
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CPU_SECONDS = 40
MEMORY = 4 << 30
"""Bytes of address space; an importing hummingbot has some 700 MB."""

FILE_SIZE = 64 << 20
FILES = 256
PROCESSES = 64

READABLE = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev", "/sys/devices/system", "/opt/python")
"""Where systems keep what programs need; nothing of the server's is there."""

OURS = ("aviary.actors", "aviary.config", "aviary.sandbox", "aviary.strategies")
"""The packages that an inspection imports from."""

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture."""

PATH_BENEATH = 1
ASK_VERSION = 1
NO_NEW_PRIVILEGES = 38

READ = 1 << 0 | 1 << 2 | 1 << 3
"""To execute and to read files, and to list folders."""

ON_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""The rights that a rule for a file, not a folder, may name."""

FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version of Landlock knows; later ones know no more."""

TCP, SCOPES = 0b11, 0b11
"""To bind and to connect, since version 4; abstract sockets and signals, since version 6."""


def confine(folder: Path, code: Iterable[Path]) -> frozenset[str]:
    """Give up, for this process and its children, what an inspection does not need; what could be given up.

    `folder` may be written to, `code` is read. The answer has "network" and "files" if these could be.
    """
    _limit(resource.RLIMIT_CPU, CPU_SECONDS)
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_FSIZE, FILE_SIZE)
    _limit(resource.RLIMIT_NOFILE, FILES)
    _limit(resource.RLIMIT_CORE, 0)
    os.environ["TMPDIR"] = str(folder)
    done = set()
    if _leave_the_network():
        done.add("network")
    if _keep_to([folder], [*_python(), *code]):
        done.add("files")
    return frozenset(done)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (wanted, wanted))


def _leave_the_network() -> bool:
    if not hasattr(os, "unshare"):
        return False
    user = os.getuid()
    for kinds in (os.CLONE_NEWUSER | os.CLONE_NEWNET, os.CLONE_NEWNET):
        # Refused where users may make no namespaces, or while this process has threads.
        with suppress(OSError):
            os.unshare(kinds)
            if kinds & os.CLONE_NEWUSER:
                # A namespace of users counts its own processes; elsewhere all of the user's would count.
                Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
                _limit(resource.RLIMIT_NPROC, PROCESSES)
            return True
    return False


def _python() -> list[Path]:
    packages = [importlib.util.find_spec(name) for name in OURS]
    ours = [place for found in packages if found is not None for place in found.submodule_search_locations or ()]
    return [Path(place) for place in (*READABLE, sys.prefix, sys.base_prefix, *sys.path[1:], *ours) if place]


def _keep_to(written: Iterable[Path], read: Iterable[Path]) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    everything = (1 << FILE_RIGHTS.get(version, max(FILE_RIGHTS.values()))) - 1
    wanted = [everything, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0]  # noqa: PLR2004 - versions
    known = 1 if version < 4 else 2 if version < 6 else 3  # noqa: PLR2004 - versions
    attributes = struct.pack(f"={known}Q", *wanted[:known])
    rules = _done(libc.syscall(CREATE_RULESET, attributes, len(attributes), 0))
    for rights, places in ((everything, written), (READ, read)):
        for place in places:
            _allow(libc, rules, place, rights)
    _done(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _done(libc.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)
    return True


def _allow(libc: ctypes.CDLL, rules: int, place: Path, rights: int) -> None:
    try:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # What is not there needs no rule.
        return
    try:
        rights = rights if place.is_dir() else rights & ON_FILES
        _done(libc.syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0))
    finally:
        os.close(descriptor)


def _done(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
