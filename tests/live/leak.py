"""Leaks at a steady rate from another language, and from where leaks are hard to see.

usage: leak.py MODE RATE WAIT LIFE FOLDER, where MODE is six (files, connections to itself, pipes,
threads, unawaited children, signalfds), rare (rings, Landlock rule sets), leader (files, behind an
exited leader) or own-table (files, in the fd table of one thread).
"""

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time

CLONE_FILES = 0x400
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_IO_URING_SETUP = 425
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)
held = []


def check(fd, what):
    if fd < 0:
        error = os.strerror(ctypes.get_errno())
        # The test takes what follows as the reason to skip.
        open(os.path.join(folder, "unsupported"), "w").write(f"{what}: {error}")
        os._exit(3)
    return fd


def leak_file():
    held.append(open(os.path.join(folder, "kept"), "w"))


def leak_six(listener):
    leak_file()
    held.append(socket.create_connection(listener.getsockname()))
    held.append(listener.accept()[0])
    held.append(os.pipe())
    threading.Thread(target=threading.Event().wait, name="leak", daemon=True).start()
    held.append(subprocess.Popen(["true"]))
    # A set of signals has 1024 bits in C, 64 in the kernel.
    signals = (ctypes.c_ulong * 16)(1 << 9)
    held.append(check(libc.signalfd(-1, signals, 0o2000000), "signalfd"))


def leak_rare():
    parameters = ctypes.create_string_buffer(120)
    held.append(check(libc.syscall(SYS_IO_URING_SETUP, 1, parameters), "io_uring_setup"))
    rules = ctypes.c_uint64(1)
    created = libc.syscall(SYS_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), 8, 0)
    held.append(check(created, "landlock_create_ruleset"))


def leak():
    if mode == "own-table":
        check(libc.unshare(CLONE_FILES), "unshare(CLONE_FILES)")
    listener = socket.create_server(("127.0.0.1", 0))
    turn = {"six": lambda: leak_six(listener), "rare": leak_rare}.get(mode, leak_file)
    progress = os.open(os.path.join(folder, "progress"), os.O_CREAT | os.O_WRONLY)
    time.sleep(wait)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < life:
        turn()
        count += 1
        os.pwrite(progress, b"%12d" % count, 0)
        time.sleep(max(0, start + count / rate - time.monotonic()))
    os._exit(0)


mode, (rate, wait, life), folder = sys.argv[1], map(float, sys.argv[2:5]), sys.argv[5]
libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
thread = threading.Thread(target=leak)
thread.start()
if mode == "leader":
    libc.pthread_exit(None)
thread.join()
