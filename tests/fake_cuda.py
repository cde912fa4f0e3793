"""A GPU that is only claimed: tensors that say cuda:0, hold no numbers, and are watched.

Shapes, dtypes and devices of every operation are those of a real GPU (PyTorch's FakeTensorMode works
them out); tensors of the CPU stay real. What a GPU would be asked to do is counted on the way.

Since nobody knows the numbers, every condition on them counts as true. So a check in the package asks
whether all is well, `if not finite.all()`, and not whether something is wrong.
"""

import contextlib
import traceback
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from vit_minimal import Dataset, VisionTransformer
from vit_minimal.training.run import Run

GPU = torch.device("cuda", 0)
PACKAGE = Path(__file__).parents[1] / "vit_minimal"
COPIES = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
FREE = "_unsafe_view", "new_empty", "empty_like", "empty", "lift_fresh"  # no kernel is launched
PRODUCTS = "mm", "addmm", "bmm", "baddbmm"
TO_HOST = torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class Kernel(NamedTuple):
    """What a GPU would be asked to run: its name, the dtype of its result, the bytes that it reads and
    writes, and the FLOPs of a matrix product (0 for all else).
    """

    name: str
    dtype: torch.dtype
    bytes: int
    flops: int


class Watch(TorchDispatchMode):
    """Sends what concerns the GPU to FakeTensorMode, the rest to the CPU, and takes notes.

    waits: where the host would wait for the GPU, "file:line code"; kernels: what it would be asked to
    run, in order.
    """

    def __init__(self):
        super().__init__()
        self.forget()

    def forget(self):
        self.waits, self.kernels = [], []

    @property
    def launches(self):
        """How often each kernel would be launched."""
        return Counter(kernel.name for kernel in self.kernels)

    @property
    def products(self):
        """How many matrix products of each dtype."""
        return Counter(kernel.dtype for kernel in self.kernels if kernel.name in PRODUCTS)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        named = any(isinstance(leaf, torch.device) and leaf.type == "cuda" for leaf in leaves)
        if not named and not any(isinstance(tensor, FakeTensor) for tensor in tensors):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func.namespace == "aten" and func.has_kernel_for_dispatch_key(COMPOSITE):
            with self:  # in inference mode these come whole
                return func.decompose(*args, **kwargs)
        if func in TO_HOST:  # nobody knows the numbers: the answer is that all is well
            if args[0].device.type == "cuda":
                self.waits.append(_where())
            if func is TO_HOST[1]:  # the places that a check complains of
                return args[0].new_empty(0, args[0].ndim, dtype=torch.long)
            return args[0].dtype == torch.bool or 1.0
        out = func(*args, **kwargs)
        results = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device.type for tensor in tensors + results}
        if func in COPIES and len(devices) > 1 and not _non_blocking(func, args, kwargs):
            self.waits.append(_where())
        name = func.overloadpacket.__name__
        if "cuda" in devices and func.namespace == "aten" and not (func.is_view or name in FREE):
            count = flop_registry.get(func.overloadpacket, lambda *_, **__: 0)
            flops = count(*args, **kwargs, out_val=out)
            moved = sum(tensor.numel() * tensor.itemsize for tensor in tensors + results)
            self.kernels.append(Kernel(name, (results or tensors)[0].dtype, moved, flops))
        return out


def _non_blocking(func, args, kwargs):
    return kwargs.get("non_blocking", False) or (func is COPIES[1] and len(args) > 2 and args[2])


def _where():
    """The innermost line of the package that is being run."""
    for frame in reversed(traceback.extract_stack()):
        if Path(frame.filename).is_relative_to(PACKAGE):
            return f"{Path(frame.filename).name}:{frame.lineno} {frame.line}"
    return "outside of the package"


@contextlib.contextmanager
def fake_gpu(capability):
    """A context with one GPU of this compute capability, such as (7, 5) for a T4; yields a Watch."""
    stand_ins = {
        "torch.cuda.get_device_capability": lambda device=None: capability,
        "torch.cuda.is_bf16_supported": lambda *_, **__: True,  # also by a T4, which emulates it
        "torch.cuda.amp.common.amp_definitely_not_available": lambda: False,
        "torch.nn.Module.to": _to,
        "torch.Tensor.backward": backward,
        "torch.autograd.grad": grad,
        # Lists of fake tensors may be worked on together, as those of real ones are
        "torch.utils._foreach_utils._foreach_supported_types": [FakeTensor, nn.Parameter],
    }
    with contextlib.ExitStack() as stack:
        for name, stand_in in stand_ins.items():
            stack.enter_context(patch(name, stand_in))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield stack.enter_context(Watch())


def blank_images(n):
    """A Dataset of n black images, of ten classes in turn."""
    images, labels = torch.zeros(n, 3, 32, 32, dtype=torch.uint8), torch.arange(n) % 10
    return Dataset(images, labels, images[:4], labels[:4], tuple("abcdefghij"), "blank")


def one_step(model, training, capability):
    """The Watch of a training's second step, by its two configurations: the first also shuffles the
    images.
    """
    with fake_gpu(capability) as watch:
        model = VisionTransformer(model)
        run = Run(model, blank_images(2 * training.batch_size), training, GPU)
        run.train_step()
        watch.forget()
        run.train_step()
    assert run.step == 2 and all(p.device == GPU for p in model.parameters())
    return watch


def _to(module, device):
    """Module.to, whose way of moving parameters fake tensors do not allow."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and parameter.device != device:
                part._parameters[name] = nn.Parameter(parameter.detach().to(device))
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(device)
    return module


def backward(loss):
    """Tensor.backward."""
    for node, gradients in _walk_back(loss):
        if hasattr(node, "variable"):  # a leaf
            leaf, gradient = node.variable, gradients[0]
            leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient


def grad(loss, tensors, allow_unused=False):
    """torch.autograd.grad."""
    found = dict(_walk_back(loss))
    return tuple(found[tensor.grad_fn][tensor.output_nr] for tensor in tensors)


def _walk_back(loss):
    """Each node of the graph, its users before it, with the gradients of its outputs by number.

    PyTorch's engine does the same, and asks the GPU's driver for its streams, which is not there.
    """
    users, found = Counter(), [loss.grad_fn]
    for node in found:  # the list grows
        for successor, _ in node.next_functions:
            if successor is not None:
                users[successor] += 1
                if users[successor] == 1:
                    found.append(successor)
    gradients = defaultdict(dict)
    gradients[loss.grad_fn][0] = torch.ones_like(loss)
    ready = [loss.grad_fn]
    while ready:
        node = ready.pop()
        own = gradients.pop(node, {})
        yield node, own
        if hasattr(node, "variable"):
            continue
        with torch.no_grad():
            handed_on = node(*(own.get(i) for i in range(max(own, default=0) + 1)))
        handed_on = handed_on if isinstance(handed_on, tuple) else (handed_on,)
        for (successor, i), gradient in zip(node.next_functions, handed_on, strict=True):
            if successor is None:
                continue
            if gradient is not None:
                expected = successor._input_metadata[i]  # the engine undoes broadcasting and casts
                gradient = gradient.sum_to_size(expected.shape).to(expected.dtype)
                sums = gradients[successor]
                sums[i] = sums[i] + gradient if i in sums else gradient
            users[successor] -= 1
            if users[successor] == 0:
                ready.append(successor)
