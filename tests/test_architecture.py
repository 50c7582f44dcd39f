"""What importing the package loads; import-linter holds who imports whom."""

import subprocess
import sys

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
import skncae
print(*(set(sys.modules) - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    added = run.stdout.split()
    assert "skncae" in added
    assert not {name.split(".")[0] for name in added} & OPTIONAL
    assert not [n for n in added if n.startswith(("torch._dynamo", "torch._inductor"))]
