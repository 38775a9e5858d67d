"""What the evaluation process forbids itself before it sees a candidate: nearly every system call.

::

    raise_barriers() ─┬─ no_new_privs    no program can be more than this process is       prctl(2)
                      ├─ system_calls    `CALLS` and no other: no file, no socket, no      seccomp(2), filter
                      │                  process, no signal to others; anything else: EPERM
                      └─ network         by that filter; where there is none, a network    unshare(2)
                                         namespace of its own with nothing in it

Linux on x86-64 and aarch64; elsewhere each barrier says why it is not there, and what is left is the process
itself: no environment, no descriptors but two pipes, resource limits (``child.py``), and WebAssembly around the
candidate. Like ``child.py`` this file imports the standard library only and is read by the child as it is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

__all__ = ["CALLS", "raise_barriers"]

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # the four instructions of classic BPF that are needed
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; an argument is two u32, low first
X32 = 0x40000000  # system calls of the x32 ABI, which x86-64 kernels may also have
ANY = -1

# name: (first argument, or ANY; number on x86-64; number on aarch64)
CALLS = {
    "read": (0, 0, 63),  # the pipe with orders
    "write": (1, 1, 64),  # the pipe with replies
    "close": (ANY, 3, 57),
    "mmap": (ANY, 9, 222),  # memory, compiled code too
    "mprotect": (ANY, 10, 226),
    "munmap": (ANY, 11, 215),
    "mremap": (ANY, 25, 216),
    "madvise": (ANY, 28, 233),
    "brk": (ANY, 12, 214),
    "membarrier": (ANY, 324, 283),  # new code on other cores
    "rt_sigaction": (ANY, 13, 134),  # traps arrive as signals
    "rt_sigprocmask": (ANY, 14, 135),
    "rt_sigreturn": (ANY, 15, 139),
    "sigaltstack": (ANY, 131, 132),
    "restart_syscall": (ANY, 219, 128),
    "futex": (ANY, 202, 98),
    "sched_yield": (ANY, 24, 124),
    "rseq": (ANY, 334, 293),
    "getpid": (ANY, 39, 172),
    "gettid": (ANY, 186, 178),
    "clock_gettime": (ANY, 228, 113),
    "getrandom": (ANY, 318, 278),
    "getrusage": (ANY, 98, 165),
    "prlimit64": (0, 302, 261),  # of this process
    "exit": (ANY, 60, 93),
    "exit_group": (ANY, 231, 94),
}
_MACHINES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}  # AUDIT_ARCH, column of `CALLS`


def raise_barriers(*, filtered: bool = True) -> dict[str, str]:
    """Forbid what can be forbidden here, for ever; returns for each barrier why it is not there, or nothing.

    ``filtered=False`` leaves out the system call filter: for a platform on which the runtime needs a call that is
    not in `CALLS`.
    """
    if sys.platform != "linux":
        return dict.fromkeys(("no_new_privs", "system_calls", "network"), f"not on {sys.platform}")
    libc = ctypes.CDLL(None, use_errno=True)
    missing = {"no_new_privs": _done(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))}
    missing["system_calls"] = _filter(libc) if filtered else "the WebAssembly runtime does not work under it here"
    missing["network"] = "" if not missing["system_calls"] else _without_network(libc)
    return missing


def _filter(libc: ctypes.CDLL) -> str:
    machine = os.uname().machine
    if machine not in _MACHINES or struct.calcsize("P") != 8:
        return f"no list of system calls for {machine}"
    code = program(*_MACHINES[machine])
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and where they are
    said = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))
    return _done(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, said, 0, 0))


def program(architecture: int, column: int) -> bytes:
    """Return the filter as classic BPF, 8 bytes an instruction: what it allows, one call after the other."""
    code = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(EQUAL, architecture, 1, 0),
        _instruction(RETURN, KILL),  # another ABI's numbers mean something else
        _instruction(LOAD, NUMBER),
        _instruction(AT_LEAST, X32, 0, 1),
        _instruction(RETURN, REFUSE),
    ]
    for first, *numbers in CALLS.values():
        number = numbers[column - 1]
        if first == ANY:
            code += [_instruction(EQUAL, number, 0, 1), _instruction(RETURN, ALLOW)]
        else:
            code += [
                _instruction(EQUAL, number, 0, 6),
                _instruction(LOAD, ARGUMENT),
                _instruction(EQUAL, first, 0, 3),
                _instruction(LOAD, ARGUMENT + 4),
                _instruction(EQUAL, 0, 0, 1),
                _instruction(RETURN, ALLOW),
                _instruction(RETURN, REFUSE),
            ]
    return b"".join([*code, _instruction(RETURN, REFUSE)])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _without_network(libc: ctypes.CDLL) -> str:
    """Enter a network namespace with nothing in it: root may, others where the system lets them have their own."""
    if not libc.unshare(CLONE_NEWNET):
        return ""
    return _done(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET))


def _done(result: int) -> str:
    return os.strerror(ctypes.get_errno()) if result else ""
