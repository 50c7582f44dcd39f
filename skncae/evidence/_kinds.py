"""The kinds of evidence by name."""

from skncae.evidence._base import Evidence
from skncae.evidence._conditional import Conditional
from skncae.evidence._distance import Distance
from skncae.evidence._neighbors import ContrastNeighbors, EdgeNeighbors, PixelNeighbors
from skncae.evidence._rarity import Rarity
from skncae.evidence._reconstruction import Reconstruction
from skncae.evidence._reference_rows import ReferenceRows
from skncae.evidence._row_neighbors import RowNeighbors
from skncae.evidence._tails import Tails
from skncae.evidence._transformations import Transformations

_ALL: tuple[type[Evidence], ...] = (
    Reconstruction,
    Distance,
    ReferenceRows,
    Tails,
    Rarity,
    RowNeighbors,
    PixelNeighbors,
    ContrastNeighbors,
    EdgeNeighbors,
    Transformations,
    Conditional,
)
KINDS = {kind.name: kind for kind in _ALL}

# What is combined by default: of the rows of a table, of images, and of a typed table.
TABLE_EVIDENCE = (
    "reconstruction",
    "distance",
    "dictionary",
    "tails",
    "rarity",
    "neighbors",
)
IMAGE_EVIDENCE = (
    "reconstruction",
    "pixel_neighbors",
    "contrast_neighbors",
    "edge_neighbors",
    "transformations",
)
FRAME_EVIDENCE = ("conditional",)
