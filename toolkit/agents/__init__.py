"""Arms and agents."""
