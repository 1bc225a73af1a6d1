"""What a paper can take over: the methods in words and as LaTeX, the tables, the references."""

from __future__ import annotations

from toolkit.report.facts import Facts
from toolkit.report.methods import methods
from toolkit.report.page import Html, element, folded, paragraphs


def paper(facts: Facts) -> Html:
    """Methods with references, and the sources to copy."""
    told = methods(facts)
    items = [element("li", text) for text in told.references]
    sources = {
        "Methods as LaTeX (methods.tex)": told.to_latex(),
        "References (references.bib)": told.bibtex(),
        "Tables as LaTeX (table.tex)": "\n".join(facts.papers),
    }
    return element(
        "div",
        paragraphs(*told.texts),
        element("ol", *items, class_="small"),
        *(folded(title, element("pre", source)) for title, source in sources.items() if source),
    )
