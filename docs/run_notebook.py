"""Executes examples/tour.ipynb and keeps its outputs in it, as docs/notebook.ipynb (a link to it) shows them.

python docs/make_pictures.py --only notebook          # minutes on two cores
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "tour.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"  # a progress bar: nothing without a running notebook


def main() -> int:
    """Execute it in an empty folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=3600, record_timing=False, resources=resources).execute()
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" and WIDGET not in o.get("data", {})]
    nbformat.write(notebook, NOTEBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
