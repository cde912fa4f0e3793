"""Training and evaluation on one machine: `fit`, `evaluate`, and recipes that were measured.

python -m vit_minimal.training --recipe cpu
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from tqdm import tqdm

from .augment import normalize, random_crop, random_flip
from .data import check_labels, data_root, load_dataset
from .pretrained import save_checkpoint
from .runtime import autocast, describe_run, pick_device, pick_precision, seed_everything
from .vision_transformer import VisionTransformer, ViTConfig


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that fixes a training run, but for the model and the data."""

    epochs: int = 10  # passes over the training images
    batch_size: int = 128
    learning_rate: float = 1e-3  # the highest, reached at the end of the warm-up
    warmup: float = 0.1  # share of the steps in which the learning rate climbs to it
    weight_decay: float = 0.05  # AdamW's, on the matrices only
    label_smoothing: float = 0.1
    clip_norm: float = 1.0  # gradients longer than this are shortened to it
    flip: bool = True  # mirror half of the images
    crop_padding: int = 4  # pixels by which an image moves at most; 0: not at all
    validation_images: int = 0  # taken from the end of the training images, never trained on
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, is {getattr(self, name)}")
        if self.validation_images < 0:
            raise ValueError(f"validation_images must not be negative: {self.validation_images}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be in [0, 1), a share of the run; is {self.warmup}")


@dataclass(frozen=True)
class Recipe:
    """A model and how to train it."""

    model: ViTConfig
    training: TrainingConfig


RECIPES = {
    "quick": Recipe(  # Shapes-10 in less than a minute on two cores
        ViTConfig(embed_dim=96, depth=3, num_heads=3, mlp_ratio=2.0, pos_embed="sinusoidal"),
        TrainingConfig(
            epochs=5,
            batch_size=50,
            learning_rate=2e-3,
            label_smoothing=0.0,
            flip=False,
            crop_padding=0,
        ),
    ),
    "cpu": Recipe(  # CIFAR-10 in less than five minutes on two cores
        ViTConfig(embed_dim=96, depth=4, num_heads=3, mlp_ratio=2.0),
        TrainingConfig(epochs=4, batch_size=64, label_smoothing=0.0, crop_padding=0),
    ),
}


