"""Studies: their design, their specification, and how they are carried out."""
