"""Memory policies."""

from toolkit.traits.memory.policy import FullContext, MemoryPolicy, NoMemory, SlidingWindow
from toolkit.traits.memory.retrieval import PermutedLabels, PoolRetrieval, Retrieval, Shuffled

__all__ = [
    "FullContext",
    "MemoryPolicy",
    "NoMemory",
    "PermutedLabels",
    "PoolRetrieval",
    "Retrieval",
    "Shuffled",
    "SlidingWindow",
]
