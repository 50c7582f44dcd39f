"""How well each column fits the rest of its row: what a typed table knows best.

Every column is predicted from the others by a small forest, and each cell is judged by
how unlikely it is, given the prediction. Most errors in a table are a cell that does
not fit its row: a slipped decimal point, two swapped numbers, a country that has no
such city.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from skncae.evidence import _cells
from skncae.evidence._base import Evidence
from skncae.evidence._cells import CategoryCells, NumberCells, Tail
from skncae.evidence._trees import Bins, Forest, grow

# Rows that forests are grown on, at most.
MAX_ROWS = 8192

# Surprises are summed at this power: the largest has most of the say.
POWER = 3


class Conditional(Evidence):
    """Errors of cells that do not fit the rest of their row.

    Parameters
    ----------
    bins : Bins
    cells : list of NumberCells, CategoryCells or None
        One for each column; None of one that says nothing.
    owners : ndarray of int
        Which cell each column of the bins comes from.
    """

    name = "conditional"
    # Not scaled up where entries are missing: the largest has most of the say.
    power = np.inf
    by_column_alone = typed_only = True

    def __init__(self, bins, cells, owners):
        self.bins = bins
        self.cells = cells
        self.owners = owners

    @classmethod
    def learn(cls, block, settings, random_state):
        """Learn from the block of all training rows."""
        layout, cells = block.layout, block.cells
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        rng = np.random.RandomState(seed)
        if len(cells) > MAX_ROWS:
            cells = cells[rng.permutation(len(cells))[:MAX_ROWS]]
        # One order of the rows, so that theirs does not matter.
        cells = cells[np.lexsort(cells.T)]
        places, owners = layout.cycles(cells)
        is_category = np.append(layout.is_category, np.zeros(len(owners), dtype=bool))
        everything = np.concatenate([cells, places], axis=1)
        bins = Bins.of(everything, is_category, rng)
        binned = bins(everything)
        folds = bins.folds(binned)
        learnt_folds = folds if bins.are_dealt(binned) else None
        owners = np.append(np.arange(cells.shape[1]), owners).astype(np.int64)
        forest_of = partial(grow, binned, learnt_folds, is_category)
        learnt = []
        for column, values in enumerate(cells.T):
            there = ~np.isnan(values)
            if layout.is_category[column]:
                task = _category_task(values, there, layout.used[column].slips)
            else:
                task = _number_task(values, there)
            targets, leaf_values, make = task
            features = np.flatnonzero(owners != column)
            forest = forest_of(features, targets, there, leaf_values, seed)
            learnt.append(forest and _judge(values, forest, make, binned, folds))
        return cls(bins, learnt, owners)

    def surprises(self, block):
        """Surprise of each cell, (n_samples, n_cells)."""
        surprises = np.zeros(block.cells.shape)
        for column, predicted in enumerate(self._predicted(block)):
            if predicted is not None:
                values = block.cells[:, column]
                surprises[:, column] = self.cells[column].surprise(values, predicted)
        return surprises

    def errors(self, block):
        """Error of each row, little more than the largest surprise, (n_samples,)."""
        return self.contributions(block).sum(axis=1) ** (1 / POWER)

    def contributions(self, block):
        """What each cell adds to the error, (n_samples, n_cells)."""
        return self.surprises(block) ** POWER

    def expected(self, block):
        """Cells that were expected, (n_samples, n_cells)."""
        expected = np.full(block.cells.shape, np.nan)
        for column, predicted in enumerate(self._predicted(block)):
            if predicted is not None:
                expected[:, column] = self.cells[column].expected(predicted)
        return expected

    def associates_of(self, column, n_most=4, least=0.15):
        """Cells that say most of a column, the one that says most first."""
        if self.cells[column] is None:
            return []
        forest = self.cells[column].forest
        says = np.zeros(len(self.cells))
        np.add.at(says, self.owners[forest.features], forest.importances)
        order = np.argsort(-says, kind="stable")[:n_most]
        return [int(cell) for cell in order if says[cell] >= least]

    def _predicted(self, block):
        """What the forests say of each column, None of one that says nothing."""
        if self.name not in block.kept:
            binned, folds = self._binned(block)
            block.kept[self.name] = [
                cells and cells.forest.predict(binned, folds) for cells in self.cells
            ]
        return block.kept[self.name]

    def state(self):
        """Everything learnt, as nested dictionaries of arrays."""
        return {
            "bins": vars(self.bins).copy(),
            "owners": self.owners,
            "cells": [cells and _cell_state(cells) for cells in self.cells],
        }

    @classmethod
    def from_state(cls, state):
        """Build the evidence that `state` was taken from."""
        cells = [content and _cell_from_state(content) for content in state["cells"]]
        return cls(Bins(**state["bins"]), cells, state["owners"])

    def _binned(self, block):
        """Bins and folds of the rows."""
        places, _ = block.layout.cycles(block.cells)
        binned = self.bins(np.concatenate([block.cells, places], axis=1))
        return binned, self.bins.folds(binned)


def _judge(values, forest, make, binned, folds):
    """What judges the cells of a column by what the forest predicts."""
    there = ~np.isnan(values)
    predicted = forest.predict(binned, folds)
    judge = make(forest, predicted[there])
    return replace(judge, tail=Tail.of(judge.errors(values, predicted)[there]))


def _number_task(values, there):
    """Targets, what leaves say of them, and what makes a judge of a forest of numbers.

    The judge is made of the forest and of what it predicts of the rows that are there.
    """
    scaling = _cells.scaling_of(values)
    standardized = np.where(there, _cells.standardized(values, **scaling), 0.0)
    targets = np.clip(standardized, -_cells.CLIP, _cells.CLIP)[:, None]

    def make(forest, predicted):
        spread = max(float(np.median(predicted[:, 1])), _cells.LEAST_SPREAD)
        return NumberCells(forest, **scaling, spread=spread)

    return targets, _cells.medians_and_spreads(standardized), make


def _category_task(values, there, slips):
    """The same of a forest of classes, see `_number_task`."""
    codes = np.where(there, values, 0).astype(int)
    classes, as_rare = _cells.classes_of(codes[there], len(slips) - 2)
    n_classes = classes.max() + 1
    targets = np.zeros((len(values), n_classes))
    targets[np.arange(len(values)), classes[codes]] = 1.0

    def make(forest, predicted):
        return CategoryCells(forest, classes, as_rare, slips)

    return targets, _cells.class_shares(classes[codes], n_classes), make


_KINDS = {cls.kind: cls for cls in (NumberCells, CategoryCells)}


def _cell_state(cells):
    """What a judge of cells has learnt, as dictionaries of arrays."""
    parts = {"forest": vars(cells.forest).copy(), "tail": vars(cells.tail).copy()}
    return {"kind": cells.kind} | vars(cells) | parts


def _cell_from_state(state):
    """Build the judge of cells that `_cell_state` was taken from."""
    state = dict(state)
    kind = _KINDS[state.pop("kind")]
    parts = {"forest": Forest(**state["forest"]), "tail": Tail(**state["tail"])}
    return kind(**(state | parts))
