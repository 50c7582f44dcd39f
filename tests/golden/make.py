"""Golden fits: what seeds gave when the files of tests/golden were written.

``python -m tests.golden.make`` writes them again, for a change that is meant to move
scores; the commit says by how much and why.
"""

import json
import platform
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from skncae import NCAEDetector

FOLDER = Path(__file__).parent


def table():
    """Rows of six columns on two sources, with eight outliers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 2)) @ rng.normal(size=(2, 6))
    X += 0.2 * rng.normal(size=X.shape)
    X[:8] = rng.uniform(-6, 6, size=(8, 6))
    return X


def incomplete():
    """The table with a tenth of its entries missing."""
    X = table()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    return X


def images():
    """Digits of 8 x 8 pixels: zeros, and a few of other kinds."""
    digits, labels = load_digits(return_X_y=True)
    order = np.argsort(labels != 0, kind="stable")[:200]
    return digits[order].reshape(-1, 8, 8)


def fit(X, **parameters):
    """Fit a detector that takes a fraction of a second."""
    return NCAEDetector(random_state=0, max_iter=60, **parameters).fit(X)


def fit_table():
    """Fit the complete table."""
    return fit(table())


def fit_incomplete():
    """Fit the incomplete table."""
    return fit(incomplete(), allow_nan=True, contamination=0.05)


def fit_images():
    """Fit the images."""
    return fit(images(), contamination=0.1)


CASES = {
    "table": (table, fit_table),
    "incomplete": (incomplete, fit_incomplete),
    "images": (images, fit_images),
}


def facts(detector, X):
    """Scores, threshold, contributions and generated rows of a fitted detector."""
    some = X[:20]
    return {
        "scores": detector.score_samples(X),
        "threshold": np.array(detector.threshold_),
        "contributions": detector.explain(some).contributions,
        "expected": detector.reconstruct(some),
        "generated": detector.generate(5, random_state=0),
    }


def fit_dask(client):
    """Fit the table on the workers of a cluster."""
    from dask import array

    from skncae.dask import fit

    X = array.from_array(table(), chunks=(80, 6))
    return fit(NCAEDetector(random_state=0, max_iter=60), X, client=client)


def machine():
    """Say what decides the last bits of a sum: the CPU and who multiplies."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model.partition(":")[2].strip() or platform.processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def main():
    """Write the files."""
    from distributed import Client

    for name, (rows, fitted) in CASES.items():
        np.savez_compressed(FOLDER / f"{name}.npz", **facts(fitted(), rows()))
    with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
        detector = fit_dask(client)
        np.savez_compressed(FOLDER / "dask.npz", **facts(detector, table()))
    (FOLDER / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
    detector = fit_table()
    detector.save(FOLDER / "table.safetensors")
    detector.to_onnx(FOLDER / "table.onnx")


if __name__ == "__main__":
    main()
