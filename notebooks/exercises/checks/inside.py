"""The exercises of notebook 06: what the class token gathers, and how one would know."""

import torch

from .engine import Answer, Piece
from .helpers import pairs, random


def maps_of(*shape, seed=0):
    """Random attention weights: the last axis sums to 1."""
    return (2 * random(*shape, seed=seed)).softmax(dim=-1)


def class_token_map(maps, rows, columns):
    """What the class token attends to, as a picture: (B, h, T, T) → (B, h, rows, columns)."""
    return maps[:, :, 0, 1:].unflatten(-1, (rows, columns))


def map_cases():
    yield {"maps": maps_of(2, 3, 7, 7), "rows": 2, "columns": 3}
    yield {"maps": maps_of(1, 1, 10, 10), "rows": 3, "columns": 3}
    yield {"maps": maps_of(3, 2, 5, 5), "rows": 1, "columns": 4}


def rollout(maps):
    """How much of each patch could reach the class token: (L, B, h, T, T) → (B, N)."""
    T = maps.shape[-1]
    reach = torch.eye(T).to(maps)
    for weights in maps.mean(dim=2):  # (B, T, T), from the first layer to the last
        reach = (weights + torch.eye(T).to(maps)) / 2 @ reach
    return reach[:, 0, 1:]


def rollout_cases():
    yield {"maps": maps_of(3, 2, 4, 5, 5)}
    yield {"maps": maps_of(1, 1, 1, 4, 4)}
    yield {"maps": maps_of(4, 3, 2, 3, 3)}
    yield {"maps": maps_of(7, 2, 3, 4, 4)}


def rollout_with(
    layers=lambda maps: maps.mean(dim=2),
    step=lambda weights, eye: (weights + eye) / 2,
    read=lambda reach: reach[:, 0, 1:],
    join=lambda new, reach: new @ reach,
):
    """A rollout in which one step is done otherwise."""

    def piece(maps):
        eye = torch.eye(maps.shape[-1]).to(maps)
        reach = eye
        for weights in layers(maps):
            reach = join(step(weights, eye), reach)
        return read(reach)

    return piece


ROLLOUT_STEPS = {
    "the residual path is missing: (A + I) / 2": {"step": lambda weights, eye: weights},
    "A + I is not halved": {"step": lambda weights, eye: weights + eye},
    "the later block stands on the right: it belongs on the left": {
        "join": lambda new, reach: reach @ new
    },
    "each table is multiplied number by number, from the identity on: `@` multiplies matrices": {
        "join": lambda new, reach: new * reach
    },
    "the heads are added up: take their mean": {"layers": lambda maps: maps.sum(dim=2)},
    "the largest head is taken": {"layers": lambda maps: maps.amax(dim=2)},
    "only the first head is taken": {"layers": lambda maps: maps[:, :, 0]},
    "this is a column, what the class token gives": {"read": lambda reach: reach[:, 1:, 0]},
    "the class token's own share is still in it": {"read": lambda reach: reach[:, 0]},
}


def number_by_number(maps):
    tables = (maps.mean(dim=2) + torch.eye(maps.shape[-1])) / 2
    return tables.prod(dim=0)[:, 0, 1:]


def more_rollouts():
    return (
        {
            "the tables are multiplied number by number: `@` is the product of matrices": (
                number_by_number
            )
        }
        | {words: rollout_with(**steps) for words, steps in ROLLOUT_STEPS.items()}
        | pairs(rollout_with, ROLLOUT_STEPS)
    )


def probe_scores(train_features, train_labels, features, num_classes):
    """Scores (n, K) of a linear map with a bias, fitted to one-hot targets by least squares."""
    targets = torch.eye(num_classes).to(train_features)[train_labels]
    solution = torch.linalg.lstsq(with_ones(train_features), targets).solution
    return with_ones(features) @ solution


def with_ones(features):
    return torch.cat([features, features.new_ones(len(features), 1)], dim=1)


def probe_cases():
    for n, D, K, m in ((30, 4, 3, 7), (20, 3, 5, 1)):
        labels = torch.arange(n) % K
        centres = random(K, D, seed=3) * 2 + 1
        yield {
            "train_features": centres[labels] + random(n, D),
            "train_labels": labels,
            "features": centres[torch.arange(m) % K] + random(m, D, seed=1),
            "num_classes": K,
        }
    yield missing_class()


def missing_class():
    """The last class does not occur among the training labels."""
    labels = torch.arange(12) % 2
    features = random(12, 3) + labels[:, None]
    return {
        "train_features": features,
        "train_labels": labels,
        "features": random(4, 3, seed=1),
        "num_classes": 3,
    }


