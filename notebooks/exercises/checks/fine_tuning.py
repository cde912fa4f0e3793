"""The exercises of notebook 12: a new head, neighbours, rates by block, mistakes, honest splits."""

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Answer, Piece
from .helpers import Wrong, cases_of, listed, random, same


class Body(nn.Module):
    """A model with a head, as small as can be."""

    def __init__(self, width, classes):
        super().__init__()
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.norm(x))


def as_probe(model, num_classes):
    """The model, frozen, with a new head for so many classes, which is not."""
    model.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, num_classes)
    return model


def probe_that(freezes=True, new_head=True, frozen_head=False, reads=None):
    """A version that does not freeze, keeps the old head, freezes the new one, or whose new head
    reads another number of features: `reads(model, num_classes)`.
    """

    def piece(model, num_classes):
        if freezes:
            model.requires_grad_(False)
        if new_head:
            width = reads(model, num_classes) if reads else model.head.in_features
            model.head = nn.Linear(width, num_classes)
        if frozen_head:
            model.requires_grad_(False)
        return model

    return piece


def what_is_trained(piece, width, old, new):
    """Of the model that comes back: the shape of its head, and which parameters are trained."""
    model = Body(width, old)
    body = {name: p.detach().clone() for name, p in model.norm.named_parameters()}
    found = piece(model, new)
    if not isinstance(found, nn.Module):
        raise Wrong(f"give the model back: this gives {found!r}")
    head = getattr(found, "head", None)
    if not isinstance(head, nn.Linear):
        raise Wrong("the model's `head` should be a nn.Linear afterwards")
    if found is not model:
        raise Wrong("this is another model: change the one that is given, and give it back")
    if any(not p.equal(body[name]) for name, p in found.norm.named_parameters()):
        raise Wrong("the weights of the rest have changed: freezing leaves them as they are")
    trained = sorted(name for name, p in found.named_parameters() if p.requires_grad)
    return {
        "what the head reads": head.weight.shape[1],
        "what the head gives": head.weight.shape[0],
        "what is trained": trained,
        "the head has a bias": head.bias is not None,
    }


def nearest_labels(known, labels, asked):
    """The label (m,) of the nearest of the known features, by cosine."""
    similarity = F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T
    return labels[similarity.argmax(dim=1)]


def neighbours(similarity, gives_label=True):
    """The nearest by a similarity (m, n) of features (m, D) and (n, D)."""

    def piece(known, labels, asked):
        places = similarity(asked, known).argmax(dim=1)
        return labels[places] if gives_label else places

    return piece


def cosine(asked, known):
    return F.normalize(asked, dim=-1) @ F.normalize(known, dim=-1).T


def feature_cases():
    for n, m, D in ((12, 30, 5), (7, 20, 3)):
        long = torch.linspace(0.2, 5, n)[:, None]  # some are long, some are short
        known, asked = random(n, D, seed=n) * long, random(m, D, seed=m)
        yield {"known": known, "labels": torch.arange(n) % 4 + 3, "asked": asked}


def rates_of_blocks(rate, decay, depth):
    """The learning rates of embedding, block 1 … L, and head."""
    return [rate * decay ** (depth + 1 - i) for i in range(depth + 2)]


def confident_mistakes(logits, labels, count):
    """Places of the `count` wrong answers (fewer if there are not so many), the surest first."""
    return mistakes_by()(logits, labels, count)


def mistakes_by(sure=lambda logits: logits.softmax(dim=1).amax(dim=1), wrong=True, surest=True,
                within=True):  # fmt: skip
    """A version that measures certainty otherwise, takes right answers, or turns the order round."""

    def piece(logits, labels, count):
        certainty = sure(logits)
        places = certainty.argsort(descending=surest)
        if wrong is not None:
            places = places[((logits.argmax(dim=1) != labels) == wrong)[places]]
        if not within:  # places among the mistakes, not among all images
            is_wrong = logits.argmax(dim=1) != labels
            places = certainty[is_wrong].argsort(descending=True)
        return places[:count]

    return piece


def places_of(piece, **case):
    """The places that a piece gives, as a list: whether they come in a tensor is all the same."""
    found = piece(**case)
    return found if listed(found) is None else listed(found)


