"""Images of handwritten digits, and what other classifiers make of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# scikit-learn is imported in the functions: that takes a second, before which the first line should be there.


class Data(NamedTuple):
    """Images, one in each row, with the digits they show: two thirds to learn from, the rest held out."""

    x: np.ndarray
    y: np.ndarray
    held_out_x: np.ndarray
    held_out_y: np.ndarray


def digits() -> Data:
    """Handwritten digits, 8 by 8 pixels between 0 and 1 (scikit-learn's; Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    held_out, learnt = np.split(order, [len(y) // 3])
    return Data(x[learnt] / 16.0, y[learnt], x[held_out] / 16.0, y[held_out])


def baselines(data: Data, hidden: int) -> dict[str, np.ndarray]:
    """What classifiers with point estimates predict for the held-out images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((hidden,), learning_rate_init=0.01, max_iter=500, random_state=1)
    classifiers = {"logistic regression": LogisticRegression(max_iter=1_000), "point weights": network}
    return {name: one.fit(data.x, data.y).predict_proba(data.held_out_x) for name, one in classifiers.items()}
