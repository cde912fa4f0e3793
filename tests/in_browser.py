"""What tests run in a browser: how a host shows HTML, and how well texts can be read."""

# How each host brings HTML that a cell has returned onto its page: `html` → shown
HOSTS = {
    "a static page": None,
    "JupyterLab": """box.innerHTML = html; document.body.append(box);
        for (const old of box.querySelectorAll('script')) {
            const script = document.createElement('script');
            script.textContent = old.textContent; old.replaceWith(script); }""",
    "VS Code": """box.innerHTML = html; document.body.append(box);
        for (const old of [...box.getElementsByTagName('script')]) {
            const script = document.createElement('script');
            script.text = old.innerText; box.append(script); script.remove(); }""",
    "Colab": """const frame = document.createElement('iframe'); frame.sandbox = 'allow-scripts';
        frame.style = 'width: 680px; height: 560px'; frame.srcdoc = html; document.body.append(frame);""",
    "GitHub": """box.innerHTML = html; box.querySelectorAll('script, style').forEach((e) => e.remove());
        document.body.append(box);""",
}

# Whether the laboratory has begun, and shows what the model answers to the last change
SETTLED = "typeof shown === 'object' && !busy && shown === state"

# Texts whose contrast with what lies behind them is below 4.5 : 1
PALE = """() => {
    const rgba = (color) => [...color.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
    const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
    const light = (color) => color.map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0.05);
    const ground = (element) => element
        ? over(rgba(getComputedStyle(element).backgroundColor), ground(element.parentElement))
        : [255, 255, 255];
    const contrast = (element) => {
        const behind = ground(element);
        const [dark, bright] = [over(rgba(getComputedStyle(element).color), behind), behind]
            .map(light).sort((a, b) => a - b);
        return bright / dark;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), pale = [];
    while (texts.nextNode()) {
        const [text, element] = [texts.currentNode.data.trim(), texts.currentNode.parentElement];
        const seen = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
        if (text && seen && contrast(element) < 4.5) pale.push(text);
    }
    return pale;
}"""
