"""Leaks files from where they are hard to see: behind an exited leader, in a thread's own table."""

import ctypes
import sys
import threading
import time

RATE = 4.0
CLONE_FILES = 0x400
libc = ctypes.CDLL(None, use_errno=True)
held = []


def leak(own_table):
    if own_table and libc.unshare(CLONE_FILES) != 0:
        sys.exit("unshare failed")
    start = time.monotonic()
    while time.monotonic() - start < 120:
        held.append(open("/etc/passwd"))
        time.sleep(max(0, start + len(held) / RATE - time.monotonic()))


# Signals that the test sends must still end us: the thread is no daemon, the test kills us.
thread = threading.Thread(target=leak, args=(sys.argv[1] == "own-table",))
thread.start()
if sys.argv[1] == "leader":
    libc.pthread_exit(None)
thread.join()
