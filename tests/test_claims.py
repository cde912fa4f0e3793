"""The table of notebook 10 says what the records say: its figures and its verdicts, recomputed."""

import itertools
import json
import re
import statistics
from pathlib import Path

import pytest
from tutorial_text import tutorial_text

from vit_minimal.experiments import mean_and_width, summarize

ROOT = Path(__file__).resolve().parents[1]
SOURCE = tutorial_text("notebooks/source/10_claims_put_to_the_test.py")


def records(name):
    return json.loads((ROOT / "data" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def table():
    """{number: (sentence, figures, verdict, records)}"""
    lines = re.findall(r"^# \| (\d+) \| (.+) \|$", SOURCE, re.MULTILINE)
    return {int(number): [cell.strip() for cell in rest.split(" | ")] for number, rest in lines}


def cifar10(name):
    return summarize(name, "full", records("experiments_cifar10_full"))


def percent(of):
    """A mean and its interval, from a Summary or from accuracies."""
    mean, width = mean_and_width(of) if isinstance(of, list) else (of.mean, of.width)
    return f"{100 * mean:.1f} ± {100 * width:.1f} %"


def apart(one, other):
    """Whether two intervals, of Summaries or of accuracies, do not overlap: −1, 0 or 1."""
    (a, da), (b, db) = (
        mean_and_width(of) if isinstance(of, list) else (of.mean, of.width) for of in (one, other)
    )
    return (a - da > b + db) - (a + da < b - db)


def contents():
    (record,) = records("class_token_contents")
    trained, untrained = (
        record["colours"][state]["class_token"] for state in ("trained", "untrained")
    )
    places = [run["class_token"][-1] for run in record["place"]]
    return trained, untrained, places


def journey():
    (record,) = records("class_token_journey")
    return record


def summary_figures():
    trained, untrained, places = contents()
    first = [100 * place["class_token"][1] for place in records("class_token_contents")[0]["place"]]
    assert f"in {min(first):.0f} to {max(first):.0f} % of the images after the first" in SOURCE
    known = journey()["probes"]["class_token"]["mean"][-1]
    assert trained[-1] < untrained[-1] - 0.1 and max(trained) > untrained[-1] + 0.05
    assert trained[2] == max(trained) and trained[2:] == sorted(trained[2:], reverse=True)
    assert min(places) > 2 / 64 and max(places) < 0.5
    return (
        f"class {100 * known:.1f} %; colours {100 * trained[-1]:.0f} % of their variance "
        f"(untrained model {100 * untrained[-1]:.0f} %); a needle's place "
        f"{100 * min(places):.0f} to {100 * max(places):.0f} % (guessing 1.6 %)"
    )


def layers_figures():
    known = journey()["probes"]["class_token"]["mean"]
    assert all(one < other for one, other in itertools.pairwise(known))
    place = cifar10("class_token_place")
    late, base = place["only in the last block"], place["class token"]
    assert apart(late, base) >= 0
    return (
        f"class known after block 0 to 6: {', '.join(f'{100 * k:.0f}' for k in known)} %; "
        f"joining before the last block: {percent(late)}, from the first: {percent(base)}"
    )


def last_layer_figures():
    probes = journey()["probes"]
    known, mean = (probes[kind]["mean"][-1] for kind in ("class_token", "patch_mean"))
    assert known - mean > 2 * probes["class_token"]["width"][-1]
    return (
        f"class known from it {100 * known:.1f} %, from the mean of the patches {100 * mean:.1f} %"
    )


def attention_figures():
    (needles,) = records("needle10")
    hits = [hit for run in needles["runs"] for hit in run["trained"]["pointing"].values()]
    assert (
        max(hit for run in needles["runs"] for hit in run["untrained"]["pointing"].values()) < 0.3
    )
    assert all(run["trained"]["accuracy_without"][1] > 0.99 for run in needles["runs"])
    deletions = journey()["deletions"]
    at = deletions["counts"].index(16)
    names = "attention of the last layer", "gradients"
    attention, gradients = (100 * deletions[name]["highest"]["mean"][at] for name in names)
    random = 100 * deletions["gradients"]["random"]["mean"][at]
    assert gradients < attention - 4 < random - 8
    return (
        f"needle highest in {100 * min(hits):.0f} to {100 * max(hits):.0f} %; right with 16 of 64 "
        f"patches made noise: at random {random:.1f} %, those of highest attention {attention:.1f} %, by gradients {gradients:.1f} %"
    )


def single_figures():
    single = cifar10("single_patches")
    mean, alone = single["mean of patches"], single["mean of patches, no attention"]
    assert apart(mean, alone) == 1 and apart(single["class token"], alone) == 1
    return (
        f"mean of patches {percent(mean)}; if no patch sees another {percent(alone)}; "
        f"class token {percent(single['class token'])}"
    )


def pooling_figures():
    pooling = cifar10("pooling")
    names = "class token", "mean of patches", "attention pooling"
    assert all(apart(pooling[name], pooling["class token"]) == 1 for name in names[1:])
    return "; ".join(f"{name} {percent(pooling[name])}" for name in names)


def register_figures():
    pooling = cifar10("pooling")
    without, registers = pooling["class token"], pooling["class token, 4 registers"]
    assert not apart(without, registers)
    return f"without {percent(without)}, with four {percent(registers)}"


def kin_figures():
    causal = cifar10("causal_mask")
    both, first, last = causal.values()
    assert first.mean < 0.101 and apart(both, first) == 1 and not apart(both, last)
    return (
        f"all tokens see all {percent(both)}; under GPT's mask: class token first "
        f"{percent(first)}, last {percent(last)}"
    )


def far_figures():
    rows = {(row["model"], row["trained_on"]): row["accuracies"] for row in records("far_corners")}
    near, wide, muon, adamw = (
        rows[model, 4_000]
        for model in (
            "CNN that sees 15 pixels, AdamW", "CNN that sees 47 pixels, AdamW", "ViT, Muon",
            "ViT, AdamW",
        )
    )  # fmt: skip
    assert apart(wide, near) == apart(muon, near) == apart(muon, adamw) == 1
    assert min(wide + muon) > 0.99 and not apart(near, [0.5, 0.5, 0.5])
    return (
        f"4,000 images: CNN seeing 15 pixels {percent(near)}, 47 pixels {percent(wide)}; "
        f"ViT {percent(muon)} with Muon, {percent(adamw)} with AdamW"
    )


def images_figures():
    rows = {
        (row["model"][:3], row["trained_on"]): row["accuracies"]
        for row in records("training_images")
    }
    ahead = [
        statistics.mean(rows["CNN", count]) - statistics.mean(rows["ViT", count])
        for count in (1_000, 7_000, 45_000)
    ]
    assert (
        ahead == sorted(ahead, reverse=True)
        and apart(rows["CNN", 45_000], rows["ViT", 45_000]) == 1
    )
    quoted = "by {:.1f} points with 1,000 images, by {:.1f} with 7,000 and by {:.1f} with 45,000"
    assert quoted.format(*(100 * lead for lead in ahead)) in SOURCE
    parts = [
        f"{count:,} images: ViT {percent(rows['ViT', count])}, CNN {percent(rows['CNN', count])}"
        for count in (1_000, 7_000, 45_000)
    ]
    return "; ".join(parts)


def start_figures():
    starts = cifar10("class_token_init")
    assert apart(starts["N(0, 10)"], starts["N(0, 0.02)"]) == -1
    usual = [starts[name] for name in ("N(0, 0.02)", "zeros", "all 1", "N(0, 1)")]
    assert not any(apart(one, other) for one in usual for other in usual)
    low, high = min(of.mean for of in usual), max(of.mean for of in usual)
    return (
        f"zeros, ones, N(0, 0.02), N(0, 1): {100 * low:.1f} to {100 * high:.1f} %; "
        f"N(0, 10): {percent(starts['N(0, 10)'])}"
    )


def updated_figures():
    causal, untrained = cifar10("causal_mask"), cifar10("class_token_untrained")
    base = causal["all tokens see all"]
    frozen, zero = untrained["no position, frozen"], untrained["no position, frozen at zero"]
    alone, cut = causal["causal, class token first"], cifar10("class_token_cut")
    unseen = cut["unseen by the patches"]
    assert not any(apart(base, of) for of in (frozen, zero, unseen)) and apart(alone, base) == -1
    assert f"it ends at {100 * cut['detached before the head'].mean:.1f} %" in SOURCE
    return (
        f"as it should be {percent(base)}; without a position and never trained {percent(frozen)}, "
        f"always zero {percent(zero)}; unseen by the patches {percent(unseen)}; seeing only itself "
        f"{percent(alone)}"
    )


def position_figures():
    positions = cifar10("position_init")
    with_them, without = positions["N(0, 0.02)"], positions["zeros, frozen"]
    assert apart(with_them, without) == 1
    return f"with {percent(with_them)}, without {percent(without)}"


def warmup_figures():
    runs = cifar10("warmup_and_norm")
    cells = []
    for norm in ("pre-norm", "post-norm"):
        warm, cold = runs[f"{norm}, warm-up, Muon"], runs[f"{norm}, none, Muon"]
        assert not apart(warm, cold)
        cells.append(f"{norm} {percent(warm)} with, {percent(cold)} without")
    return "; ".join(cells)


def noise_figures():
    parts = {part["part"]: part["rows"] for part in records("patch_size")}

    def at(part, patch_size, noise):
        rows = [row for row in parts[part] if row["patch_size"] == patch_size]
        return [row["accuracies"][noise] for row in rows]

    clean, learned = "noise", "noise_learned"
    assert apart(at(clean, 4, "0"), at(clean, 8, "0")) == 1
    assert apart(at(clean, 4, "32"), at(clean, 8, "32")) == -1
    assert apart(at(learned, 4, "32"), at(learned, 8, "32")) == 1
    return (
        f"noise of 32 at test time: P = 4 from {100 * statistics.mean(at(clean, 4, '0')):.1f} to "
        f"{percent(at(clean, 4, '32'))}, P = 8 from {100 * statistics.mean(at(clean, 8, '0')):.1f} "
        f"to {percent(at(clean, 8, '32'))}; trained with it: {percent(at(learned, 4, '32'))} and "
        f"{percent(at(learned, 8, '32'))}"
    )


def detail_figures():
    parts = {part["part"]: part["rows"] for part in records("patch_size")}
    found = {
        (row["patch_size"], row["embed_dim"], row["image_size"], row["passes"], row["trained_on"]):
        [100 * accuracy for accuracy in row["accuracies"]] for row in parts["needles"]
    }  # fmt: skip
    four, eight = found[4, 64, 32, 3, 4_000], found[8, 64, 32, 3, 4_000]
    longer = sorted(found[8, 64, 32, 33, 4_000])
    seeds = ", ".join(f"{right:.0f}" for right in longer)
    assert min(four) > 99 and max(eight) < 15 and longer[1] > 95
    return (
        f"a needle of 4 × 4: P = 4 {statistics.mean(four):.0f} %, P = 8 "
        f"{statistics.mean(eight):.0f} %, and after 11 times the passes {seeds} % (three seeds)"
    )


FIGURES = {
    1: summary_figures, 2: layers_figures, 3: last_layer_figures, 4: attention_figures,
    5: single_figures, 6: pooling_figures, 7: register_figures, 8: kin_figures,
    9: far_figures, 10: images_figures, 11: start_figures, 12: updated_figures,
    13: position_figures, 14: warmup_figures, 15: noise_figures, 16: detail_figures,
}  # fmt: skip


@pytest.mark.parametrize("number", FIGURES)
def test_figures_of_the_table_are_those_on_record(number):
    _, figures, _, _ = table()[number]
    assert figures == FIGURES[number]()


def test_the_table_has_every_claim_with_a_verdict_a_section_and_a_record():
    text = SOURCE
    assert table().keys() == FIGURES.keys() and len(FIGURES) >= 12
    for number, (sentence, _, verdict, links) in table().items():
        assert verdict in ("holds", "holds in part", "does not hold")
        title, section = re.search(
            rf"^# ### {number}\. \"(.+?)\"\n(.*?)(?=^# ##|\Z)", text, re.MULTILINE | re.DOTALL
        ).groups()
        assert title == sentence
        assert f"**{verdict.capitalize()}" in section and "*Limits:*" in section
        paths = re.findall(r"\]\(\.\./(data/results/\w+\.json)\)", links)
        assert paths and all((ROOT / path).exists() for path in paths)


def test_the_sections_quote_no_figure_that_is_not_on_record():
    text = SOURCE
    prose = " ".join(re.findall(r"^#(?! \| \d)(.*)$", text, re.MULTILINE))
    prose = re.sub(r"\(https?://\S+\)|0\.0\d*|Appendix D\.3|Section 4\.3", "", prose)
    figures = " ".join(cells[1] for cells in table().values())
    known = set(re.findall(r"\d+\.\d+", figures)) | {"1.6"}  # 1 of 64

    def add(*shares):
        known.update(f"{abs(100 * share):.1f}" for share in shares)

    walk, deletions = journey(), journey()["deletions"]
    add(walk["probes"]["class_token"]["mean"][0], walk["accuracy"]["mean"])
    lost = walk["knock_outs"]["loss, one layer"]["mean"]
    add(max(lost[:3]), *lost[3:])
    add(deletions["rollout"]["highest"]["mean"][deletions["counts"].index(16)])
    for name, settings in {
        "pooling": ("mean of patches", "attention pooling"),
        "position_init": ("zeros, frozen",),
        "class_token_init": ("N(0, 10)",),
        "patch_size": ("P = 8", "P = 16"),
        "patch_size_longer": ("P = 8, 4 × the passes", "P = 16, 12 × the passes"),
    }.items():
        for setting in settings:
            of = cifar10(name)[setting]
            add(of.difference, of.difference_width)
    add(cifar10("class_token_cut")["detached before the head"].mean)
    untrained = cifar10("position_untrained")
    add(untrained["N(0, 0.3), frozen"].mean, untrained["sines and cosines"].mean)
    rows = {(row["model"][:3], row["trained_on"]): row for row in records("training_images")}
    for count in (1_000, 7_000, 45_000):
        cnn, vit = (statistics.mean(rows[kind, count]["accuracies"]) for kind in ("CNN", "ViT"))
        add(cnn - vit)
    assert set(re.findall(r"\d+\.\d+", prose)) <= known
