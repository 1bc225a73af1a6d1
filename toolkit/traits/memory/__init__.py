"""Memory policies."""

from toolkit.traits.memory.bounded import Bounded
from toolkit.traits.memory.embedding import Embedder, WordLlama
from toolkit.traits.memory.exchange import export_memories, read_memories
from toolkit.traits.memory.facts import Facts
from toolkit.traits.memory.layered import Layered
from toolkit.traits.memory.lessons import Lessons, Workflows
from toolkit.traits.memory.notes import LinkedNotes
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy, NoMemory
from toolkit.traits.memory.renewed import Renewed
from toolkit.traits.memory.retrieval import PermutedLabels, PoolRetrieval, Retrieval, Shuffled
from toolkit.traits.memory.store import Store
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.memory.summary import RunningSummary
from toolkit.traits.memory.weighed import LatestWins, Weighed
from toolkit.traits.memory.windows import FullContext, SlidingWindow
from toolkit.traits.memory.written import WrittenMemory

__all__ = [
    "Bounded",
    "Embedder",
    "Facts",
    "Forgotten",
    "FullContext",
    "LatestWins",
    "Layered",
    "Lessons",
    "LinkedNotes",
    "MemoryPolicy",
    "NoMemory",
    "PermutedLabels",
    "PoolRetrieval",
    "Renewed",
    "Retrieval",
    "RunningSummary",
    "Shuffled",
    "SlidingWindow",
    "Store",
    "StoredMemory",
    "Weighed",
    "WordLlama",
    "Workflows",
    "WrittenMemory",
    "export_memories",
    "read_memories",
]
