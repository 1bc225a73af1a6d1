"""τ²-bench's customers: a database, tools above it by a policy, and a scripted customer."""

from toolkit.streams.tau2.stream import Tau2

__all__ = ["Tau2"]
