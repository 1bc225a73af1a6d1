"""The report of a study: one self-contained HTML file that answers in the order a reader asks."""

from toolkit.report.files import html, write

__all__ = ["html", "write"]
