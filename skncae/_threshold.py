"""Where to cut: beta of Eq. 9 from the scores of the training rows."""

import numpy as np


def quantile_threshold(errors, contamination):
    """Beta of Eq. 9 that flags the given share of the rows.

    A row is abnormal when its error **exceeds** beta, so a larger beta flags fewer
    rows (the paper's text has it the other way round).

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
    contamination : float in (0, 0.5]

    Returns
    -------
    beta : float
    """
    return float(np.quantile(errors, 1.0 - contamination))
