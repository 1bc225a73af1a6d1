"""Inspect on as many samples with its own mock model, in an environment of its own that is thrown away afterwards."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import measure
from loop import bare_predict

PACKAGE = "inspect-ai==0.3.285"
SAMPLES = 200
_SCRIPT = f"""
import sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate
from inspect_ai.model import get_model, ModelOutput, ModelUsage
def once(n):
    samples = [Sample(input=f"number {{i}} of all the numbers there are", target="yes") for i in range(n)]
    outputs = [ModelOutput.from_content("mockllm/model", "yes") for _ in range(n)]
    for output in outputs:  # otherwise it counts tokens, with tables that it downloads
        output.usage = ModelUsage(input_tokens=20, output_tokens=1, total_tokens=21)
    model = get_model("mockllm/model", custom_outputs=outputs)
    started = time.perf_counter()
    [log] = eval(Task(dataset=samples, solver=generate(), scorer=match()), model=model, display="none",
                 log_dir=sys.argv[1], log_samples=sys.argv[2] == "all")
    assert log.status == "success", log.error.message[:150]
    return time.perf_counter() - started
once(5)
print("seconds", once({SAMPLES}))
"""


def measure_inspect() -> None:
    """Each of its samples beside a bare call of DSPy."""
    names = {
        "all": "  inspect, every sample in its log / dspy.Predict",
        "none": "  inspect, no sample kept / dspy.Predict",
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            python = installed(Path(folder, "env"), PACKAGE)
        except (subprocess.SubprocessError, OSError) as error:
            measure.skip("  inspect / dspy.Predict", f"{PACKAGE} cannot be installed: {why(error)}")
            return
        for kept, name in names.items():
            ratios = []
            for number in range(3):
                base, _ = measure.spent(lambda: bare_predict(SAMPLES))
                command = [str(python), "-c", _SCRIPT, f"{folder}/logs-{kept}-{number}", kept]
                told = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
                if told.returncode:
                    measure.skip(name, told.stderr.strip().splitlines()[-1][:200])
                    break
                ratios.append(float(told.stdout.split()[-1]) / base)
            else:
                measure.show(name, "", ratios)


def installed(folder: Path, *packages: str) -> Path:
    """The Python of a new environment with these packages; raises where that fails, see `why`."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", *packages]
    subprocess.run(install, check=True, capture_output=True, text=True, timeout=600)
    return python


def why(error: subprocess.SubprocessError | OSError) -> str:
    """What went wrong, in the words of whoever failed."""
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1][-200:] if said else type(error).__name__
