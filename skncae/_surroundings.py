"""What the caller has set in torch and numpy stays outside, and stays as it was.

Every public door of the package goes through `undisturbed`. What it switches off
belongs to the thread that is inside, so other threads of the caller notice nothing.
The default type of torch belongs to all threads: where it could matter, the type is
named.
"""

from contextlib import ExitStack, contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed():
    """Compute as if the caller had set nothing; also a decorator.

    Switched off inside: numpy's error handling, inference mode and disabled gradients,
    autocast, and a default device that is not the CPU.
    """
    before = np.geterr()
    try:
        with np.errstate(all="ignore"), torch.inference_mode(False), ExitStack() as off:
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    off.enter_context(torch.autocast(kind, enabled=False))
            # It is slow where it is not needed: torch asks it at every operation.
            if torch.get_default_device().type != "cpu":
                off.enter_context(torch.device("cpu"))
            yield
    finally:
        # An interrupt on the way in leaves nobody to go out.
        np.seterr(**before)
