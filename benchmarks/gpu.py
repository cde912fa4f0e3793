"""Every figure that the course wants from a GPU, in one command that may be stopped and called again.

    python benchmarks/gpu.py [--minutes 10] [--only h200-0 speed]
    python benchmarks/gpu.py --list         what is done, what is left
    python benchmarks/gpu.py --sum-up       what the trainings on record reached

The steps are taken in the order below, each in a process of its own. One that has its records is not
repeated, and none begins that would not end within `--minutes`, by the guess beside it; what takes
longer is interrupted then. The next call goes on with a training, whatever the guess, and with the
runs that an experiment lacks; other steps begin again. Records go to data/results/gpu/, models to
data/runs/.
`--small` takes the same steps at sizes for a CPU, on drawn shapes, to see that each of them works.

A machine without a network gets CIFAR-10 as the file data/cifar10.npz (185 MB), which
`python -m vit_minimal.data prepare` makes elsewhere. Where only smaller files get through, take
mosaics of it: as lossless WebP pictures of 5,000 images each it goes over in two halves of 51 MB.
"""

import argparse
import itertools
import re
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from vit_minimal import VisionTransformer, ViTConfig
from vit_minimal.data import data_root
from vit_minimal.data.cifar10 import has_cifar10
from vit_minimal.device import describe_device, pick_device
from vit_minimal.experiments import EXPERIMENTS, mean_and_width, plan
from vit_minimal.experiments.runs import missing
from vit_minimal.records import as_path, read_records
from vit_minimal.terminal import say
from vit_minimal.training.patch_dropout import patches_dropped


@dataclass(frozen=True)
class Step:
    """One figure: its command, where it records to, and a guess of its minutes on a recent GPU."""

    minutes: float
    command: str  # arguments of python
    file: str
    small: str  # what is added to the command for a CPU

    def words(self, folder, small):
        """The arguments of python."""
        words = shlex.split(self.command)
        if small:
            words += shlex.split(self.small)
        return [*words, "--record", str(folder / self.file)]

    def is_done(self, folder, small):
        """Whether there is a record of this very command, in one go or resumed."""
        command = shlex.join(["python", *self.words(folder, small)])
        commands = [record["command"] for record in read_records(folder / self.file)]
        return command in [recorded.replace(" --resume", "") for recorded in commands]

    def is_begun(self):
        """Whether a training was interrupted, and only the rest of it is left."""
        name = re.search(r"--name (\S+)", self.command)
        return name is not None and (data_root() / "runs" / f"{name[1]}.state.pt").exists()

    def start(self, folder, small):
        words = self.words(folder, small)
        if self.is_begun():
            words.insert(-2, "--resume")  # before --record
        return [subprocess.Popen([sys.executable, *words])]


@dataclass(frozen=True)
class Grid:
    """All runs of an experiment, by several processes: one of such small models fills no GPU."""

    minutes: float
    name: str
    processes: int = 6

    def scale(self, small):
        return ("shapes10", "quick", 1) if small else ("cifar10", "full", 5)

    @property
    def command(self):
        return f"-m vit_minimal.experiments {self.name}"

    def is_done(self, folder, small):
        dataset, budget, seeds = self.scale(small)
        runs = [run for seed in range(seeds) for run in plan(self.name, budget, seed).values()]
        return not missing(runs, folder / f"experiments_{dataset}_{budget}.json")

    def is_begun(self):
        return False  # its runs are short: the guess holds for what is left as well

    def start(self, folder, small):
        dataset, budget, seeds = self.scale(small)
        words = f"{self.command} --dataset {dataset} --budget {budget} --seeds {seeds} --folder"
        command = [sys.executable, *shlex.split(words), str(folder)]
        return [subprocess.Popen(command) for _ in range(1 if small else self.processes)]


def training(minutes, name, recipe, options="", settings=""):
    """A training of a recipe; its state and its model are called `name`."""
    command = f"-m vit_minimal.training --dataset cifar10 --recipe {recipe} --name {name}"
    small = "--dataset shapes10 --epochs 1 --set " + settings
    small += " model.embed_dim=32 model.depth=1 model.num_heads=1 model.patch_size=8"
    settings = f"--set {settings}" if settings else ""
    return Step(
        minutes,
        f"{command} {options} {settings}",
        "cifar10.json",
        f"{small} batch_size=500 compile=False",  # the last of two options counts
    )


def side_by_side(minutes, what):
    return Step(
        minutes, f"benchmarks/ours_and_timm.py {what}", "ours_and_timm.json", small="--small"
    )


# How the recipe `h200` might be changed: judged after 20 passes, on 5,000 held-out training images
CHOICES = {
    "as-it-is": "",
    "wide": "model.patch_size=4 model.embed_dim=256 model.num_heads=4",
    "rate-0.005": "learning_rate=0.005",
    "rate-0.002": "learning_rate=0.002",
    "batch-512": "batch_size=512",
    "no-mixup": "mixup=0.0",
    "no-drop-path": "model.drop_path_rate=0.0",
}
SEEDS = range(3)

