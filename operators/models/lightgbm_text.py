"""LightGBM's text of a model, read into arrays; no run needs the library.

Source: LightGBM 4, ``Tree::ToString`` and ``Tree::NumericalDecision`` (include/LightGBM/tree.h).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sources.tape.batch import Float64s

Int32s = npt.NDArray[np.int32]

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of a decision; the two above them are the kind of missing value
MISSING_NONE, MISSING_ZERO, MISSING_NAN = range(3)

_FORECAST = "# forecast "
_CLASSES = "multiclass"  # likewise, before the softmax
_OBJECTIVES = ("quantile", "regression", "huber", "fair", "mape")  # whose output is the sum of the leaves as it is


class Forest(NamedTuple):
    """Trees of several models, one model's after the other's. C-contiguous.

    A child, or a root, is the number of a node, or of a leaf with all bits turned over (negative).
    """

    feature: Int32s  # (nodes,): column of the inputs
    threshold: Float64s  # (nodes,): an input up to it goes left
    decision: npt.NDArray[np.uint8]  # (nodes,): as LightGBM has it
    child: Int32s  # (nodes, 2): left, right
    leaf: Float64s  # (leaves,)
    root: Int32s  # (trees,)
    first: Int32s  # (models + 1,): where a model's trees begin


def joined(texts: list[str]) -> str:
    """The texts of several models as one."""
    return "".join(f"{_FORECAST}{number}\n{text}" for number, text in enumerate(texts))


def separated(text: str) -> list[str]:
    """The inverse of `joined`."""
    parts = f"\n{text}".split(f"\n{_FORECAST}")[1:]
    return [part.partition("\n")[2] + ("" if part.endswith("\n") else "\n") for part in parts]


def read_forest(texts: list[str], columns: int) -> Forest:
    """Trees of models, each by its text; one of classes is a model a class.

    Args:
        columns: of the inputs.

    Raises:
        ValueError: a text is none, or has trees that are not served, such as those of categories.
    """
    trees = [
        [_Tree(block, columns) for block in each] for text in texts for each in _by_class(list(_blocks(text, columns)))
    ]
    every = [tree for model in trees for tree in model]
    node = np.cumsum([0, *(len(tree.feature) for tree in every)])
    leaf = np.cumsum([0, *(len(tree.leaf) for tree in every)])

    def numbered(tree: "_Tree", nodes: int, leaves: int) -> Any:
        child = np.stack([tree.left, tree.right], axis=1)
        return np.where(child >= 0, child + nodes, child - leaves)

    at = list(zip(every, node[:-1], leaf[:-1], strict=True))
    return Forest(
        _joined((0,), [tree.feature for tree in every], np.int32),
        _joined((0,), [tree.threshold for tree in every], np.float64),
        _joined((0,), [tree.decision for tree in every], np.uint8),
        _joined((0, 2), [numbered(*each) for each in at], np.int32),
        _joined((0,), [tree.leaf for tree in every], np.float64),
        np.array([n if len(tree.feature) else ~k for tree, n, k in at], np.int32),
        np.cumsum([0, *map(len, trees)]).astype(np.int32),
    )


def _by_class(blocks: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """The trees of each class; without the head, which comes first."""
    classes, trees = int(blocks[0]["num_tree_per_iteration"]), blocks[1:]
    return [trees[number::classes] for number in range(classes)]


def _joined(nothing: tuple[int, ...], parts: list[Any], kind: Any) -> Any:
    return np.concatenate([np.empty(nothing, kind), *parts]).astype(kind)


def _blocks(text: str, columns: int) -> Iterator[dict[str, str]]:
    """The fields of the head, and of each tree."""
    head, *trees = text.split("\nTree=")
    said = _fields(head)
    if not text.startswith("tree\n") or "end of trees" not in text:
        raise ValueError("trees: not LightGBM's text of a model, or cut off")
    if said.get("version") not in ("v3", "v4"):
        raise ValueError(f"trees: of LightGBM's version {said.get('version')!r}; read are v3 and v4")
    objective, trees_at_once = said.get("objective", "").partition(" ")[0], said.get("num_tree_per_iteration", "")
    if not (trees_at_once == "1" and objective in _OBJECTIVES) and not (
        objective == _CLASSES and trees_at_once.isdecimal() and 0 < int(trees_at_once) == int(said.get("num_class", 0))
    ):
        raise ValueError(f"trees: objective {said.get('objective')!r} is not served")
    if "average_output" in head.splitlines():
        raise ValueError("trees: a random forest is not served")
    if said.get("max_feature_idx") != str(columns - 1):
        raise ValueError(f"trees: read {said.get('max_feature_idx')} + 1 columns, and the model has {columns}")
    if len(trees) % int(trees_at_once):
        raise ValueError(f"trees: {len(trees)} are not as many for each of {trees_at_once} classes")
    yield said
    for tree in trees:
        yield _fields(tree)


def _fields(lines: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines.splitlines())}


class _Tree:
    """One tree; whatever it says is checked, since a kernel follows it without looking."""

    def __init__(self, said: dict[str, str], columns: int) -> None:
        try:
            leaves = int(said["num_leaves"])
            if said["num_cat"] != "0" or said.get("is_linear", "0") != "0":
                raise ValueError("trees: one has categories or linear leaves, which are not served")
            self.leaf = np.array(said["leaf_value"].split(), np.float64)
            names = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
            texts = [said[name].split() if leaves > 1 else [] for name in names]
        except KeyError as e:
            raise ValueError(f"trees: one lacks {e.args[0]}") from None
        self.feature, self.left, self.right = (np.array(texts[i], np.int64) for i in (0, 3, 4))
        self.threshold, self.decision = np.array(texts[1], np.float64), np.array(texts[2], np.int64)
        nodes = leaves - 1
        lengths = {len(self.leaf) - 1, *map(len, (self.feature, self.threshold, self.decision, self.left, self.right))}
        if leaves < 1 or lengths != {nodes}:
            raise ValueError(f"trees: one of {leaves} leaves has {sorted(lengths)} of something")
        if not np.isfinite(self.leaf).all() or np.isnan(self.threshold).any():
            raise ValueError("trees: a leaf or threshold is not a number")
        if ((self.feature < 0) | (self.feature >= columns)).any():
            raise ValueError(f"trees: one asks for a column beyond {columns}")
        if ((self.decision & CATEGORICAL) != 0).any() or ((self.decision >> 2) > MISSING_NAN).any():
            raise ValueError("trees: a decision is of a kind that is not served")
        # A tree, and no circle: each node but the root, and each leaf, is the child of one.
        children = np.sort(np.concatenate([self.left, self.right]))
        parents = np.arange(nodes)
        if (
            not np.array_equal(children, np.concatenate([np.arange(-leaves, 0), np.arange(1, nodes)])[: 2 * nodes])
            or (((self.left >= 0) & (self.left <= parents)) | ((self.right >= 0) & (self.right <= parents))).any()
        ):
            raise ValueError("trees: the nodes of one are no tree")
