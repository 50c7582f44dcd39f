"""
See what the networks take for normal
=====================================

Handwritten zeros, with 10 % of other digits among them that nobody has marked. Each
image of 8 x 8 pixels is a row of 64 columns, as scikit-learn has them; `image_shape`
says what the rows are, and the networks are then convolutions that know which pixels
are neighbours. The same detector takes images of shape (n, 8, 8) without it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from skncae import NCAEDetector
from skncae.plotting import ReconstructionDisplay

# %%
# The data: all 178 zeros, and 20 other digits.

images, digits = load_digits(return_X_y=True)
zeros, others = np.flatnonzero(digits == 0), np.flatnonzero(digits != 0)
hidden = np.random.default_rng(0).choice(others, size=20, replace=False)
rows = np.concatenate([zeros, hidden])
X, is_other = images[rows], digits[rows] != 0

# %%
# Fit on all of them, in few steps to be quick, and let the networks generate what they
# are sure is normal. What it is, a classifier says that has seen all digits with their
# labels.

detector = NCAEDetector(
    contamination=0.1, image_shape=(8, 8), max_iter=50, random_state=0
).fit(X)
generated = detector.generate(10, random_state=0)
reader = KNeighborsClassifier().fit(images, digits)
print(f"the generated digits: {reader.predict(generated)}")


def show(axes, rows, **options):
    """Draw each row as an image of 8 x 8 pixels."""
    for ax, row in zip(axes, rows, strict=True):
        image = ax.imshow(row.reshape(8, 8), **options)
        ax.set(xticks=[], yticks=[])
    return image


ink = {"cmap": "gray_r", "vmin": 0, "vmax": 16}
figure, axes = plt.subplots(2, 10, figsize=(11, 2.8), layout="constrained")
show(axes[0], X[:10], **ink)
show(axes[1], generated, **ink)
axes[0, 0].set_title("training rows", loc="left")
axes[1, 0].set_title("generated", loc="left")

# %%
# How well are the hidden digits found? Labels are looked at here only.

errors = -detector.score_samples(X)
flagged = detector.predict(X) == -1
auroc = roc_auc_score(is_other, errors)
print(f"AUROC {100 * auroc:.1f} %")
print(f"{flagged.sum()} rows flagged, {(flagged & is_other).sum()} of them no zeros")

# %%
# Three zeros that it is sure of, the three most abnormal rows, and the zero with the
# largest error. Below each, what the networks expected in its place, and what each
# pixel adds to the error. These maps sum to the errors in the titles.

explanation = detector.explain(X)
order = np.argsort(errors)
oddest_zero = order[~is_other[order]][-1]
chosen = np.r_[order[:3], order[-3:], oddest_zero]

figure, axes = plt.subplots(3, 7, figsize=(11, 5.2), layout="constrained")
show(axes[0], X[chosen], **ink)
show(axes[1], detector.reconstruct(X)[chosen], **ink)
largest = explanation.contributions[chosen].max()
image = show(
    axes[2], explanation.contributions[chosen], cmap="magma_r", vmin=0, vmax=largest
)
for ax, row in zip(axes[0], chosen, strict=True):
    ax.set_title(f"a {digits[rows[row]]}, error {errors[row]:.2f}", fontsize=10)
for ax, label in zip(axes[:, 0], ("row", "expected", "contribution"), strict=True):
    ax.set_ylabel(label)
figure.colorbar(image, ax=axes[2], label="part of the error", pad=0.01)

# %%
# One line draws the same for the images of the largest errors.

ReconstructionDisplay.from_estimator(detector, X)

# %%
# The maps over all rows. The middle of a zero is white: how much of the error of the
# other digits comes from the four pixels there?

figure, axes = plt.subplots(1, 2, figsize=(6, 3.2), layout="constrained")
added = explanation.contributions
maps = [added[~is_other].mean(axis=0), added[is_other].mean(axis=0)]
for name, values in zip(("zeros", "other digits"), maps, strict=True):
    middle = values.reshape(8, 8)[3:5, 3:5].sum() / values.sum()
    print(f"{name}: {middle:.0%} of the error is in the middle (4 of 64 pixels)")
image = show(axes, maps, cmap="magma_r", vmin=0, vmax=np.max(maps))
for ax, name in zip(axes, ("zeros", "other digits"), strict=True):
    ax.set_title(f"mean contribution, {name}", fontsize=10)
figure.colorbar(image, ax=axes)

plt.show()
