"""Do the runs of an experiment: each is claimed before it begins, and recorded when it is done."""

import contextlib
import hashlib
import io
import math
import shlex
import statistics
import time

from filelock import FileLock, Timeout

from ..data import data_root, load_dataset
from ..device import pick_budget, pick_device, pick_precision
from ..records import add_record, as_path, check_writable, read_records
from ..terminal import say
from ..training import TrainingConfig, evaluate, fit
from .grid import BASE, EXPERIMENTS, QUICK_IMAGES, key, plan
from .models import make_model
from .summary import pooled_spread, summarize


def run_experiment(
    name,
    budget=None,
    seeds=3,
    dataset=None,
    folder=None,
    settings=None,
    learning_rates=None,
    pooled=False,
    verbose=True,
):
    """Do the runs of an experiment that nobody has done yet; returns `summarize` of all so far.

    `budget`: one of BASE, else as `pick_budget` says, but always "quick" on Shapes-10;
    `dataset`: a Dataset, else the one that `load_dataset` takes, of which the quick budget uses a
    part. Records are added to experiments_DATASET_BUDGET.json in `folder`, else in data/runs: the
    accuracy on validation images, by which a learning rate is chosen, and on test images, by which
    nothing is. With `settings`, some of their names, only these are run, and with `learning_rates`,
    some of the experiment's factors, only those. `pooled` intervals come from the spread of all runs
    in that file, not from a setting's own seeds. Only if `verbose` there is a line for each run.
    ValueError names what there is if there is no experiment, setting or factor, and refuses to
    add to records of runs on other numbers of images. OSError if there is something to run and the
    folder cannot be written to.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"no experiment {name!r}: there are {', '.join(EXPERIMENTS)}")
    known = list(EXPERIMENTS[name].settings)
    settings = known if settings is None else settings
    for setting in settings:
        if setting not in known:
            raise ValueError(f"no setting {setting!r} in {name}: there are {', '.join(known)}")
    factors = EXPERIMENTS[name].learning_rates
    learning_rates = factors if learning_rates is None else learning_rates
    for factor in learning_rates:
        if factor not in factors:
            there_are = ", ".join(map(str, factors))
            raise ValueError(
                f"no factor {factor} of the learning rate in {name}: there are {there_are}"
            )
    dataset = dataset or load_dataset()
    if budget not in (None, *BASE):
        raise ValueError(f"budget must be one of {tuple(BASE)}, is {budget!r}")
    if dataset.name == "shapes10" and budget not in (None, "quick"):
        print("Shapes-10 is always run at the quick budget")
    budget = "quick" if dataset.name == "shapes10" else budget or pick_budget()
    if budget == "quick":
        dataset = dataset.first(*QUICK_IMAGES)
    path = as_path(folder or data_root() / "runs") / f"experiments_{dataset.name}_{budget}.json"
    ours = _counts(BASE[budget].training, dataset)
    for record in read_records(path):
        if (theirs := {count: record[count] for count in ours}) != ours:
            raise ValueError(f"{path} holds runs on {theirs}, not on {ours}: name another folder")
    runs = [
        run
        for seed in range(seeds)
        for (setting, factor), run in plan(name, budget, seed).items()
        if setting in settings and factor in learning_rates
    ]
    left = missing(runs, path)
    with contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO()):
        print(f"{name}: {len(runs) - len(left)} of {len(runs)} runs are on record", flush=True)
        if left:
            check_writable(path.parent)
        _do_what_is_left(runs, name, budget, dataset, path)
    records = read_records(path)
    return summarize(name, budget, records, pooled_spread(records) if pooled else None)


def _do_what_is_left(runs, name, budget, dataset, path):
    """Do the runs that are neither recorded nor under way elsewhere; then look again, since another
    process may have died over one.
    """
    took = []  # seconds of each run that this process did
    while left := missing(runs, path):
        done = len(took)
        for run in left:
            with _claim(run, path) as mine:
                if not mine:
                    continue
                start = time.perf_counter()
                figures = _do(run, dataset, path)
                command = _command(run, name, budget, dataset)
                add_record(path, figures | {"command": command, "run": run})
                took.append(time.perf_counter() - start)
            rest = len(missing(runs, path))
            say(
                f"seed {run['training']['seed']}, {_label(run, name, budget)}: "
                f"{figures['accuracy']:.1%} after {took[-1]:.0f} s; left: {rest} of {len(runs)}, "
                f"{math.ceil(rest * statistics.mean(took) / 60)} min"
            )
        if len(took) == done:
            print(f"{len(left)} runs are under way elsewhere", flush=True)
            return


def missing(runs, path):
    """Those of `runs` that have no record in `path`."""
    known = {key(record["run"]) for record in read_records(path)}
    return [run for run in runs if key(run) not in known]


@contextlib.contextmanager
def _claim(run, path):
    """Whether this process may do a run: nobody else is at it, nobody has done it.

    The operating system frees the claim of a process that dies.
    """
    lock = FileLock(_file_of(run, path, ".lock"))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield bool(missing([run], path))
    finally:
        lock.release()
        if not missing([run], path):  # then nobody needs its files: they ask the records too
            for file in path.parent.glob(_file_of(run, path, ".*").name):
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)


def _file_of(run, path, ending):
    """A file beside the records in `path` that is of this run alone."""
    digest = hashlib.sha256(key(run).encode()).hexdigest()[:16]
    return path.with_name(f"{path.stem}.{digest}{ending}")


def train_run(run, dataset, checkpoint=None):
    """The trained model of a run and its History. FloatingPointError if the loss is no number.

    With a `checkpoint`, a path, it can be stopped: whoever calls this again goes on from there.
    """
    model, config = make_model(run), TrainingConfig(**run["training"])
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each run is enough
        history = fit(model, dataset, config, checkpoint=checkpoint, resume=True)
    return model, history


def _do(run, dataset, path):
    """Train and judge one model; the figures for its record, which is to be added to `path`."""
    config, device = TrainingConfig(**run["training"]), pick_device()
    # A machine that computes in other numbers does not go on with it, but begins again
    machine = f"{device.type}_{pick_precision(device)}".replace("torch.", "")
    checkpoint = _file_of(run, path, f".{machine}.state.pt")
    figures = {"dataset": dataset.name, "seed": config.seed} | _counts(config, dataset)
    try:
        model, history = train_run(run, dataset, checkpoint)
    except FloatingPointError as error:  # a result as well: such a model can only guess
        guessing = 1 / run["model"]["num_classes"]
        return (
            figures
            | dict.fromkeys(("accuracy", "validation_accuracy"), guessing)
            | {"failed": str(error)}
        )
    return figures | {
        "accuracy": evaluate(model, dataset.test_images, dataset.test_labels),
        "validation_accuracy": history.validation_accuracy[-1],
        "validation_curve": history.validation_accuracy,
        "train_loss": history.train_loss,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _counts(config, dataset):
    return {
        "trained_on": len(dataset.train_labels) - config.validation_images,
        "judged_on": f"{len(dataset.test_labels):,} test",
    }


def _command(run, name, budget, dataset):
    """What does this run (and its other seeds and learning rates), also where Python called us."""
    label, _ = _place(run, name, budget)
    seeds = run["training"]["seed"] + 1
    options = f"--budget {budget} --dataset {dataset.name} --seeds {seeds} --settings"
    return shlex.join(["python", "-m", "vit_minimal.experiments", name, *options.split(), label])


def _label(run, name, budget):
    label, rate = _place(run, name, budget)
    return label if rate == 1 else f"{label}, {rate:g} × the learning rate"


def _place(run, name, budget):
    """The setting and the factor of the learning rate that a run has in an experiment."""
    runs = plan(name, budget, run["training"]["seed"])
    return next(place for place, other in runs.items() if other == run)