def without_looking(scores, hidden):
    """Attention weights with some keys hidden: (…, T, T), hidden (T,) True → (…, T, T)."""
    return scores.masked_fill(hidden, -torch.inf).softmax(dim=-1)


def zeroed_afterwards(scores, hidden):
    return scores.softmax(dim=-1).masked_fill(hidden, 0.0)


def hidden_cases():
    yield {"scores": random(2, 5, 5), "hidden": torch.tensor([False, True, False, False, True])}
    yield {"scores": random(1, 3, 4, 4), "hidden": torch.tensor([True, False, False, False])}
    yield {"scores": random(2, 2, 3, 3), "hidden": torch.zeros(3, dtype=torch.bool)}
    yield {"scores": random(3, 3) - 20, "hidden": torch.tensor([False, False, True])}
    steep = torch.tensor([[-200.0, -201.0, -190.0], [100.0, 99.0, 120.0], [-150.0, -151.0, -140.0]])
    yield {"scores": steep, "hidden": torch.tensor([False, False, True])}


EXERCISES = [
    Piece(
        "class_token_map",
        "6.1",
        "What the class token looks at, as a picture",
        level=1,
        minutes=6,
        reference=class_token_map,
        cases=map_cases,
        has_gradient=False,
        mistakes={
            "this is a column: who attends *to* the class token. What it attends to is row 0": (
                lambda maps, rows, columns: maps[:, :, 1:, 0].unflatten(-1, (rows, columns))
            ),
            "the class token's own share is in it, the last patch is not: patches begin at 1": (
                lambda maps, rows, columns: maps[:, :, 0, :-1].unflatten(-1, (rows, columns))
            ),
            "the picture is mirrored along its diagonal: patches are counted row by row": (
                lambda maps, rows, columns: (
                    maps[:, :, 0, 1:].unflatten(-1, (columns, rows)).transpose(2, 3)
                )
            ),
            "this is what the first patch attends to: the class token is token 0": (
                lambda maps, rows, columns: maps[:, :, 1, 1:].unflatten(-1, (rows, columns))
            ),
            "this is what the last token attends to: the class token is token 0": (
                lambda maps, rows, columns: maps[:, :, -1, 1:].unflatten(-1, (rows, columns))
            ),
            "the shares of the patches were divided by their sum: what the class token gives to "
            "itself is a share too, so they sum to less than 1": (
                lambda maps, rows, columns: (
                    maps[:, :, 0, 1:] / maps[:, :, 0, 1:].sum(dim=-1, keepdim=True)
                ).unflatten(-1, (rows, columns))
            ),
            "the heads are averaged: one picture for each": (
                lambda maps, rows, columns: maps.mean(dim=1)[:, 0, 1:].unflatten(
                    -1, (rows, columns)
                )
            ),
            "the row is not folded up to rows × columns": (
                lambda maps, rows, columns: maps[:, :, 0, 1:]
            ),
        },
    ),
    Piece(
        "rollout",
        "6.2",
        "Attention rollout",
        level=3,
        minutes=15,
        reference=rollout,
        cases=rollout_cases,
        more=more_rollouts,
        has_gradient=False,
        mistakes={
            "the residual path is missing: half of a token stays what it is, (A + I) / 2": (
                rollout_with(step=lambda weights, eye: weights)
            ),
            "the layers are multiplied in the wrong order: a later layer stands on the left": (
                rollout_with(layers=lambda maps: maps.mean(dim=2).flip(0))
            ),
            "A + I is not halved: rows must sum to 1": rollout_with(
                step=lambda weights, eye: weights + eye
            ),
            "1 was added to every share: the identity I is 1 on the diagonal only, torch.eye(T)": (
                rollout_with(step=lambda weights, eye: (weights + 1) / 2)
            ),
            "the largest head is taken: rollout takes the mean": rollout_with(
                layers=lambda maps: maps.amax(dim=2)
            ),
            "this is a column: what the class token gives. Row 0 is what reaches it": rollout_with(
                read=lambda reach: reach[:, 1:, 0]
            ),
            "the class token's own share is still in it, (B, T)": rollout_with(
                read=lambda reach: reach[:, 0]
            ),
            "this is the last layer alone: multiply through all of them": (
                lambda maps: rollout(maps[-1:])
            ),
            "the layers are added up: what reached a token is handed on, so multiply": (
                lambda maps: ((maps.mean(dim=2) + torch.eye(maps.shape[-1])) / 2).sum(dim=0)[
                    :, 0, 1:
                ]
            ),
        },
    ),
    Piece(
        "probe_scores",
        "6.3",
        "A linear probe",
        level=2,
        minutes=12,
        reference=probe_scores,
        cases=probe_cases,
        has_gradient=False,
        mistakes={
            "the bias is missing: append a 1 to each feature vector": (
                lambda x, y, features, K: features @ torch.linalg.lstsq(x, torch.eye(K)[y]).solution
            ),
            "the probe is fitted without a bias, and gets one afterwards": (
                lambda x, y, features, K: (
                    features @ torch.linalg.lstsq(x, torch.eye(K)[y]).solution
                    + torch.eye(K)[y].mean(dim=0)
                )
            ),
            "labels are fitted as numbers: class 3 is not three times class 1. One-hot targets": (
                lambda x, y, features, K: (
                    with_ones(features)
                    @ torch.linalg.lstsq(with_ones(x), y[:, None].float()).solution
                )
            ),
            "a softmax was applied: the scores of least squares are no logits": (
                lambda x, y, features, K: probe_scores(x, y, features, K).softmax(dim=1)
            ),
            "the 1 is appended to the training features only: the others need it too": (
                lambda x, y, features, K: (
                    features @ torch.linalg.lstsq(with_ones(x), torch.eye(K)[y]).solution
                )
            ),
            "the bias is fitted and then left out: the other features get a 1 as well": (
                lambda x, y, features, K: (
                    features @ torch.linalg.lstsq(with_ones(x), torch.eye(K)[y]).solution[:-1]
                )
            ),
            "these are the classes: give the scores, (m, K)": (
                lambda x, y, features, K: probe_scores(x, y, features, K).argmax(dim=1)
            ),
            "these are the scores of the training images": (
                lambda x, y, features, K: probe_scores(x, y, x, K)
            ),
            "scores and classes are exchanged, (K, m)": (
                lambda x, y, features, K: probe_scores(x, y, features, K).T
            ),
        },
    ),
    Piece(
        "without_looking",
        "6.4",
        "Find the bug: hide some tokens",
        level=2,
        minutes=8,
        reference=without_looking,
        broken=zeroed_afterwards,
        cases=hidden_cases,
        has_gradient=False,
        mistakes={
            "hidden tokens do not look any more, but they are still looked at: hide keys, which are "
            "columns": (
                lambda scores, hidden: scores.masked_fill(hidden[:, None], -torch.inf).softmax(-1)
            ),
            "the columns sum to 1: the softmax must run over the keys, dim=-1": (
                lambda scores, hidden: scores.masked_fill(hidden, -torch.inf).softmax(dim=-2)
            ),
            "what is freed is shared equally: a softmax shares it in proportion": (
                lambda scores, hidden: (
                    zeroed_afterwards(scores, hidden)
                    + (1 - zeroed_afterwards(scores, hidden).sum(-1, keepdim=True))
                    / (~hidden).sum()
                    * ~hidden
                )
            ),
            "a score of 0 is not 'hidden': e⁰ = 1 is a share like any other. It takes −∞": (
                lambda scores, hidden: scores.masked_fill(hidden, 0.0).softmax(dim=-1)
            ),
            "a score of −1 is not 'hidden': e⁻¹ is a share like any other. It takes −∞": (
                lambda scores, hidden: scores.masked_fill(hidden, -1.0).softmax(dim=-1)
            ),
            "a score of +∞ takes all: it should be −∞": (
                lambda scores, hidden: scores.masked_fill(hidden, torch.inf).softmax(dim=-1)
            ),
            "the hidden keys are left out of the table: they stay in it, with a share of 0": (
                lambda scores, hidden: scores[..., ~hidden].softmax(dim=-1)
            ),
            "it hides what should be seen: `hidden` is True for the keys to hide": (
                lambda scores, hidden: scores.masked_fill(~hidden, -torch.inf).softmax(dim=-1)
            ),
            "the softmax comes first: −∞ must go in before it": (
                lambda scores, hidden: scores.softmax(dim=-1).masked_fill(hidden, -torch.inf)
            ),
            "the rows sum to 1, but the shares are not a softmax of the scores that are left": (
                lambda scores, hidden: zeroed_afterwards(scores, hidden).softmax(dim=-1)
            ),
        },
    ),
    Answer(
        "what_follows",
        "6.5",
        "A bright patch",
        level=2,
        minutes=4,
        expected="b",
        mistakes={
            "a": "a share says how much of a value is added, not what the value says, nor what the "
            "later layers and the head make of it",
            "c": "that would have to be tried: other patches may say the same",
            "d": "the map is of tokens after several layers: token 12 may hold what came from "
            "elsewhere",
        },
    ),
]
