"""Memory policies."""

from toolkit.traits.memory.bounded import Bounded
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy, NoMemory
from toolkit.traits.memory.retrieval import PermutedLabels, PoolRetrieval, Retrieval, Shuffled
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.memory.windows import FullContext, SlidingWindow

__all__ = [
    "Bounded",
    "Forgotten",
    "FullContext",
    "MemoryPolicy",
    "NoMemory",
    "PermutedLabels",
    "PoolRetrieval",
    "Retrieval",
    "Shuffled",
    "SlidingWindow",
    "StoredMemory",
]
