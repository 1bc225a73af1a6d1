"""Streams of tasks, how they are scored, and what of the truth is told."""

from toolkit.streams.benchmarks import Banking77, benchmark
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar
from toolkit.streams.desk import Desk
from toolkit.streams.scoring import Scorer, scorer
from toolkit.streams.stream import Stream
from toolkit.streams.synthetic import (
    Abstention,
    ClosedBook,
    Contradiction,
    ForgetOnRequest,
    Interference,
    KnowledgeUpdate,
    LongLife,
    MultiHop,
    Personalisation,
    RecallAtLag,
    TemporalOrder,
)
from toolkit.streams.table import Table, table

__all__ = [
    "Abstention",
    "Banking77",
    "Channel",
    "ClosedBook",
    "Contradiction",
    "Desk",
    "ForgetOnRequest",
    "FullLabel",
    "Interference",
    "KnowledgeUpdate",
    "LongLife",
    "MultiHop",
    "NoFeedback",
    "OneBit",
    "Personalisation",
    "RecallAtLag",
    "Scalar",
    "Scorer",
    "Stream",
    "Table",
    "TemporalOrder",
    "benchmark",
    "scorer",
    "table",
]
