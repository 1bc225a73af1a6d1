"""The four traits: what is public in them stands in `toolkit` itself."""
