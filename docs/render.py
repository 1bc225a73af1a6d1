"""Run notebooks on the embedded model and write each as a page of docs/notebooks: ``python docs/render.py 00 05``.

Without names all of them are run. A page stands by itself: no script, no address but links that a reader may follow.
The notebooks themselves are kept without outputs, and are not changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from html import escape
from pathlib import Path

import nbclient
import nbformat
from nbconvert import HTMLExporter

PAGES = Path(__file__).parent / "notebooks"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
_VIEW = "application/vnd.jupyter.widget-view+json"  # lives by its kernel; what is shown instead stands beside it
_HOUR = 3600
_COPY = re.compile(r'(href=")([^":/]+)\.ipynb(["#])')
_PAGE = re.compile(r'(href="\.\./)docs/([^":]+)\.md(["#])')
_LAST = """
import json as _json
from ipywidgets.widgets.widget import _instances
from toolkit.widgets.live import LiveStudy as _Live

_shown = {name: view._repr_mimebundle_() for name, view in _instances.items() if isinstance(view, _Live)}
print(_json.dumps({name: bundle[0]["text/html"] for name, bundle in _shown.items()}))
"""
_STYLE = """
body { max-width: 62em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 system-ui, sans-serif; color: #222; }
pre { overflow-x: auto; font-size: 13px; line-height: 1.35; }
.jp-CodeCell .jp-InputArea pre { background: #f4f4f5; padding: .7em; border-radius: 4px; }
.jp-OutputArea-output { overflow-x: auto; }
.jp-InputPrompt, .jp-OutputPrompt, .anchor-link { display: none; }
table { border-collapse: collapse; font-size: 13px; } td, th { padding: .2em .6em; text-align: right; }
img, svg { max-width: 100%; }
"""


def executed(notebook: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run from top to bottom in a folder, its ledger there too.

    What stands for a live view where there is no kernel was made when the view was first shown, when nothing had
    happened: one more cell asks what it shows at the end.
    """
    found = nbformat.read(notebook, as_version=4)
    found.cells.append(nbformat.v4.new_code_cell(_LAST))
    os.environ["TOOLKIT_LEDGER"] = str(folder / "ledger")
    place = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(found, timeout=_HOUR, kernel_name="python3", resources=place).execute()
    last = json.loads("".join(output.text for output in found.cells.pop().outputs if output.get("name") == "stdout"))
    for output in (output for cell in found.cells for output in cell.get("outputs", ())):
        view = output.get("data", {}).pop(_VIEW, {}).get("model_id")
        if view in last:
            output.data["text/html"] = last[view]
    found.metadata.pop("widgets", None)  # megabytes, of use to a kernel only
    return found


def once(body: str) -> str:
    """The same without style sheets that stood before: every view brings its own, since it may be the only one."""
    parts = re.split(r"(<style>.*?</style>)", body, flags=re.DOTALL)
    return "".join(part for place, part in enumerate(parts) if place % 2 == 0 or part not in parts[:place])


def page(notebook: nbformat.NotebookNode, title: str, folder: Path) -> str:
    """A notebook as HTML; the folder that it ran in is left out of what it says.

    Its links lead where a reader of the site is: to the other copies and to pages.
    """
    exporter = HTMLExporter(template_name="basic")
    body, _ = exporter.from_notebook_node(notebook)
    body = once(_PAGE.sub(r"\1\2.html\3", _COPY.sub(r"\1\2.html\3", body)))
    told = f"<p>Made from <code>notebooks/{escape(title)}.ipynb</code>, run on the model that it names.</p>"
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    whole = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{told}\n{body}</body></html>\n'
    return re.sub(rf"{re.escape(str(folder.resolve()))}/?", "", whole).replace(f"{folder}/", "")


def main() -> None:
    """Write the pages of the notebooks named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="the first letters of notebooks, such as 00; default: all")
    names = tuple(parser.parse_args().names) or ("",)
    PAGES.mkdir(exist_ok=True)
    for notebook in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        if notebook.name.startswith(names):
            # MLflow's follower may still write there when the notebook has come to its end
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
                folder = Path(made)
                text = page(executed(notebook, folder), notebook.stem, folder)
            (PAGES / f"{notebook.stem}.html").write_text(text, encoding="utf-8")
            print(f"docs/notebooks/{notebook.stem}.html: {len(text) // 1024} kB", flush=True)


if __name__ == "__main__":
    main()
