"""Speed as ratios, each pair measured side by side in one run: median and spread over repeats, the goal beside it.

Run by ``make bench``. Absolute times depend on the machine; ratios should not. ``--json FILE`` keeps the figures,
``--only loop,replay`` measures some subjects.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import curves
import hosted
import loop
import measure
import memories
import peers
import prompts
import resampling
import startup
import stores

SUBJECTS = {
    "loop": loop.measure_episodes,
    "peers": peers.measure_inspect,
    "replay": loop.measure_replay,
    "streams": loop.measure_streams,
    "hosted": hosted.measure_hosted,
    "prompts": prompts.measure_prompts,
    "memories": stores.measure_memories,
    "words": memories.measure_words,
    "memory-peers": memories.measure_peers,
    "rows": stores.measure_rows,
    "bootstrap": resampling.measure_bootstrap,
    "curves": curves.measure_curves,
    "startup": startup.measure_startup,
}


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--only", default=",".join(SUBJECTS), help=f"subjects, of {', '.join(SUBJECTS)}")
    asked = parser.parse_args()
    unknown = [name for name in asked.only.split(",") if name not in SUBJECTS]
    if unknown:
        parser.error(f"no subject is called {unknown[0]!r}; there are {', '.join(SUBJECTS)}")
    measure.head()
    for name in asked.only.split(","):
        SUBJECTS[name]()
    if asked.json:
        measure.save(asked.json)


if __name__ == "__main__":
    main()
