"""The process that runs a program and its tests: rights are given up first, then the program runs. Started by
`sandbox`; imports nothing of ours, and gets its job on standard input.

Its first line says how it is confined: "filtered" (the kernel refuses all calls but those that computing needs),
"limited" (limits alone, where the kernel has no such filter), or "refused": as root without a filter, and without the
right to become somebody else, nothing would hold, and nothing is run.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import json
import os
import platform
import resource
import sys

# What programs may want, imported before no file can be opened any more.
ALLOWED = [
    "math",
    "cmath",
    "itertools",
    "functools",
    "collections",
    "re",
    "string",
    "random",
    "statistics",
    "fractions",
    "decimal",
    "heapq",
    "bisect",
    "operator",
    "copy",
    "datetime",
    "typing",
    "dataclasses",
    "enum",
    "abc",
    "array",
    "json",
    "textwrap",
    "numbers",
]
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# Where root's programs run as nobody of importance, each as another: none can signal another's.
_FIRST_USER, _USERS = 61_184, 4_000

# Calls to the kernel that a computing interpreter makes, by their numbers: read, write, close, memory, its own signals,
# clocks, sleep, locks, random numbers, its own id, and its end. No file, process, socket, signal to others, or limit.
_CALLS = {
    ("x86_64", 0xC000003E): [
        *(0, 1, 3, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 35, 39, 60, 96, 98, 100, 131, 186, 201, 202, 219),
        *(228, 229, 230, 231, 318, 324, 334),
    ],
    ("aarch64", 0xC00000B7): [
        *(57, 63, 64, 93, 94, 98, 101, 113, 114, 115, 124, 128, 132, 134, 135, 139, 153, 165, 169, 172, 178),
        *(214, 215, 216, 222, 226, 233, 278, 283, 293),
    ],
}
_NO_NEW_PRIVILEGES, _SET_FILTER, _FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # refused calls fail with EPERM
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06


def main() -> None:
    """Read the job, give up all rights, run, and write "1" or "0" a test."""
    job = json.loads(sys.stdin.buffer.read())
    for name in ALLOWED:
        __import__(name)
    compile("0", "", "exec")
    results = os.dup(1)
    stranger = _become_somebody_else()
    _limit(job["cpu_s"], job["memory_mib"])
    filtered = _filter_calls()
    if not (filtered or stranger):
        os.write(results, b"refused\n")
        return
    os.write(results, b"filtered\n" if filtered else b"limited\n")
    silent = io.StringIO()
    for test in job["tests"]:
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            mark = b"1\n" if _passes(job["program"], test) else b"0\n"
        silent.seek(0)
        silent.truncate()
        os.write(results, mark)


def _passes(program: str, test: str) -> bool:
    scope = {"__name__": "program", "__builtins__": builtins}
    try:
        exec(compile(program, "program", "exec"), scope)
        exec(compile(test, "test", "exec"), scope)
    except BaseException:
        return False
    return True


def _become_somebody_else() -> bool:
    """Whether it runs as a user whom limits bind: root's have no effect on root."""
    if os.geteuid() != 0:
        return True
    try:
        user = _FIRST_USER + os.getpid() % _USERS
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:
        return False
    return True


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def _filter_calls() -> bool:
    """From now on the kernel refuses all calls but `_CALLS`; False where it cannot be asked to."""
    known = [(audit, calls) for (machine, audit), calls in _CALLS.items() if machine == platform.machine()]
    if sys.platform != "linux" or not known:
        return False
    ((audit, calls),) = known
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    lines += [(_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)]
    lines += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    instructions = (_Instruction * len(lines))(*(_Instruction(*line) for line in lines))
    program = _Program(len(lines), instructions)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    zero = ctypes.c_ulong(0)
    if prctl(_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), zero, zero, zero) != 0:
        return False
    return bool(prctl(_SET_FILTER, ctypes.c_ulong(_FILTER), ctypes.byref(program), zero, zero) == 0)


def _limit(cpu_s: int, memory_mib: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # where the kernel grants it: no network but an empty one
        ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    memory = memory_mib * 2**20
    limits = [(resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)]
    if sys.platform == "linux":
        limits += [(resource.RLIMIT_AS, memory), (resource.RLIMIT_NPROC, 0)]
    for kind, limit in (*limits, (resource.RLIMIT_NOFILE, 0)):
        resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    main()
