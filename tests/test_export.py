"""Models leave Python: every exporter gives a model for any batch size, with the same logits."""

import ast
import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vit_minimal import VisionTransformer, ViTConfig, load_image
from vit_minimal.inspection import look_into
from vit_minimal.training import predict
from vit_minimal.variants import VARIANTS, ConvNet

ROOT = Path(__file__).resolve().parents[1]

SMALL = {"embed_dim": 24, "depth": 2, "num_heads": 3, "mlp_ratio": 2.0, "num_classes": 5}
CONFIGS = {
    "class": ViTConfig(**SMALL),
    "mean, non-square": ViTConfig(image_size=(24, 32), patch_size=8, pool="mean", **SMALL),
    "registers, grey": ViTConfig(image_size=16, in_channels=1, num_registers=2, **SMALL),
    "attention pooling": ViTConfig(patch_size=8, pool="attention", pos_embed="sinusoidal", **SMALL),
    "post-norm": ViTConfig(patch_size=16, norm_first=False, drop_path_rate=0.2, **SMALL),
}
SIZES = (1, 2, 7)


def make(name):
    """A model in evaluation mode whose weights are large enough that no error hides."""
    torch.manual_seed(0)
    model = VisionTransformer(CONFIGS[name]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def batches(model):
    shape = model.patch_embed.image_shape
    return [torch.randn(B, *shape, generator=torch.Generator().manual_seed(B)) for B in SIZES]


def agree(model, exported):
    """The exported model's logits are those of the model, whatever the batch size."""
    for images in batches(model):
        with torch.no_grad():
            expected = model(images)
        found = torch.as_tensor(exported(images))
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_torch_export_takes_any_batch(name):
    model = make(name)
    dynamic = {"images": {0: torch.export.Dim("batch")}}
    example = (batches(model)[1],)
    agree(model, torch.export.export(model, example, dynamic_shapes=dynamic).module())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_trace_takes_any_batch(name):
    model = make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # of the check of the shape
        warnings.simplefilter("ignore", FutureWarning)  # tracing is on its way out, and in use
        traced = torch.jit.trace(model, batches(model)[0])
    agree(model, traced)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "dynamo"])
@pytest.mark.filterwarnings("ignore")  # the exporters warn of their own future
def test_onnx_takes_any_batch(name, dynamo):
    if dynamo and name not in ("class", "mean, non-square", "registers, grey"):
        pytest.skip("seconds each: three are enough")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = make(name)
    file = io.BytesIO()
    if dynamo:
        how = {"dynamic_shapes": {"images": {0: torch.export.Dim("batch")}}}
    else:
        how = {"dynamic_axes": {"images": {0: "batch"}, "logits": {0: "batch"}}}
    names = {"input_names": ["images"], "output_names": ["logits"]}
    torch.onnx.export(model, (batches(model)[1],), file, dynamo=dynamo, **names, **how)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == list(model.patch_embed.image_shape)
    agree(model, lambda images: session.run(None, {"images": images.numpy()})[0])


@pytest.mark.parametrize("name", CONFIGS)
def test_fx_draws_the_whole_graph(name):
    model = make(name)
    agree(model, torch.fx.symbolic_trace(model))


@pytest.mark.parametrize("name", ["class", "registers, grey", "post-norm"])
def test_torchvision_extracts_the_features_of_each_block(name):
    from torchvision.models.feature_extraction import create_feature_extractor

    model = make(name)
    nodes = {f"blocks.{i}": f"block {i + 1}" for i in range(model.config.depth)}
    extractor = create_feature_extractor(model, {**nodes, "head": "logits"})
    for images in batches(model):
        with torch.no_grad():
            logits, found = model(images), extractor(images)
        torch.testing.assert_close(found["logits"], logits)
        tokens, _ = next(look_into(model, images))
        for i in range(model.config.depth):
            torch.testing.assert_close(found[f"block {i + 1}"], tokens[i + 1])


def test_graphs_still_refuse_images_of_another_shape():
    # 16 × 64 pixels have as many patches as 32 × 32: nothing further down would notice
    model = make("class")
    images = torch.randn(2, 3, 16, 64)
    with pytest.raises(ValueError, match="32"):
        torch.fx.symbolic_trace(model)(images)
    exported = torch.export.export(model, (batches(model)[1],))
    with pytest.raises(Exception, match="32"):
        exported.module()(images)


def test_graphs_choose_the_attention_when_they_run():
    # Drawn in float32, run in bfloat16: the formula then, and no error
    model = make("class")
    images = batches(model)[1]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        expected, found = model(images), torch.fx.symbolic_trace(model)(images)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", [*CONFIGS, *VARIANTS])
