"""Shuffles that keep every dinucleotide count, after Altschul & Erickson, Mol Biol Evol 2(6):526-538 (1985).

Letters are nodes and dinucleotides are edges between them. A sequence is a path that uses each of its edges exactly
once, an Euler path. The order in which the edges that leave each letter are used determines the path. Such an order
gives a path exactly if the last edges used form a tree that leads to the last letter of the path, with one edge for
every other letter. So the tree is drawn uniformly among the edges, and all other edges get a random order.

The tree is drawn with Wilson's algorithm in its cycle-popping form (Propp & Wilson, J Algorithms 27:170-217, 1998):
each letter points along a random edge. As long as there are cycles, the letters on them draw again.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

_LETTERS_AT_ONCE = 1 << 20


def dinucleotide_shuffle(
    rng: np.random.Generator, tokens: Int[np.ndarray, "*sequences length"]
) -> Int[np.ndarray, "*sequences length"]:
    """Shuffle sequences uniformly among all sequences with the same dinucleotide counts.

    The first letter, the last letter and all letter counts stay the same as well (Altschul & Erickson, Mol Biol Evol
    2(6):526-538, 1985).

        shuffles = dinucleotide_shuffle(np.random.default_rng(0), np.repeat(tokens, 20, axis=0))

    Args:
        rng: the random number generator.
        tokens: integers 0 to 255 of any alphabet, shape [length] or [sequences, length]. They are not changed.

    Returns:
        one shuffle of each sequence, independent of the others, in the shape and dtype of `tokens`.

    Raises:
        ValueError: for tokens of another type or shape.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim not in (1, 2) or not np.issubdtype(tokens.dtype, np.integer):
        raise ValueError(
            f"tokens must be integers of shape [length] or [sequences, length], "
            f"got {tokens.dtype} of shape {list(tokens.shape)}"
        )
    if tokens.size and not 0 <= tokens.min() <= tokens.max() <= 255:
        raise ValueError(f"tokens must be 0 to 255, got {tokens.min()} to {tokens.max()}")
    result = tokens.copy()
    if tokens.size == 0 or tokens.shape[-1] < 4:
        return result  # up to three letters have only one path
    rows = result.reshape(-1, tokens.shape[-1])
    step = max(1, _LETTERS_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        rows[start : start + step] = _shuffle_rows(rng, rows[start : start + step].astype(np.intp))
    return result


def _shuffle_rows(rng: np.random.Generator, tokens: np.ndarray) -> np.ndarray:
    """Shuffle every row. `heads` holds the edges of a row, sorted by the letter that they leave."""
    letters = int(tokens.max()) + 1
    tails = tokens[:, :-1]
    # Integer part: the letter that the edge leaves. Fraction: a random order among the edges of one letter.
    order = np.argsort(tails + rng.random(tails.shape), axis=1)
    heads = np.take_along_axis(tokens[:, 1:], order, axis=1)
    counts = _counts(tails, letters)
    first = np.cumsum(counts, axis=1) - counts
    _move_tree_last(rng, heads, first, counts, root=tokens[:, -1])
    return _walk(tokens[:, 0], heads, first)


def _counts(tails: np.ndarray, letters: int) -> np.ndarray:
    """Count the edges that leave each letter, shape [sequences, letters]."""
    sequences = len(tails)
    flat = tails + letters * np.arange(sequences)[:, None]
    return np.bincount(flat.ravel(), minlength=sequences * letters).reshape(sequences, letters)


def _move_tree_last(
    rng: np.random.Generator, heads: np.ndarray, first: np.ndarray, counts: np.ndarray, root: np.ndarray
) -> None:
    """Draw a tree uniformly, and move its edges in place to the ends of the lists of their letters."""
    inner = counts > 0
    inner[np.arange(len(root)), root] = False
    edge = _draw_tree(rng, heads, first, counts, inner, root)
    row, letter = np.nonzero(inner)
    chosen, last = edge[row, letter], (first + counts - 1)[row, letter]
    heads[row, chosen], heads[row, last] = heads[row, last], heads[row, chosen]


def _draw_tree(
    rng: np.random.Generator,
    heads: np.ndarray,
    first: np.ndarray,
    counts: np.ndarray,
    inner: np.ndarray,
    root: np.ndarray,
) -> np.ndarray:
    """Draw a tree; return for each inner letter the index in `heads` of its edge, shape [sequences, letters]."""
    edge = np.zeros_like(first)
    points_to = np.repeat(root[:, None], first.shape[1], axis=1)
    redraw = inner
    while redraw.any():
        row, letter = np.nonzero(redraw)
        edge[row, letter] = first[row, letter] + rng.integers(0, counts[row, letter])
        points_to[row, letter] = heads[row, edge[row, letter]]
        redraw = np.zeros_like(inner)
        open_rows = np.unique(row)
        redraw[open_rows] = _on_cycle(points_to[open_rows]) & inner[open_rows]
    return edge


def _on_cycle(points_to: np.ndarray) -> np.ndarray:
    """Return True for each letter on a cycle of the map `points_to`, shape [sequences, letters]."""
    # After as many steps as there are letters, every start has reached a cycle, and each cycle covers itself.
    reached, steps = points_to, 1
    while steps < points_to.shape[1]:
        reached, steps = np.take_along_axis(reached, reached, axis=1), 2 * steps
    result = np.zeros(points_to.shape, bool)
    np.put_along_axis(result, reached, True, axis=1)
    return result


def _walk(start: np.ndarray, heads: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Follow the edges of each letter in the order of their list, from the first letter of each row."""
    unused, row = first.copy(), np.arange(len(heads))
    path = np.empty((heads.shape[1] + 1, len(heads)), heads.dtype)
    path[0] = start
    for i in range(heads.shape[1]):
        edge = unused[row, path[i]]
        unused[row, path[i]] = edge + 1
        path[i + 1] = heads[row, edge]
    return path.T
