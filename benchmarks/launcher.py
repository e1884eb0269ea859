"""Starts and measures processes for measure.py, from a process that is itself small.

The kernel lets a child begin with its parent's peak memory, so the parent must have little. Reads
one JSON object per line, {"command", "environment", "folder"}; answers each with {"code",
"cpu", "wall", "memory", "stdout", "stderr"}, in milliseconds and MiB.
"""

import json
import os
import sys
import time


def measure(request: dict) -> dict:
    """Run one command to its end, with its output in pipes as a shell's $(...) has it."""
    outputs = [os.pipe(), os.pipe()]
    nothing = os.open(os.devnull, os.O_RDONLY)
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(nothing, 0)
            os.dup2(outputs[0][1], 1)
            os.dup2(outputs[1][1], 2)
            os.chdir(request["folder"])
            os.execve(request["command"][0], request["command"], request["environment"])
        except OSError as error:
            os.write(2, str(error).encode())
        finally:
            os._exit(127)
    for _, writing in outputs:
        os.close(writing)
    stdout, stderr = (os.fdopen(reading, errors="replace").read() for reading, _ in outputs)
    _, status, usage = os.wait4(child, 0)
    os.close(nothing)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "cpu": (usage.ru_utime + usage.ru_stime) * 1000,
        "wall": (time.perf_counter() - started) * 1000,
        "memory": usage.ru_maxrss / 1024,
        "stdout": stdout,
        "stderr": stderr,
    }


for line in sys.stdin:
    print(json.dumps(measure(json.loads(line))), flush=True)
