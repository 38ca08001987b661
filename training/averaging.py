"""How do several boosters become one whose log-odds are the mean of theirs?

Input: LightGBM's native texts of boosters over the same inputs, fitted with seeds of their own. Output: one native text
with all of their trees, each leaf divided by the number of boosters; so scores, explanations and lookup tables know
nothing of it. LightGBM has no way of its own: it averages only trees that do not build on each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_END = "\nend of trees"
_NEXT = "\nTree="
_SIZES, _RANGES, _LEAVES = "tree_sizes=", "feature_infos=", "leaf_value="


def averaged(texts: Sequence[str]) -> str:
    """The booster whose raw score is the mean of those of ``texts`` (at least one); one alone stays as it is.

    What the text says of settings, and of the ranges that inputs had, is what the first one says. It is for LightGBM to
    read, which writes its own form of it.

    Raises:
        ValueError: they do not answer the same inputs in the same way.
    """
    if len(texts) == 1:
        return texts[0]
    parts = [text.partition(_END) for text in texts]
    heads, trees = zip(*(_taken_apart(grown) for grown, _, _ in parts), strict=True)
    if len({_answered(head) for head in heads}) != 1:
        raise ValueError("only boosters over the same inputs and for the same objective can be averaged")
    every = [_divided(tree, len(texts)) for own in trees for tree in own]
    together = "".join(f"{_NEXT}{number}\n{tree}" for number, tree in enumerate(every))
    return "".join([heads[0], together, *parts[0][1:]])


def _taken_apart(grown: str) -> tuple[str, list[str]]:
    # Sizes in bytes are true for the old trees alone; LightGBM reads without them, and writes them again.
    head, *trees = grown.split(_NEXT)
    kept = [line for line in head.splitlines() if not line.startswith(_SIZES)]
    return "\n".join(kept), [tree.partition("\n")[2] for tree in trees]


def _answered(head: str) -> str:
    # On a cluster the bins, and so the ranges they span, depend on which worker read which rows.
    return "\n".join(line for line in head.splitlines() if not line.startswith(_RANGES))


def _divided(tree: str, times: int) -> str:
    return "\n".join(_divided_line(line, times) if line.startswith(_LEAVES) else line for line in tree.split("\n"))


def _divided_line(line: str, times: int) -> str:
    values = np.array(line.removeprefix(_LEAVES).split(), dtype=np.float64) / times
    return _LEAVES + " ".join(f"{value:.17g}" for value in values.tolist())