def mistake_cases():
    for n, K, count in ((30, 4, 5), (24, 3, 8), (12, 5, 50)):
        logits = random(n, K, seed=n) * torch.linspace(0.5, 3, n)[:, None]
        logits = logits + 5 * random(n, 1, seed=n + 1)  # a shift says nothing about certainty
        yield {"logits": logits, "labels": torch.arange(n) % K, "count": count}


def split_by_photo(photo_of, share, seed=0):
    """Places of the crops to train on and of those to test on."""
    return split_that()(photo_of, share, seed)


def split_that(by="photo", swapped=False, fixed=False):
    """A split by crops or by photos, the parts exchanged, the same photos with every seed, …"""

    def piece(photo_of, share, seed=0):
        generator = torch.Generator().manual_seed(0 if fixed else seed)
        things = photo_of.unique() if by == "photo" else torch.arange(len(photo_of))
        order = torch.randperm(len(things), generator=generator)
        if fixed:
            order = torch.arange(len(things))
        chosen = things[order[: round(share * len(things))]]
        is_test = torch.isin(photo_of if by == "photo" else things, chosen)
        parts = (~is_test).nonzero().flatten(), is_test.nonzero().flatten()
        return parts[::-1] if swapped else parts

    return piece


def how_it_splits(piece, photo_of, share):
    """Photos on both sides, crops that are lost or doubled, photos to test on; whether seeds differ."""
    splits = []
    for seed in range(4):
        found = piece(photo_of, share, seed)
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise Wrong("give two things: the places to train on, and those to test on")
        train, test = (torch.as_tensor(part) for part in found)
        if train.dtype == torch.bool:
            raise Wrong("give places such as 0, 3, 4, not True and False for every crop")
        if train.dim() != 1 or test.dim() != 1:
            raise Wrong(
                f"the places have the shapes {tuple(train.shape)} and {tuple(test.shape)}: each part "
                "is one list, which `flatten()` makes of them",
                "shape",
            )
        again = piece(photo_of, share, seed)
        if not all(map(same, map(torch.as_tensor, again), (train, test))):
            raise Wrong(
                "the same seed gives another split when it is called again: whatever is drawn has to "
                "come from a generator that starts with `seed`"
            )
        if sorted([*train.tolist(), *test.tolist()]) == photo_of.unique().tolist():
            raise Wrong(
                "these are the numbers of the photos: wanted are the places of their crops in `photo_of`"
            )
        splits.append((train, test))
    both = [len(set(photo_of[a].tolist()) & set(photo_of[b].tolist())) > 0 for a, b in splits]
    every = [sorted([*a.tolist(), *b.tolist()]) == list(range(len(photo_of))) for a, b in splits]
    to_test = [len(photo_of[test].unique()) for _, test in splits]
    differ = len({tuple(sorted(test.tolist())) for _, test in splits}) > 1
    return {
        "a photo has crops on both sides": any(both),
        "each crop stands in one part, once": all(every),
        "photos to test on, for seeds 0 … 3": [0] * 4 if any(both) else to_test,
        "seeds differ in which photos they choose": differ,
    }


def photo_cases():
    rows = [(torch.arange(10).repeat_interleave(3), 0.3), (torch.arange(12).repeat(4) + 5, 0.25)]
    return cases_of(("photo_of", "share"), *rows)


