"""Language models: how they are named, reached, taped and prompted."""

from toolkit.lm.embedded import Embedded, Gguf
from toolkit.lm.embedders import HostedEmbedder, OwnEmbedder
from toolkit.lm.finetuned import FineTuned
from toolkit.lm.hosted import Hosted
from toolkit.lm.model import Model, model
from toolkit.lm.reader import Reader
from toolkit.lm.scripted import Scripted
from toolkit.lm.scripted_actor import ScriptedActor
from toolkit.lm.turns import Several, TakingTurns

__all__ = [
    "Embedded",
    "FineTuned",
    "Gguf",
    "Hosted",
    "HostedEmbedder",
    "Model",
    "OwnEmbedder",
    "Reader",
    "Scripted",
    "ScriptedActor",
    "Several",
    "TakingTurns",
    "model",
]
