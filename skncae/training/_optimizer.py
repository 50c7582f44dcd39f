"""Adam, on parameters that lie side by side in one vector."""

import torch


def flattened(parameters):
    """Lay parameters side by side in one vector, which is returned."""
    flat = torch.cat([parameter.detach().flatten() for parameter in parameters])
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, part in zip(parameters, flat.split(sizes), strict=True):
        parameter.data = part.view_as(parameter)
    return flat


class Descent:
    """Adam on the parameters that one phase may move.

    Parameters
    ----------
    parameters : list of Parameter
    flat : Tensor
        The vector that they lie in, from its beginning on.
    learning_rate : float
    """

    def __init__(self, parameters, flat, learning_rate):
        self.parameters = parameters
        # One vector: a step on many tensors spends its time on their number.
        self._flat = flat[: sum(parameter.numel() for parameter in parameters)]
        self._adam = torch.optim.Adam(
            [self._flat],
            lr=learning_rate,
            fused=True,
            # For the graph of a step.
            capturable=flat.device.type == "cuda",
        )

    def step(self, gradients):
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self._flat.grad = torch.cat([gradient.flatten() for gradient in gradients])
        self._adam.step()

    def decay(self, factor):
        for group in self._adam.param_groups:
            group["lr"] *= factor
