"""Memory policies."""

from toolkit.traits.memory.policy import FullContext, MemoryPolicy, NoMemory, SlidingWindow
from toolkit.traits.memory.retrieval import PermutedLabels, Retrieval, Shuffled

__all__ = ["FullContext", "MemoryPolicy", "NoMemory", "PermutedLabels", "Retrieval", "Shuffled", "SlidingWindow"]
