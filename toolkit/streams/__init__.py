"""Streams of tasks, how they are scored, and what of the truth is told."""

from toolkit.streams.benchmarks import Banking77, benchmark
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar
from toolkit.streams.desk import Desk
from toolkit.streams.scoring import Scorer, scorer
from toolkit.streams.stream import Stream
from toolkit.streams.table import Table, table

__all__ = [
    "Banking77",
    "Channel",
    "Desk",
    "FullLabel",
    "NoFeedback",
    "OneBit",
    "Scalar",
    "Scorer",
    "Stream",
    "Table",
    "benchmark",
    "scorer",
    "table",
]