STEPS = [
    side_by_side(4, "speed"),
    side_by_side(1, "parts"),
    *(
        training(1.5, f"h200-{name}", "h200", "--validation 5000 --epochs 20", settings)
        for name, settings in CHOICES.items()
    ),
    training(8, "h200-validation", "h200", "--validation 5000"),  # when is it at 90, 93, 94 %?
    *(training(8, f"h200-{seed}", "h200", f"--seed {seed}") for seed in SEEDS),
    # As on a T4, which has no bfloat16 and for which compiling takes too long
    *(training(3, f"t4-{seed}", "t4", f"--seed {seed}", "precision=float16") for seed in SEEDS),
    *(training(6, f"100-{seed}", "h200", f"--seed {seed} --epochs 100") for seed in SEEDS),
    side_by_side(4, "curves"),
    training(5, "to-ship", "t4", "--epochs 300", "compile=True"),
    *(Grid(4, name) for name in EXPERIMENTS),
]


def _ended_badly(process):
    """Whether a process that has ended, or was told to, ended otherwise than well."""
    try:
        return process.wait(timeout=60) != 0
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() != 0


def run(steps, folder, seconds, small=False):
    """Take the steps that are left, within the time; the number of those still left then."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    for step in steps:
        fits = step.is_begun() or time.monotonic() + 60 * step.minutes <= deadline
        if step.is_done(folder, small) or not fits:
            continue
        print(f"python {step.command}", flush=True)
        processes = step.start(folder, small)
        for process in processes:
            try:
                process.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                for each in processes:
                    each.terminate()  # trainings write down how far they are
                break
        # Each of them is waited for, whatever became of the others
        ended_badly = [process for process in processes if _ended_badly(process)]
        if ended_badly:
            print("it did not end well, or not in time: another call goes on", flush=True)
    return len([step for step in steps if not step.is_done(folder, small)])


def forward_flops(record):
    """The FLOPs of all forward passes of one image in a training, by its record."""
    model = VisionTransformer(ViTConfig(**record["model"]))
    passes, rate = record["training"]["epochs"], record["training"].get("patch_drop_rate", 0.0)
    whole = min(record["training"]["whole_epochs"], passes) if rate else passes
    flops = 0
    for share, epochs in ((0.0, whole), (rate, passes - whole)):
        counter = FlopCounterMode(display=False)
        # Older counters miss the products of the fused kernel
        with counter, sdpa_kernel(SDPBackend.MATH), patches_dropped(model, share):
            model(torch.zeros(1, *model.patch_embed.image_shape))
        flops += epochs * counter.get_total_flops()
    return flops


def sum_up(records):
    """A line for each training, or for its seeds together: accuracy, what it cost, how soon it was
    at 90, 93 and 94 % of its validation images (where it had some).
    """
    seeds, lines = {}, []
    for record in records:
        name = re.search(r"--name (\S+?)(-\d)? ", record["command"])[1]
        seeds.setdefault(name, []).append(record)
    for name, runs in seeds.items():
        first, reached = runs[0], [record["accuracy"] for record in runs]
        mean, width = mean_and_width(reached)
        passes, kept = first["training"]["epochs"], first["training"]["validation_images"]
        flops = 3 * forward_flops(first) * (50_000 - kept)  # backwards twice as many as forwards
        seconds = statistics.mean(record["seconds"] for record in runs)
        lines.append(
            f"{name}: {passes} passes, {first['parameters']:,} parameters, "
            f"{flops:.1e} FLOPs: {mean:.2%} ± {width:.2%} of {first['judged_on']} images, "
            f"{len(runs)} seeds, {seconds:.0f} s{_milestones(first['history'])}"
        )
    return "\n".join(lines)


def _milestones(history):
    """When the validation images were right to so much; nothing where there were none."""
    if not history["validation_accuracy"]:
        return ""
    seconds = itertools.accumulate(history["seconds"])
    reached = list(zip(seconds, history["validation_accuracy"], strict=True))
    text = ""
    for goal in (0.90, 0.93, 0.94):
        after = [passed for passed, accuracy in reached if accuracy >= goal]
        if after:
            text += f"; {goal:.0%} after {after[0]:.0f} s"
    return text


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog=__doc__.split("\n\n")[-1]
    )
    parser.add_argument("--minutes", type=float, default=1e9, help="stop in time")
    help_text = "only the steps whose command has one of these words in it"
    parser.add_argument("--only", nargs="+", metavar="WORD", help=help_text)
    parser.add_argument("--folder", type=as_path, default=Path("data/results/gpu"))
    parser.add_argument("--small", action="store_true", help="sizes for a CPU, on drawn shapes")
    parser.add_argument("--list", action="store_true", help="what is done, what is left")
    parser.add_argument("--sum-up", action="store_true", help="what the trainings reached")
    options = parser.parse_args()
    if options.sum_up:
        say(sum_up(read_records(options.folder / "cifar10.json")))
        return
    steps = STEPS
    if options.only:
        steps = [step for step in STEPS if any(word in step.command for word in options.only)]
        if not steps:
            parser.error(f"no step has {' or '.join(options.only)} in its command: see --list")
    if options.list:
        for step in steps:
            done = "done" if step.is_done(options.folder, options.small) else "left"
            print(f"{done}  about {step.minutes:4.1f} min  python {step.command}")
        return
    say(describe_device(pick_device()))
    if not options.small and not has_cifar10(data_root()):
        say(
            f"{data_root()} holds no CIFAR-10: the first step downloads it; without a network, see --help"
        )
    left = run(steps, options.folder, 60 * options.minutes, options.small)
    print(f"{left} of {len(steps)} steps are left")


if __name__ == "__main__":
    main()
