"""Streams of tasks, how they are scored, and what of the truth is told."""

from toolkit.streams.answers import Contains, Selective, TokenF1
from toolkit.streams.benchmarks import Banking77, benchmark
from toolkit.streams.cases import DeskCases
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar
from toolkit.streams.channels import (
    Adversarial,
    Critique,
    Delayed,
    HumanFeedback,
    Implicit,
    Missing,
    Noisy,
    Preference,
    ShuffledFeedback,
)
from toolkit.streams.conversations import ChatLog, Locomo, LongMemEval
from toolkit.streams.desk import Desk
from toolkit.streams.gym import GymWorld, Optimum, Played
from toolkit.streams.proactive import ProactiveBench
from toolkit.streams.questions import TwentyQuestions
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
from toolkit.streams.tau2 import Tau2
from toolkit.streams.text_games import TextWorldFiles
from toolkit.streams.text_made import TextWorld
from toolkit.streams.toy_text import ToyText
from toolkit.streams.worlds import Limits, Reached, Stepped, Tallied, World, WorldStream

__all__ = [
    "Abstention",
    "Adversarial",
    "Banking77",
    "Channel",
    "ChatLog",
    "ClosedBook",
    "Contains",
    "Contradiction",
    "Critique",
    "Delayed",
    "Desk",
    "DeskCases",
    "ForgetOnRequest",
    "FullLabel",
    "GymWorld",
    "HumanFeedback",
    "Implicit",
    "Interference",
    "KnowledgeUpdate",
    "Limits",
    "Locomo",
    "LongLife",
    "LongMemEval",
    "Missing",
    "MultiHop",
    "NoFeedback",
    "Noisy",
    "OneBit",
    "Optimum",
    "Personalisation",
    "Played",
    "Preference",
    "ProactiveBench",
    "Reached",
    "RecallAtLag",
    "Scalar",
    "Scorer",
    "Selective",
    "ShuffledFeedback",
    "Stepped",
    "Stream",
    "Table",
    "Tallied",
    "Tau2",
    "TemporalOrder",
    "TextWorld",
    "TextWorldFiles",
    "TokenF1",
    "ToyText",
    "TwentyQuestions",
    "World",
    "WorldStream",
    "benchmark",
    "scorer",
    "table",
]
