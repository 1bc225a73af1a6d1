"""From nothing: importing, asking for help, the first result."""

from __future__ import annotations

import subprocess
import sys
import time

import measure

COLD = (
    "import tempfile, toolkit as tk;"
    "s = tk.Study('cold', tk.Desk(tasks=20), arms=[tk.Arm.static()], lm='scripted', seeds=2,"
    " ledger=tempfile.mkdtemp(), tracking='off');"
    "s.run(); print(s.compare())"
)


def python(code: str) -> float:
    """Seconds that a process takes for a piece of code."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - started


def measure_startup() -> None:
    """In seconds, less what Python itself takes to start, where the goal is in seconds."""
    rounds = [
        (python(""), python("import dspy"), python("import toolkit"), python(HELP), python(COLD))
        for _ in range(measure.REPEATS)
    ]
    measure.show("import toolkit, ms", "<= 500", [1000 * one[2] for one in rounds], unit="ms")
    measure.show("toolkit --help, ms", "<= 300", [1000 * one[3] for one in rounds], unit="ms")
    measure.show("  python with nothing to do, ms", "", [1000 * one[0] for one in rounds], unit="ms")
    measure.show("  import dspy, ms", "", [1000 * one[1] for one in rounds], unit="ms")
    measure.show(
        "first result of a scripted study less import dspy, ms",
        "<= 500",
        [1000 * (one[4] - one[1]) for one in rounds],
        unit="ms",
    )


HELP = (
    "import sys; sys.argv = ['toolkit', '--help']\nimport toolkit.cli\ntry: toolkit.cli.main()\nexcept SystemExit: pass"
)