EXERCISES = [
    Piece(
        "as_probe",
        "12.1",
        "A new head, and nothing else",
        level=1,
        minutes=6,
        reference=as_probe,
        use=what_is_trained,
        cases=lambda: cases_of(("width", "old", "new"), (6, 10, 3), (5, 4, 7)),
        has_gradient=False,
        mistakes={
            "nothing is frozen: this would fine-tune the whole model": probe_that(freezes=False),
            "the head is frozen too, so nothing is left to learn: freeze first, then put the new "
            "head on": probe_that(frozen_head=True),
            "the old head is still there, and frozen": probe_that(new_head=False),
            "the old head is still there, with the old classes": (
                probe_that(freezes=False, new_head=False)
            ),
            "the new head reads as many numbers as there are classes: it reads the features, and their "
            "number is the `in_features` of the old head": (
                probe_that(reads=lambda model, num_classes: num_classes)
            ),
            "the new head reads what the old one gave, its classes: it takes the old one's place, so it "
            "reads what that one read": (
                probe_that(reads=lambda model, num_classes: model.head.out_features)
            ),
        },
    ),
    Piece(
        "nearest_labels",
        "12.2",
        "The nearest neighbour",
        level=2,
        minutes=8,
        reference=nearest_labels,
        cases=feature_cases,
        has_gradient=False,
        mistakes={
            "these are places among the known features, and not yet their labels": (
                neighbours(cosine, gives_label=False)
            ),
            "the known features are not normalised, so long ones win: a cosine divides by both lengths": (
                neighbours(lambda asked, known: asked @ known.T)
            ),
            "this is the nearest by distance: the cosine asks for the direction only": (
                neighbours(lambda asked, known: -torch.cdist(asked, known))
            ),
            "this is the farthest: the largest cosine is the nearest": (
                neighbours(lambda asked, known: -cosine(asked, known))
            ),
            "normalised along the wrong axis: each row, which is one feature, gets length 1": (
                neighbours(
                    lambda asked, known: F.normalize(asked, dim=0) @ F.normalize(known, dim=0).T
                )
            ),
        },
    ),
    Piece(
        "rates_of_blocks",
        "12.3",
        "Layer decay",
        level=1,
        minutes=6,
        reference=rates_of_blocks,
        cases=lambda: cases_of(("rate", "decay", "depth"), (1e-3, 0.7, 6), (0.1, 0.5, 3)),
        has_gradient=False,
        mistakes={
            "the order is turned round: the embedding is first, and has the smallest rate": (
                lambda rate, decay, depth: rates_of_blocks(rate, decay, depth)[::-1]
            ),
            "all rates are one step too small: the head has the rate itself": (
                lambda rate, decay, depth: [
                    rate * decay ** (depth + 2 - i) for i in range(depth + 2)
                ]
            ),
            "the embedding is missing: it is one step further than the first block": (
                lambda rate, decay, depth: rates_of_blocks(rate, decay, depth)[1:]
            ),
            "the head is missing": (
                lambda rate, decay, depth: rates_of_blocks(rate, decay, depth)[:-1]
            ),
            "the last block has the same rate as the head: it has one step of decay": (
                lambda rate, decay, depth: [
                    rate * decay ** max(depth - i, 0) for i in range(depth + 2)
                ]
            ),
            "the decay is multiplied by the number of steps: it is a factor at every step": (
                lambda rate, decay, depth: [
                    rate * decay * (depth + 1 - i) for i in range(depth + 2)
                ]
            ),
        },
    ),
    Piece(
        "confident_mistakes",
        "12.4",
        "Sure of itself, and wrong",
        level=2,
        minutes=10,
        reference=confident_mistakes,
        cases=mistake_cases,
        use=places_of,
        has_gradient=False,
        mistakes={
            "right answers are among them: keep only those that differ from the label": (
                mistakes_by(wrong=None)
            ),
            "these are the right answers: the mistakes differ from their label": (
                mistakes_by(wrong=False)
            ),
            "the least sure come first: sort in descending order": mistakes_by(surest=False),
            "a logit says how sure a model is only beside the others: take the softmax first": (
                mistakes_by(sure=lambda logits: logits.amax(dim=1))
            ),
            "these are places among the mistakes: wanted are places among all images": (
                mistakes_by(within=False)
            ),
        },
    ),
    Piece(
        "split_by_photo",
        "12.5",
        "Find the bug: an honest split",
        level=2,
        minutes=8,
        reference=split_by_photo,
        broken=split_that(by="crop"),
        use=how_it_splits,
        cases=photo_cases,
        has_gradient=False,
        mistakes={
            "every seed chooses the same photos": split_that(fixed=True),
            "the parts are exchanged: `share` is that of the test crops, which are the second part": (
                split_that(swapped=True)
            ),
        },
    ),
    Answer(
        "first_suspect",
        "12.6",
        "31 % at the customer",
        level=1,
        minutes=3,
        expected="b",
        mistakes={
            "a": "this would be seen in the test pictures too, and they are at 97 %",
            "c": "spare classes cost little, and the same on test pictures as at the customer",
            "d": "nobody asks it for ImageNet: forgetting does not hurt the new task",
        },
    ),
]
