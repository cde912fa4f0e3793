"""The explorer: the right numbers in one piece of HTML, alive in every host that runs scripts."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from in_browser import HOSTS

from vit_minimal import VisionTransformer, ViTConfig, attention_maps, explore_attention

CONFIG = ViTConfig(image_size=(8, 12), patch_size=4, embed_dim=12, depth=2, num_heads=3)


def model_and_image(**settings):
    model = VisionTransformer(ViTConfig(**(vars(CONFIG) | settings)))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model, torch.randint(0, 256, model.patch_embed.image_shape, dtype=torch.uint8)


def data_in(explorer):
    return json.loads(re.search(r"} = (\{.*\});$", explorer.html, re.MULTILINE)[1])


@pytest.mark.parametrize(
    "settings", [{}, {"pool": "mean"}, {"num_registers": 2}, {"in_channels": 1, "num_heads": 1}]
)
def test_the_page_holds_the_weights(settings):
    model, image = model_and_image(**settings)
    maps = attention_maps(model, image[None])[:, 0]
    data = data_in(explore_attention(model, image))
    shares = np.frombuffer(base64.b64decode(data["weights"]), "<u2").reshape(maps.shape) / 65535
    np.testing.assert_allclose(shares, maps, atol=1e-5)
    assert (data["rows"], data["columns"], data["prefix"]) == (2, 3, model.num_prefix)
    assert data["hasClass"] == (settings.get("pool") != "mean")


def test_half_precision_does_not_overflow_the_weights():
    model, image = model_and_image(depth=1)
    torch.nn.init.constant_(model.blocks[0].attn.qkv.bias[:24], 0)
    with torch.no_grad():
        model.blocks[0].attn.qkv.weight[:24] *= 100  # so that some weights are 1
    data = data_in(explore_attention(model.half(), image))
    shares = np.frombuffer(base64.b64decode(data["weights"]), "<u2").reshape(3, 7, 7) / 65535
    assert shares.max() > 0.99
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=0.01)


@pytest.mark.parametrize("number", [np.int64, torch.tensor])
def test_block_and_head_may_be_numbers_of_numpy_and_torch(number):
    model, image = model_and_image()
    pages = [explore_attention(model, image, of(1), of(2)).html for of in (int, number)]
    assert pages[0] == pages[1]


def test_a_page_for_65_tokens_is_small_and_asks_for_nothing():
    model = VisionTransformer(ViTConfig(depth=6))
    noise = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)  # compresses worst
    html = explore_attention(model, noise)._repr_html_()
    assert len(html) < 300_000
    assert not re.search(r"https?:|//\w+\.\w|import\(|fetch\(|XMLHttp|@[A-Z]+@", html)


def test_equal_pages_are_equal_and_others_have_other_ids():
    model, image = model_and_image()
    one, same = (explore_attention(model, image).html for _ in range(2))
    other = explore_attention(model, 255 - image).html
    ids = [re.match(r'<div id="(vit-\w+)"', html)[1] for html in (one, other)]
    assert one == same and ids[0] != ids[1]


def test_saved_page_is_the_explorer(tmp_path):
    explorer = explore_attention(*model_and_image())
    explorer.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and explorer.html in page


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"block": 3}, "block 3: the model has blocks 1 … 2"),
        ({"block": 0}, "block 0: the model has blocks 1 … 2"),
        ({"head": 3}, "head 3: the model has heads 0 … 2"),
        ({"image": torch.zeros(1, 3, 8, 12)}, r"one image \(C, H, W\), .* got \(1, 3, 8, 12\)"),
        ({"image": torch.zeros(2, 8, 12)}, r"C = 1 or 3, got \(2, 8, 12\)"),
        ({"image": torch.zeros(3, 8, 8)}, r"\(3, 8, 12\), got \(3, 8, 8\)"),
    ],
)
def test_what_is_not_there_is_named(wrong, said):
    model, image = model_and_image()
    with pytest.raises(ValueError, match=said):
        explore_attention(model, **({"image": image} | wrong))


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def show(browser):
    """A function that shows HTML as a host does: the frame that holds it. Fails on any request."""
    pages, trouble = [], []

    def in_host(html, host="a static page", copies=1):
        page = browser.new_page(viewport={"width": 700, "height": 620})
        pages.append(page)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith("data:") else trouble.append(r.url))
        if HOSTS[host] is None:
            page.set_content(html * copies)
        else:
            page.set_content("<body></body>")
            code = f"(html) => {{ const box = document.createElement('div'); {HOSTS[host]} }}"
            page.evaluate(code, html)
        page.wait_for_timeout(200)
        return page.frames[-1]

    yield in_host
    for page in pages:
        page.close()
    assert trouble == []


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "GitHub"])
def test_hover_and_tab_change_the_picture_and_the_numbers(host, show):
    model, image = model_and_image(num_registers=1)
    maps = attention_maps(model, image[None])[:, 0]
    frame = show(explore_attention(model, image, block=2, head=2).html, host)
    frame.locator(".numbers").check()
    buttons, cells, said = (frame.locator(name) for name in ("button", ".cell", ".said"))

    def expect(block, head, token):
        weights = maps[block, :, token].mean(dim=0) if head is None else maps[block, head, token]
        which = "mean of all heads" if head is None else f"head {head}"
        numbers = [float(text) for text in cells.all_inner_texts()]
        assert numbers == pytest.approx((100 * weights).tolist(), abs=0.051)
        assert f"Block {block + 1}, {which}" in said.inner_text()
        brightest = cells.nth(weights.argmax().item())
        assert "rgb(253, 231, 37)" in brightest.get_attribute("style")  # the end of viridis
        assert buttons.nth(token).get_attribute("class") == "asking"

    expect(1, 2, 0)
    buttons.nth(4).hover()
    expect(1, 2, 4)
    assert "row 1, column 3 gives most to" in said.inner_text()
    buttons.nth(1).focus()
    frame.page.keyboard.press("Tab")
    expect(1, 2, 2)
    buttons.nth(7).hover()  # on the way to the sliders
    block, head = (frame.get_by_label(name, exact=True) for name in ("block", "head"))
    block.hover()
    expect(1, 2, 2)
    frame.page.keyboard.press("ArrowDown")  # from the first patch to the one below it
    expect(1, 2, 5)
    assert buttons.nth(5).get_attribute("aria-pressed") == "true"
    buttons.nth(0).focus()
    frame.page.keyboard.press("ArrowDown")  # from the class token to the first patch
    expect(1, 2, 2)
    frame.page.keyboard.press("ArrowUp")
    expect(1, 2, 0)
    buttons.nth(5).click()
    block.fill("1")
    expect(0, 2, 5)
    head.fill("0")
    expect(0, None, 5)
    assert block.get_attribute("aria-valuetext") == "1 of 2"
    head.fill("1")
    expect(0, 0, 5)
    assert not frame.locator(".still").is_visible()


def test_where_scripts_are_taken_away_a_picture_stays(show):
    frame = show(explore_attention(*model_and_image()).html, "GitHub")
    still = frame.locator("img")
    assert still.is_visible() and "class token looks" in still.get_attribute("alt")
    assert still.evaluate("(image) => image.naturalWidth") > 400
    assert frame.locator("body").inner_text().strip() == ""


def test_the_same_output_shown_twice_is_alive_twice(show):
    frame = show(explore_attention(*model_and_image()).html, copies=2)
    assert frame.locator(".said").count() == 2
    first, second = frame.locator(".said").all()
    before = second.inner_text()
    frame.locator("button").nth(3).hover()
    assert second.inner_text() == before != first.inner_text()
