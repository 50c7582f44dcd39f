"""What importing the package loads; import-linter holds who imports whom."""

import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Never imported with the package, only by the function that needs them.
OPTIONAL = {"dask", "matplotlib", "onnx", "pandas", "polars", "pyod"}
OPTIONAL |= {"pyarrow", "pythresh", "safetensors", "spox"}


def test_importing_skncae_loads_nothing_slow_or_optional():
    # scikit-learn itself loads pandas where it is installed, so what counts is
    # what skncae adds.
    code = """
import sys
import sklearn.base, sklearn.utils.fixes, torch
before = set(sys.modules)
from skncae import *
print(*(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    added = run.stdout.split()
    assert {"skncae._detector", "skncae.reports"} <= set(added)
    assert not {name.split(".")[0] for name in added} & OPTIONAL
    assert not [n for n in added if n.startswith(("torch._dynamo", "torch._inductor"))]


def test_picture_of_the_imports_is_that_of_the_code():
    drawn = runpy.run_path(str(ROOT / "docs" / "draw_architecture.py"))
    assert drawn["PICTURE"].read_text("utf-8") == drawn["draw"](), (
        "Run: python docs/draw_architecture.py"
    )


def test_every_room_is_on_the_page():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = runpy.run_path(str(ROOT / "docs" / "draw_architecture.py"))
    rooms = {name.removeprefix("skncae.") for row in drawn["layers"]() for name in row}
    assert not [room for room in rooms - {"_version"} if f"`{room}" not in page]