def test_every_module_that_holds_weights_is_called(name):
    """Hooks, adapters, pruning and quantisation see only modules that are called."""
    if name in CONFIGS:
        model = make(name)
    else:
        registers = 4 if name == "SeveralClassTokens" else 0
        model = VARIANTS[name](ViTConfig(num_registers=registers, **SMALL)).eval()
    called = set()
    holders = {
        module: path
        for path, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    }
    for module, path in holders.items():
        module.register_forward_hook(lambda *_, path=path: called.add(path))
    model(batches(model)[0])
    assert called == set(holders.values())


def test_every_module_of_the_convnet_is_called():
    model = ConvNet(ViTConfig(**SMALL), width=8).eval()
    called = set()
    for path, module in model.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            module.register_forward_hook(lambda *_, path=path: called.add(path))
    model(torch.randn(2, 3, 32, 32))
    assert called == {path for path, m in model.named_modules() if list(m.parameters(False))}


class LowRank(nn.Module):
    """An adapter (LoRA) beside any layer: its own output and a small one that is trained."""

    def __init__(self, layer, added):
        super().__init__()
        self.layer, self.added = layer, added

    def forward(self, x):
        return self.layer(x) + self.added(x)


@pytest.mark.parametrize(
    "path", ["patch_embed.proj", "blocks.0.attn.qkv", "blocks.1.attn.proj", "blocks.1.mlp.fc2"]
)
def test_an_adapter_beside_any_layer_changes_the_logits(path):
    import copy

    model = make("class")
    images = batches(model)[1]
    before = model(images)
    parent, _, name = path.rpartition(".")
    layer = model.get_submodule(path)
    adapter = LowRank(layer, copy.deepcopy(layer))
    setattr(model.get_submodule(parent), name, adapter)
    assert not torch.allclose(model(images), before, atol=1e-3)
    with torch.no_grad():
        for parameter in adapter.added.parameters():
            parameter.zero_()
    torch.testing.assert_close(model(images), before)


def notebook_17():
    """What the cells of notebook 17 define: {name: value} of its script and its FromPixels."""
    source = ROOT / "notebooks" / "source" / "17_beyond_fit.py"
    tree, found = ast.parse(source.read_text(encoding="utf-8")), {"nn": nn}
    for node in tree.body:
        names = [getattr(target, "id", "") for target in getattr(node, "targets", ())]
        if getattr(node, "name", "") == "FromPixels" or "SCRIPT" in names:
            exec(compile(ast.Module([node], []), str(source), "exec"), found)  # noqa: S102
    return found


def photographs(folder):
    """Pictures of several kinds of file: turned by EXIF, grey, transparent, of a palette."""
    random = np.random.RandomState(0)
    blocks = random.randint(0, 256, (5, 7, 4)).astype(np.uint8).repeat(12, 0).repeat(12, 1)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture = Image.fromarray(blocks[..., :3])
    picture.save(folder / "turned.jpg", exif=turned)
    picture.convert("L").save(folder / "grey.png")
    picture.convert("P").save(folder / "palette.gif")
    Image.fromarray(blocks).save(folder / "transparent.png")
    return sorted(folder.glob("*.*"))


@pytest.mark.filterwarnings("ignore")  # the exporters warn of their own future
def test_the_script_of_notebook_17_answers_as_the_model_does(tmp_path):
    pytest.importorskip("onnxruntime")
    found, names = notebook_17(), ["ant", "bee", "it's a cat", "dog", "emu"]
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(**SMALL)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    example, how = (torch.zeros(2, 3, 32, 32),), {"pixels": {0: torch.export.Dim("batch")}}
    ends = {"input_names": ["pixels"], "output_names": ["probabilities"]}
    place = tmp_path / "classifier.onnx"
    exported = found["FromPixels"](model).eval()
    torch.onnx.export(exported, example, place, dynamo=True, dynamic_shapes=how, **ends)
    program = found["SCRIPT"].replace("CLASS_NAMES", repr(names))
    (tmp_path / "classify.py").write_text(program, encoding="utf-8")
    photos = tmp_path / "photos"
    photos.mkdir()
    answers = set()
    for path in photographs(photos):
        words = [sys.executable, "classify.py", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
        chances = predict(model, load_image(path, 32)[None], precision=torch.float32).softmax(1)[0]
        name, chance = done.stdout.strip().rsplit(" ", 1)
        assert name == names[chances.argmax()]
        assert float(chance) == pytest.approx(chances.max().item(), abs=2e-4)
        answers.add(done.stdout)
    assert len(answers) == 4  # each picture has an answer of its own
    assert len(found["SCRIPT"].strip().splitlines()) <= 15
