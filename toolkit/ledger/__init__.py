"""The ledger: what happened, in files, read with SQL."""
