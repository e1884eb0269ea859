"""`python -m crash.worker MODE ...`: a worker of `refresh.worker` that something befalls."""

from __future__ import annotations

import os
import signal
import sys

from crash import killing

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
    killing.befall(os.environ)

    from refresh import worker

    sys.exit(worker.main(*sys.argv[1:]))
