"""Muon (Jordan et al. 2024), an optimizer for matrices.

torch.optim.Muon takes the same steps, but it came with torch 2.9, and it multiplies in bfloat16 also
where the hardware cannot: on CPUs without it that takes many times as long as in float32.
"""

from collections import defaultdict

import torch

from ..device import pick_precision
from ..settings import check_choice

# Of the post that introduced Muon (https://kellerjordan.github.io/posts/muon/): chosen such that
# small singular values grow fast, at the price that they end between 0.68 and 1.2, and the faintest
# below
COEFFICIENTS = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def newton_schulz(matrices, dtype=torch.float32):
    """Matrices (k, m, n) with the same singular vectors and far more equal singular values.

    The Newton–Schulz iteration: each round takes every singular value s to a·s + b·s³ + c·s⁵, by
    matrix products alone, in `dtype`.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(dtype)  # the square of the shorter side is cheaper
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)  # no singular value beyond 1
    for _ in range(ROUNDS):
        square = x @ x.mT
        bracket = torch.baddbmm(square, square, square, beta=b, alpha=c)  # b·S + c·S·S
        x = torch.baddbmm(x, bracket, x, beta=a)  # a·X + (…)·X
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum (Nesterov's), evened out by Newton–Schulz, with decoupled weight decay.

    Steps are made as long as AdamW's (Liu et al. 2025, https://arxiv.org/abs/2502.16982), so
    that one learning rate serves both. `precision` is the name of the one that the model trains in;
    None: what suits the device. ValueError names a parameter's shape if it is no matrix.
    """

    def __init__(self, parameters, lr, weight_decay=0.0, momentum=0.95, precision=None):
        check_choice("precision", precision, (None, "float32", "bfloat16", "float16"))
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.defaults["precision"] = precision  # copies and pickles keep the defaults alone
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    shape = tuple(parameter.shape)
                    raise ValueError(
                        f"Muon takes matrices (m, n), got a parameter of shape {shape}"
                    )

    @torch.no_grad()
    def step(self, closure=None):
        """Move the matrices. A `closure` computes the gradients first; its loss is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        precision = self.defaults["precision"]
        for group in self.param_groups:
            rate, alike = group["lr"], defaultdict(list)
            for matrix in (p for p in group["params"] if p.grad is not None):
                alike[matrix.device, matrix.shape].append(matrix)
            # Matrices of one shape go together: a GPU takes as long to be told as to multiply
            for (device, shape), matrices in alike.items():
                # float16, the fast kind of older GPUs, has too small a range for the products
                fast = getattr(torch, precision) if precision else pick_precision(device)
                dtype = torch.bfloat16 if fast == torch.bfloat16 else torch.float32
                ahead = self._look_ahead(matrices, group["momentum"])
                steps = newton_schulz(torch.stack(ahead), dtype).to(matrices[0].dtype)
                torch._foreach_mul_(matrices, 1 - rate * group["weight_decay"])
                length = 0.2 * max(shape) ** 0.5
                torch._foreach_add_(matrices, steps.unbind(), alpha=-rate * length)
        return loss

    def _look_ahead(self, matrices, momentum):
        """The gradients with Nesterov's momentum."""
        for matrix in matrices:
            if not self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        gradients = [matrix.grad for matrix in matrices]
        running = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        torch._foreach_lerp_(running, gradients, 1 - momentum)
        return torch._foreach_lerp(gradients, running, momentum)
