"""The real run of notebook 05: a recipe on CIFAR-10, its curves, and what its model confuses.

    python benchmarks/real_run.py [--recipe cpu] [--record data/results/real_run.json]

5,000 training images are held out to draw the curve of validation; the test images are used once, at
the end. A run that was stopped goes on when the command is called again.
"""

import argparse
from dataclasses import asdict, replace

from vit_minimal import RECIPES, VisionTransformer, fit, load_dataset, seed_everything
from vit_minimal.data import data_root
from vit_minimal.records import add_record, as_path, read_records
from vit_minimal.terminal import say
from vit_minimal.training import confusion_matrix, predict

HELD_OUT, SHOWN = 5_000, 8


def worst_mistakes(logits, labels, class_names):
    """The wrong answers of which the model is most certain: class, answer, and its share."""
    shares, answers = logits.softmax(dim=1).max(dim=1)
    shares = shares.masked_fill(answers == labels, 0)
    return [
        {
            "image": i,
            "class": class_names[labels[i]],
            "answer": class_names[answers[i]],
            "share": round(shares[i].item(), 4),
        }
        for i in shares.topk(SHOWN).indices.tolist()
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--record", type=as_path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.record:
        read_records(options.record)  # hours later would be too late to learn that it is damaged
    dataset, recipe = load_dataset(options.dataset), RECIPES[options.recipe]
    config = replace(recipe.training, validation_images=HELD_OUT)
    seed_everything(config.seed)
    model = VisionTransformer(recipe.model)
    state = data_root() / "runs" / f"real-run-{dataset.name}-{options.recipe}.state.pt"
    state.parent.mkdir(parents=True, exist_ok=True)
    history = fit(model, dataset, config, checkpoint=state, resume=True)
    labels = dataset.test_labels
    counts = confusion_matrix(model, dataset.test_images, labels)
    accuracy = counts.trace().item() / len(labels)
    say(f"accuracy on the {len(labels):,} test images: {accuracy:.2%}")
    if options.record:
        figures = {
            "dataset": dataset.name,
            "recipe": options.recipe,
            "seed": config.seed,
            "judged_on": f"{len(labels):,} test",
            "accuracy": accuracy,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "seconds": round(sum(history.seconds), 1),
            "model": asdict(recipe.model),
            "training": asdict(config),
            "class_names": list(dataset.class_names),
            "confusion": counts.tolist(),  # rows: the class; columns: the answer
            "worst_mistakes": worst_mistakes(
                predict(model, dataset.test_images), labels, dataset.class_names
            ),
        }
        add_record(options.record, figures | {"history": asdict(history)})
    state.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
