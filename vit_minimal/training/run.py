"""All that changes while a model is trained, and what one step, one epoch and a resume do to it."""

import contextlib
import json
import math
import time
import zlib
from dataclasses import asdict
from functools import cached_property

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_, get_total_norm

from ..augment import augment, mix
from ..data.dataset import check_labels, stratified_order
from ..device import autocast, dtype_name, pick_precision
from ..records import write_whole
from ..terminal import say
from ..unwrap import load_plain_state_dict, plain_state_dict, unwrap_model
from .evaluation import evaluate
from .history import History
from .optimizers import MovingAverage, make_optimizers, make_scheduler
from .patch_dropout import check_can_drop_patches, patches_dropped
from .recipes import TrainingConfig

# What a RuntimeError says where memory was refused: on GPUs and by MPS, on CPUs, by cuBLAS
NO_MEMORY = "out of memory", "defaultcpuallocator", "alloc_failed"


class Run:
    """A model in training. ValueError if data, model and configuration do not fit each other."""

    def __init__(self, model, dataset, config, device):
        self.model, self.config, self.device = unwrap_model(model), config, device
        self.dataset = dataset
        self.rank, self.world = 0, 1
        if dist.is_initialized():
            self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.num_images = len(dataset.train_images) - config.validation_images
        self._check()
        images, labels = dataset.train_images.to(device), dataset.train_labels.to(device)
        if config.validation_images:  # the last ones of each class, the same for every seed
            order = stratified_order(dataset.train_labels).to(device)
            kept, held_out = order[: self.num_images].sort().values, order[self.num_images :]
            self.held_out, self.held_out_labels = images[held_out], labels[held_out]
            images, labels = images[kept], labels[kept]
        self.images, self.labels = images, labels
        self.steps_per_epoch = self.num_images // config.batch_size
        self.total_steps = config.epochs * self.steps_per_epoch
        model.to(device).train().zero_grad()  # what an interrupted step may have left
        self.network = model  # `self.model` as it came, perhaps compiled or wrapped
        wrapped = any(isinstance(m, DistributedDataParallel) for m in model.modules())
        if self.world > 1 and not wrapped:
            self.network = DistributedDataParallel(model)
        self.uncompiled, self.compiling = self.network, config.compile  # in the first step
        if config.compile:
            self.network = torch.compile(self.network)
        given = config.precision
        self.precision = getattr(torch, given) if given else pick_precision(device)
        self.optimizers = make_optimizers(self.model, config)
        self.schedulers = [make_scheduler(o, config, self.total_steps) for o in self.optimizers]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.loss_function = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
        self.ema = MovingAverage(self.model, config.ema_decay) if config.ema_decay else None
        self.history = History()
        self.step = 0  # steps taken
        self.order = None  # in which this epoch goes through the images
        self.totals = torch.zeros(2, device=device)  # of this epoch: loss, images that were right
        self.epoch_began = time.perf_counter()

    def _check(self):
        check_labels(self.dataset.train_labels, self.model.config.num_classes)
        if any(p.is_meta for p in self.model.parameters()):
            raise ValueError(
                'the model was made on torch\'s device "meta" and has no weights yet: make it '
                "without, or load_checkpoint"
            )
        dtypes = {dtype_name(p.dtype) for p in self.model.parameters()}
        if dtypes != {"float32"}:
            raise ValueError(
                f"the model's weights are {' and '.join(sorted(dtypes))}, and training needs "
                "float32: call model.float(), and choose a faster precision by "
                'TrainingConfig(precision="…")'
            )
        if not any(p.requires_grad for p in self.model.parameters()):
            raise ValueError(
                "every parameter is frozen (requires_grad is False), so nothing could be trained: "
                "a new head, from model.reset_head, is not frozen"
            )
        if self.config.patch_drop_rate:
            check_can_drop_patches(self.model)
        size, held_out = self.config.batch_size, self.config.validation_images
        if self.num_images < size:
            without = f" without the {held_out:,} of validation_images" if held_out else ""
            raise ValueError(
                f"{len(self.dataset.train_images):,} training images{without} do not fill a batch "
                f"of {size}"
            )
        if size % self.world:
            raise ValueError(f"{self.world} processes cannot share batches of {size} evenly")

    @cached_property
    def identity(self):
        """What a state has to agree in with the run that goes on from it."""
        model = {"class": type(self.model).__name__} | asdict(self.model.config)
        return {
            "model": json.loads(json.dumps(model)),  # (H, W) and [H, W] are the same
            "training": asdict(self.config),
            "data": {
                "name": self.dataset.name,
                "images": self.num_images,
                "content": _checksum(self.dataset.train_images, self.dataset.train_labels),
            },
            "machine": {
                "device": self.device.type,
                "precision": dtype_name(self.precision),
                "processes": self.world,
            },
            "weights": self._weights(),
        }

    def _weights(self):
        """{plain name: shape, and whether it is trained} of all weights and buffers of the model."""
        tensors = self.model.state_dict(keep_vars=True).values()  # in the order of the plain ones
        return {
            name: f"{list(tensor.shape)}, {'trained' if tensor.requires_grad else 'fixed'}"
            for name, tensor in zip(plain_state_dict(self.model), tensors, strict=True)
        }

    @property
    def epoch_is_over(self):
        """Whether the last step was the last one of its epoch."""
        return self.step % self.steps_per_epoch == 0

    # ------------------------------------------------------------------------------------ one step

    def train_step(self):
        """One batch forward and backward, one step of the optimizers."""
        fault = self._fault_of_memory()
        if fault is None:
            return
        size, rate = self.config.batch_size, self.config.learning_rate
        remedy = "a smaller model"
        if size > 1:
            remedy = f"batch_size {size // 2}, with a learning rate of {rate / 2**0.5:.1g}"
        raise MemoryError(
            f"a batch of {size} does not fit into the memory of {self.device}: try {remedy} ({fault})"
        )

    def _fault_of_memory(self):
        """Take the step; what the error said if memory was refused. The error itself must not leave
        here: it would hold on to the very memory that is lacking.
        """
        try:
            self._step_on(self._next_batch())
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if any(sign in str(error).lower() for sign in NO_MEMORY):
                return str(error).strip().splitlines()[0]
            if not self.compiling:
                raise
            self._give_up_compiling(error)
            return self._fault_of_memory()
        self.compiling = False
        return None

    def _give_up_compiling(self, error):
        """Train the model as it is. If the error was another one, the same step shows it again."""
        fault = " ".join(str(error).strip().splitlines()[:2])  # the first may say only where
        say(f"the model trains uncompiled, since this machine could not compile it ({fault})")
        self.network, self.compiling = self.uncompiled, False
        self.model.zero_grad()

    def _next_batch(self):
        """Which images this process trains on in this step: their indices."""
        epoch, place = divmod(self.step, self.steps_per_epoch)
        size = self.config.batch_size
        if self.order is None or place == 0:
            generator = torch.Generator().manual_seed(_mixed_seed(self.config.seed, epoch))
            self.order = torch.randperm(self.num_images, generator=generator).to(self.device)
        return self.order[place * size : (place + 1) * size][self.rank :: self.world]

    def _step_on(self, batch):
        config = self.config
        # A step's draws depend on seed, step and process alone: it can be the first after a resume
        torch.manual_seed(_mixed_seed(config.seed, self.step, self.rank + 1))
        labels = targets = self.labels[batch]
        images = augment(self.images[batch], config)
        if config.mixup or config.cutmix:
            num_classes = self.model.config.num_classes
            images, targets = mix(images, labels, num_classes, config.mixup, config.cutmix)
            labels = targets.argmax(dim=1)  # an answer is right if it names the larger part
        with self._some_patches(), autocast(self.device, self.precision):
            logits = self.network(images)
            loss = self.loss_function(logits, targets)
        self.scaler.scale(loss).backward()
        self._move_weights()
        self.model.zero_grad()
        if self.ema:
            self.ema.update_parameters(self.model)
        right = (logits.detach().argmax(dim=1) == labels).sum()
        self.totals += torch.stack([loss.detach(), right])  # reading them here would wait
        self.step += 1

    def _some_patches(self):
        """Where the model is shown a part of the patches; all of them in the last epochs."""
        config, epoch = self.config, self.step // self.steps_per_epoch
        if config.patch_drop_rate and epoch < config.epochs - config.whole_epochs:
            return patches_dropped(self.model, config.patch_drop_rate)
        return contextlib.nullcontext()

    def _move_weights(self):
        """A step of all optimizers, or of none if float16 could not hold a gradient."""
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = clip_grad_norm_(self.model.parameters(), self.config.clip_norm or math.inf)
        overflow = self.scaler.is_enabled() and not norm.isfinite()
        if not overflow:
            for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
                optimizer.step()
                scheduler.step()
        self.scaler.update()
        if overflow and self.scaler.get_scale() < 1:
            raise FloatingPointError(
                f"float16 cannot hold the gradients of this run: after {self.step} steps the loss "
                'scale has fallen below 1. Train with precision="float32" (or "bfloat16"), or with '
                "a smaller learning rate."
            )

    def check_numbers(self, also_weights):
        """FloatingPointError if the loss, or one of the weights, is no longer finite."""
        if not (also_weights or self.device.type == "cpu" or self.step % 50 == 0):
            return  # a GPU would wait
        finite = self.totals[0].isfinite()
        if also_weights:
            finite &= get_total_norm(self.model.parameters()).isfinite()
        if not finite:
            epoch = (self.step - 1) // self.steps_per_epoch + 1
            raise FloatingPointError(
                f"the loss or a weight is no longer a number in epoch {epoch}, after {self.step} "
                f"steps, near a learning rate of {self.schedulers[0].get_last_lr()[0]:.1e}. Usual "
                "causes: a learning rate too high or a warm-up too short, no gradient clipping, "
                "float16 where the numbers leave its range, an image or a label that is not finite."
            )

    # ----------------------------------------------------------------------------------- one epoch

    def end_epoch(self):
        """Write the epoch into the history and begin to count anew; returns it in a line."""
        if self.world > 1:
            dist.all_reduce(self.totals)
        loss, right = self.totals.tolist()
        seen = self.steps_per_epoch * self.config.batch_size
        self.history.train_loss.append(loss / self.steps_per_epoch / self.world)
        self.history.train_accuracy.append(right / seen)
        if self.config.validation_images:
            judged = self.ema.module if self.ema else self.model
            accuracy = evaluate(
                judged, self.held_out, self.held_out_labels, precision=self.precision
            )
            self.history.validation_accuracy.append(accuracy)
        now = time.perf_counter()
        self.history.seconds.append(now - self.epoch_began)
        self.epoch_began = now
        self.totals.zero_()
        return self.history.last_line(self.config.epochs, seen)

    def finish(self):
        """The weights to keep are those that were judged."""
        if self.ema:
            load_plain_state_dict(self.model, plain_state_dict(self.ema.module))

    # ---------------------------------------------------------------------------- save and resume

    def _parts(self):
        """Everything with a state of its own, by name."""
        parts = {"model": self.model, "scaler": self.scaler}
        if self.ema:
            parts["ema"] = self.ema
        for i, (optimizer, scheduler) in enumerate(
            zip(self.optimizers, self.schedulers, strict=True)
        ):
            parts[f"optimizer.{i}"] = optimizer
            parts[f"scheduler.{i}"] = scheduler
        return parts

    def save(self, path, must=False):
        """Write everything to `path`; an older file stays until the new one is complete.

        All processes call this, and the first one writes. If the disk is full the run goes on and
        says so, unless it `must` be written now.
        """
        totals = self.totals.clone()
        if self.world > 1 and not self.epoch_is_over:
            dist.all_reduce(totals)  # the state is that of all processes
        if self.rank > 0:
            return
        state = {
            name: plain_state_dict(part) if isinstance(part, nn.Module) else part.state_dict()
            for name, part in self._parts().items()
        }
        state |= {"step": self.step, "totals": totals, "history": asdict(self.history)}
        state |= {"seconds": time.perf_counter() - self.epoch_began, "of": self.identity}
        try:
            write_whole(path, lambda unfinished: torch.save(state, unfinished))
        except OSError as error:
            if must:
                raise
            say(f"{error}; training goes on")

    def load(self, path):
        """Go on from what `save` wrote. ValueError if the file is damaged or of another run."""
        state = read_state(path)
        theirs = state["of"]
        # What came later is not in older states: some settings, the content, the weights
        theirs["training"] = asdict(TrainingConfig()) | theirs["training"]
        theirs["data"] = self.identity["data"] | theirs["data"]
        theirs.setdefault("weights", self.identity["weights"])
        differing = [
            f"{part} {name}: {theirs[part].get(name)} there, {ours.get(name)} here"
            for part, ours in self.identity.items()
            for name in ours | theirs[part]
            if theirs[part].get(name) != ours.get(name)
        ]
        if differing:
            more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
            raise ValueError(
                f"{path} is the state of another run ({'; '.join(differing[:3])}{more})"
            )
        for name, part in self._parts().items():
            if isinstance(part, nn.Module):
                load_plain_state_dict(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.step = state["step"]
        self.history = History(**state["history"])
        self.epoch_began = time.perf_counter() - state["seconds"]
        if self.rank == 0:  # the totals of all processes, to be added up again
            self.totals.copy_(state["totals"])


def read_state(path):
    """What `Run.save` wrote to `path`. ValueError if the file is damaged or holds anything else."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it, such as {path}/state.pt")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever torch.load finds wrong with a file that is no archive
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path} is damaged or not the state of a run ({reason:.150}): name another file as "
            "checkpoint, or remove it if it was a state"
        ) from error
    if not isinstance(state, dict) or "of" not in state:
        raise ValueError(
            f"{path} is not the state of a run, but holds something else, such as the weights of a "
            "model: name another file as checkpoint, so that nothing is lost"
        )
    return state


def _checksum(*tensors):
    """Eight digits that tensors of other contents hardly ever have (CRC-32)."""
    number = 0
    for tensor in tensors:
        number = zlib.crc32(tensor.cpu().contiguous().numpy(), number)
    return f"checksum {number:08x}"


def _mixed_seed(*numbers):
    """One seed from several numbers, such that near ones do not collide."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
