"""Prints the tags of one of MLflow's runs: a process of its own, so that whoever asks need not import MLflow.

``python -m toolkit.ledger.tags URI RUN``; its environment is `toolkit.ledger.target.Target.environment`.
"""

from __future__ import annotations

import json
import sys


def main(uri: str, run: str) -> None:
    """Print them as JSON, on the last line."""
    from mlflow.tracking import MlflowClient

    sys.stdout.write(json.dumps(dict(MlflowClient(uri).get_run(run).data.tags)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
