"""How do several boosters become one that adds up what they say?

Input: LightGBM's native texts of boosters over the same inputs. Output: one native text with all of their trees, each
leaf times the weight of its booster; so scores, explanations and lookup tables know nothing of it. LightGBM has no way
of its own: it averages only trees that do not build on each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_END = "\nend of trees"
_NEXT = "\nTree="
_SIZES, _LEAVES, _INPUTS = "tree_sizes=", "leaf_value=", "feature_names="


def averaged(texts: Sequence[str]) -> str:
    """The booster whose raw score is the mean of those of ``texts`` (at least one); one alone stays as it is.

    Raises:
        ValueError: they do not read the same inputs.
    """
    return texts[0] if len(texts) == 1 else weighted_sum([(text, 1 / len(texts)) for text in texts])


def weighted_sum(parts: Sequence[tuple[str, float]], shift: float = 0.0) -> str:
    """The booster whose raw score is ``shift`` and each booster's raw score times its weight, added up.

    What the text says of the objective, of settings, and of the ranges that inputs had, is what the first one says. It
    is for LightGBM to read, which writes its own form of it.

    Raises:
        ValueError: the boosters do not read the same inputs.
    """
    told = [text.partition(_END) for text, _ in parts]
    heads, trees = zip(*(_taken_apart(grown) for grown, _, _ in told), strict=True)
    if len({_inputs(head) for head in heads}) != 1:
        raise ValueError("only boosters over the same inputs can be added up")
    every = [_scaled(tree, weight) for own, (_, weight) in zip(trees, parts, strict=True) for tree in own]
    every[0] = _scaled(every[0], 1.0, shift)
    together = "".join(f"{_NEXT}{number}\n{tree}" for number, tree in enumerate(every))
    return "".join([heads[0], together, *told[0][1:]])


def _taken_apart(grown: str) -> tuple[str, list[str]]:
    # Sizes in bytes are true for the old trees alone; LightGBM reads without them, and writes them again.
    head, *trees = grown.split(_NEXT)
    kept = [line for line in head.splitlines() if not line.startswith(_SIZES)]
    return "\n".join(kept), [tree.partition("\n")[2] for tree in trees]


def _inputs(head: str) -> str:
    return next(line for line in head.splitlines() if line.startswith(_INPUTS))


def _scaled(tree: str, weight: float, shift: float = 0.0) -> str:
    return "\n".join(
        _scaled_line(line, weight, shift) if line.startswith(_LEAVES) else line for line in tree.split("\n")
    )


def _scaled_line(line: str, weight: float, shift: float) -> str:
    values = np.array(line.removeprefix(_LEAVES).split(), dtype=np.float64) * weight + shift
    return _LEAVES + " ".join(f"{value:.17g}" for value in values.tolist())
