"""Waits for a lock over and over: `waiter.py PATH`, for each line on stdin once.

Answers "waiting" just before it asks for the lock, then when it had it: `time.monotonic()`, which
on one machine is the same clock in all processes.
"""

import sys
import time
from pathlib import Path

from click_auth.locks.account_lock import exclusive

PATIENCE_SECONDS = 30.0

for _ in sys.stdin:
    print("waiting", flush=True)
    with exclusive(Path(sys.argv[1]), PATIENCE_SECONDS):
        had = time.monotonic()
    print(had, flush=True)