@dataclass
class History:
    """What a run did: one entry per epoch in each list."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)  # on augmented images, 0 … 1
    validation_accuracy: list[float] = field(default_factory=list)  # empty without validation
    seconds: list[float] = field(default_factory=list)


def fit(model, dataset, config=None, device=None):
    """Train `model` on the training images of `dataset`, in place; returns the History.

    Prints a line per epoch; in a terminal a bar moves too. Matrix products run in the precision
    that suits the device. ValueError if the labels do not fit the model.
    """
    config = config or TrainingConfig()
    device = pick_device(device)
    seed_everything(config.seed)
    check_labels(dataset.train_labels, model.config.num_classes)
    keep = len(dataset.train_images) - config.validation_images
    if keep < config.batch_size:
        raise ValueError(f"{keep} training images do not fill a batch of {config.batch_size}")
    images, held_out = dataset.train_images.to(device).tensor_split([keep])
    labels, held_out_labels = dataset.train_labels.to(device).tensor_split([keep])

    model.to(device).train()
    steps = keep // config.batch_size
    optimizer = make_optimizer(model, config)
    scheduler = make_scheduler(optimizer, config, config.epochs * steps)
    loss_function = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    precision = pick_precision(device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    history = History()

    for epoch in range(config.epochs):
        start = time.perf_counter()
        total_loss = total_correct = 0  # tensors on the device: reading them each step would wait
        order = torch.randperm(keep, device=device)[: steps * config.batch_size]
        bar = tqdm(
            order.split(config.batch_size), desc=f"epoch {epoch + 1}", leave=False, disable=None
        )
        for batch in bar:
            x, y = augment(images[batch], config), labels[batch]
            with autocast(device, precision):
                logits = model(x)
                loss = loss_function(logits, y)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            optimizer.zero_grad()
            total_loss += loss.detach()
            total_correct += (logits.detach().argmax(dim=1) == y).sum()
        history.train_loss.append(float(total_loss) / steps)
        history.train_accuracy.append(float(total_correct) / (steps * config.batch_size))
        if config.validation_images:
            history.validation_accuracy.append(evaluate(model, held_out, held_out_labels))
        history.seconds.append(time.perf_counter() - start)
        print(_epoch_line(history, epoch, config.epochs, steps * config.batch_size), flush=True)
    return history


def augment(images, config):
    """Bytes (B, C, H, W) → what the model trains on, float32."""
    if config.flip:
        images = random_flip(images)
    if config.crop_padding:
        images = random_crop(images, config.crop_padding)
    return normalize(images)


def make_optimizer(model, config):
    """AdamW that decays matrices only: not biases, norms, positions or the class token."""
    tokens = ("cls_token", "reg_token", "pos_embed")
    decay, no_decay = [], []
    for name, parameter in model.named_parameters():
        spared = parameter.ndim < 2 or name.startswith(tokens)
        (no_decay if spared else decay).append(parameter)
    groups = [{"params": decay}, {"params": no_decay, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def make_scheduler(optimizer, config, total_steps):
    """The learning rate climbs in a line, then falls along half a cosine to zero."""
    warmup_steps = max(1, int(config.warmup * total_steps))
    climb = LinearLR(optimizer, start_factor=1 / warmup_steps, total_iters=warmup_steps - 1)
    fall = CosineAnnealingLR(optimizer, T_max=max(1, total_steps - warmup_steps))
    return SequentialLR(optimizer, [climb, fall], milestones=[warmup_steps])


def _epoch_line(history, epoch, epochs, num_images):
    seconds = history.seconds[-1]
    accuracy = f"accuracy {history.train_accuracy[-1]:.1%}"
    if history.validation_accuracy:
        accuracy += f", validation {history.validation_accuracy[-1]:.1%}"
    left = sum(history.seconds) / (epoch + 1) * (epochs - epoch - 1)
    return (
        f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}: loss {history.train_loss[-1]:.3f}, "
        f"{accuracy}, {num_images / seconds:,.0f} images/s, {left:.0f} s left"
    )


@torch.inference_mode()
def evaluate(model, images, labels, batch_size=500):
    """The share of `images` (n, C, H, W) whose most likely class is their label, 0 … 1.

    Runs where the model is, without dropout, and leaves the model in the mode it was in.
    ValueError if there are no images or the labels do not fit the model.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise ValueError(f"cannot evaluate {len(images)} images with {len(labels)} labels")
    check_labels(labels, model.config.num_classes)
    device = next(model.parameters()).device
    was_training = model.training
    correct = 0
    try:
        model.eval()
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            with autocast(device, pick_precision(device)):
                logits = model(normalize(x.to(device)))
            correct += (logits.argmax(dim=1) == y.to(device)).sum()
    finally:
        model.train(was_training)
    return float(correct) / len(images)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.training", description="Train a Vision Transformer."
    )
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--dataset", choices=("auto", "cifar10", "shapes10"))
    parser.add_argument("--epochs", type=int, help="passes over the training images")
    parser.add_argument("--seed", type=int, default=0)
    help_text = "hold out N training images and report on them instead of the test images"
    parser.add_argument("--validation", type=int, default=0, metavar="N", help=help_text)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="add the figures to a JSON list"
    )
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    config = replace(recipe.training, seed=options.seed, validation_images=options.validation)
    if options.epochs is not None:
        config = replace(config, epochs=options.epochs)

    start = time.perf_counter()
    dataset = load_dataset(options.dataset)
    seed_everything(config.seed)
    model = VisionTransformer(recipe.model)
    device = pick_device()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters:,} parameters on {device}, {pick_precision(device)}")
    history = fit(model, dataset, config, device)
    if options.validation:
        judged, accuracy = f"{options.validation:,} validation", history.validation_accuracy[-1]
    else:
        judged = f"{len(dataset.test_labels):,} test"
        accuracy = evaluate(model, dataset.test_images, dataset.test_labels)
    print(f"accuracy on the {judged} images: {accuracy:.2%}")
    figures = {
        "dataset": dataset.name,
        "recipe": options.recipe,
        "seed": config.seed,
        "judged_on": judged,
        "accuracy": accuracy,
        "parameters": parameters,
        "seconds": round(time.perf_counter() - start, 1),
        "model": asdict(recipe.model),
        "training": asdict(config),
        "history": asdict(history),
    }
    name = f"{dataset.name}-{options.recipe}-seed{config.seed}.safetensors"
    save_checkpoint(data_root() / "runs" / name, model, **figures)
    print(f"{figures['seconds']:.0f} s in all; model saved as {data_root() / 'runs' / name}")
    if options.record:
        known = json.loads(options.record.read_text()) if options.record.exists() else []
        known.append(describe_run() | figures)
        options.record.parent.mkdir(parents=True, exist_ok=True)
        options.record.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
