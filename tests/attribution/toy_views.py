"""A toy network with a head of two units, and sequences to ask it about."""

import numpy as np

import exact
import jaxmaxent as jme
from problems import Problem, toy_features

WEIGHTS = exact.toy_weights(4, 4, 4)
HEAD = np.random.default_rng(5).normal(size=(5, 2))
W = HEAD[:, 1] - HEAD[:, 0]
NETWORK = jme.Representation(toy_features, WEIGHTS, HEAD)
TOKENS = Problem(length=4).states[[1, 60, 200]]
X = exact.one_hot(TOKENS, 4)


def output(one_hot):
    return exact.toy_features(WEIGHTS, one_hot) @ W
