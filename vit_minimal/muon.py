"""Muon (Jordan et al. 2024), an optimizer for matrices.

torch.optim.Muon takes the same steps, but it came with torch 2.9, and it multiplies in bfloat16 also
where the hardware cannot: on CPUs without it that takes many times as long as in float32.
"""

import torch

from .runtime import pick_precision

# Of the post that introduced Muon (https://kellerjordan.github.io/posts/muon/): chosen such that
# small singular values grow fast, at the price that all end near 1 and not at it
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def even_out(matrix, dtype=torch.float32):
    """A matrix (m, n) with the same singular vectors, whose singular values lie near 1.

    Newton–Schulz: each round takes every singular value s to a·s + b·s³ + c·s⁵, by matrix products
    alone, in `dtype`.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.mT if tall else matrix).to(dtype)  # the square of the shorter side is cheaper
    x = x / x.norm().clamp(min=1e-7)  # no singular value beyond 1
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum (Nesterov's), evened out, with decoupled weight decay.

    Steps are made as long as AdamW's (Liu et al. 2025, https://arxiv.org/abs/2502.16982), so
    that one learning rate serves both. ValueError names a parameter's shape if it is no matrix.
    """

    def __init__(self, parameters, lr, weight_decay=0.0, momentum=0.95):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    shape = tuple(parameter.shape)
                    raise ValueError(
                        f"Muon takes matrices (m, n), got a parameter of shape {shape}"
                    )

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in (p for p in group["params"] if p.grad is not None):
                state, fast = self.state[matrix], pick_precision(matrix.device)
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                running = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                ahead = matrix.grad.lerp(running, momentum)
                # float16, the fast kind of older GPUs, has too small a range for the products
                dtype = torch.bfloat16 if fast == torch.bfloat16 else torch.float32
                matrix.mul_(1 - rate * group["weight_decay"])
                length = 0.2 * max(matrix.shape) ** 0.5
                matrix.add_(even_out(ahead, dtype), alpha=-rate * length)
