"""The tiny network of `test_captum.py`, and the numbers of Captum for it.

    pip install torch captum && python captum_reference.py

prints the arrays that stand in the test (made with torch 2.13.0 and captum 0.9.0, in float64). The tests take only
the weights and the sequence from here, so that they need no torch.
"""

import numpy as np

LENGTH, LETTERS, FILTERS, WIDTH, POOL, HIDDEN, UNITS = 12, 4, 5, 4, 3, 6, 2
TOKENS = (0, 2, 1, 3, 3, 0, 1, 2, 2, 0, 3, 1)
STEPS = 16


def waves(first, *shape):
    """Numbers that look like random ones and are the same everywhere."""
    return np.sin(first + 1.7 * np.arange(np.prod(shape)) ** 1.3).reshape(shape)


def weights():
    """Kernels [width, letters, filters], [inputs, outputs] and biases, the inputs of a dense layer [window, filter]."""
    windows = (LENGTH - WIDTH + 1) // POOL
    return {
        "conv": waves(1, WIDTH, LETTERS, FILTERS),
        "conv_bias": 0.3 * waves(2, FILTERS),
        "dense": 0.5 * waves(3, windows * FILTERS, HIDDEN),
        "dense_bias": 0.3 * waves(4, HIDDEN),
        "head": waves(5, HIDDEN, UNITS),
    }


def main():
    import torch
    from captum.attr import DeepLift, InputXGradient, IntegratedGradients

    def tensor(array):
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)

    class Flatten(torch.nn.Module):
        def forward(self, x):
            return x.transpose(1, 2).flatten(1)

    w = weights()
    conv = torch.nn.Conv1d(LETTERS, FILTERS, WIDTH).double()
    dense = torch.nn.Linear(len(w["dense"]), HIDDEN).double()
    head = torch.nn.Linear(HIDDEN, UNITS, bias=False).double()
    with torch.no_grad():
        conv.weight.copy_(tensor(w["conv"].transpose(2, 1, 0)))
        conv.bias.copy_(tensor(w["conv_bias"]))
        dense.weight.copy_(tensor(w["dense"].T))
        dense.bias.copy_(tensor(w["dense_bias"]))
        head.weight.copy_(tensor(w["head"].T))
    relus = torch.nn.ReLU(), torch.nn.ReLU()
    network = torch.nn.Sequential(conv, relus[0], torch.nn.MaxPool1d(POOL), Flatten(), dense, relus[1], head)
    x = tensor(np.eye(LETTERS)[list(TOKENS)].T[None]).requires_grad_()
    uniform = torch.full_like(x, 1 / LETTERS)
    found = {
        "INPUT_X_GRADIENT": InputXGradient(network).attribute(x, target=1),
        "INTEGRATED_GRADIENTS": IntegratedGradients(network).attribute(x, uniform, target=1, n_steps=STEPS),
        "DEEPLIFT": DeepLift(network).attribute(x, uniform, target=1),
    }
    print("OUTPUT =", network(x)[0, 1].item(), "AGAINST =", network(uniform)[0, 1].item())
    for name, scores in found.items():
        print(f"{name} = np.array(\n    {np.round(scores[0].detach().numpy().T, 9).tolist()}\n)")
        print("# sum", scores.sum().item())


if __name__ == "__main__":
    main()
