"""Imported once by the server that children are forked from: slow imports.

A tiny fit of some detectors brings in what they import or compile at first use,
so that no measured fit pays for it. SOD is not among them: numba would start
threads, which a fork does not survive.
"""

import contextlib

import numpy as np

from benchmarks.harness import isolation

isolation.one_thread()

with contextlib.suppress(ImportError):
    import torch
    import torch._dynamo  # noqa: F401

    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])

with contextlib.suppress(ImportError):
    import pyod.models.auto_encoder  # noqa: F401
    from pyod.models.cblof import CBLOF
    from pyod.models.copod import COPOD
    from pyod.models.ecod import ECOD
    from pyod.models.hbos import HBOS
    from pyod.models.iforest import IForest

    rows = np.random.default_rng(0).normal(size=(64, 2))
    for detector in (CBLOF(), COPOD(), ECOD(), HBOS(), IForest()):
        detector.fit(rows)
