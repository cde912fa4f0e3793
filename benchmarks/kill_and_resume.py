"""Does a run that is killed and resumed end with the same weights? Many runs, killed at random moments.

    python benchmarks/kill_and_resume.py [--runs 50] [--record data/results/kill_and_resume.json]

Each run is a process of its own that gets SIGKILL, which no program can catch, at a moment drawn at
random between its first step and its end. Then it is started again with `resume`. It writes its state
after every epoch. Every ingredient that holds state or draws at random is switched on.
"""

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vit_minimal import TrainingConfig, VisionTransformer, ViTConfig, fit, seed_everything, shapes10
from vit_minimal.data import SHAPES10_CLASSES, Dataset
from vit_minimal.records import add_record

MODEL = ViTConfig(
    patch_size=8,
    embed_dim=64,
    depth=3,
    num_heads=2,
    mlp_ratio=2.0,
    proj_drop_rate=0.1,
    drop_path_rate=0.1,
)
TRAINING = TrainingConfig(
    epochs=12,
    batch_size=100,
    optimizer="muon",
    ema_decay=0.9,
    trivial_augment=True,
    erase=0.25,
    mixup=0.2,
    cutmix=1.0,
    validation_images=200,
)


def train(state):
    """One run, from its beginning or from where it was killed; prints a digest of its weights."""
    images, labels = shapes10(1_200, seed=0)
    dataset = Dataset(images, labels, images[:1], labels[:1], SHAPES10_CLASSES, "shapes10")
    seed_everything(TRAINING.seed)
    model = VisionTransformer(MODEL)
    print("begins", flush=True)
    fit(
        model,
        dataset,
        TRAINING,
        "cpu",
        checkpoint=state,
        resume=True,
        seconds_between_saves=0,  # such a run is over in seconds
    )
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(hashlib.sha256(weights).hexdigest())


def start(state):
    words = [sys.executable, __file__, "--train", str(state)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8", env=environment)


def until_it_begins(process):
    assert process.stdout.readline() == "begins\n"
    return time.perf_counter()


def finish(state):
    """Run to the end; returns the digest, the epochs it went through, and the seconds they took."""
    process = start(state)
    began = until_it_begins(process)
    *epochs, digest = process.communicate()[0].splitlines()
    if process.returncode:
        sys.exit(f"a run failed with exit status {process.returncode}")
    return digest, len(epochs), time.perf_counter() - began


def kill_and_resume(state, seconds):
    """Kill a run at a random moment within `seconds`, then finish it; returns what happened."""
    moments = random.Random(state.stem)
    while True:
        process = start(state)
        moment = moments.random() * seconds
        time.sleep(max(0, moment - (time.perf_counter() - until_it_begins(process))))
        process.kill()
        process.communicate()
        if process.returncode:
            break
        state.unlink()  # it was over before the moment came
    had_state = state.exists()
    digest, left, _ = finish(state)
    print(f"killed after {moment:.2f} s, {left} epochs left", flush=True)
    return {
        "killed_after": round(moment, 2),
        "epochs_left": left,
        "had_state": had_state,
        "digest": digest,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=2, help="runs side by side, a thread each")
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(options.train)
        return
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.at_once) as pool:
        states = [Path(folder) / f"{number}.pt" for number in range(options.runs)]
        whole = [Path(folder) / f"undisturbed{number}.pt" for number in range(4)]
        undisturbed = list(pool.map(finish, whole))
        expected, epochs, _ = undisturbed[0]
        assert {digest for digest, _, _ in undisturbed} == {expected}
        seconds = min(took for _, _, took in undisturbed)
        print(f"undisturbed: {epochs} epochs in {seconds:.1f} s", flush=True)
        runs = list(pool.map(kill_and_resume, states, [seconds] * len(states)))
    for run in runs:
        run["same"] = run.pop("digest") == expected
    print(f"{sum(run['same'] for run in runs)} of {len(runs)} ended with the same weights")
    if options.record:
        add_record(options.record, {"epochs": epochs, "seconds": round(seconds, 2), "runs": runs})


if __name__ == "__main__":
    main()
