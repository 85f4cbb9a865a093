/* Draws what a tile holds from its data attributes (see components.tile): React keeps the tiles, this keeps their insides. */
(() => {
  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  }

  function done(tile, { src, alt, href, label }) {
    let link = tile.querySelector(":scope > a");
    if (!link) {
      link = element("a");
      link.dataset.go = "";
      link.append(Object.assign(element("img"), { loading: "lazy", decoding: "async" }));
      tile.replaceChildren(link);
    }
    link.setAttribute("href", href);
    const image = link.firstChild;
    image.alt = alt;
    if (image.getAttribute("src") !== src) image.src = src;
    const figure = tile.querySelector(".figure") || (label && tile.appendChild(element("span", "figure")));
    if (figure) label ? (figure.textContent = label) : figure.remove();
  }

  function empty(tile, { status, reason }) {
    const why = element("div", "why");
    why.title = reason;
    why.append(element("strong", "", status), element("span", "", reason));
    tile.replaceChildren(why);
  }

  const draw = (tile) => (tile.dataset.src ? done : empty)(tile, tile.dataset);
  const all = (node) => [...(node.matches?.(".tile") ? [node] : []), ...(node.querySelectorAll?.(".tile") || [])];

  new MutationObserver((changes) => {
    const tiles = new Set();
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") { if (target.classList.contains("tile")) tiles.add(target); }
      else for (const node of addedNodes) for (const tile of all(node)) tiles.add(tile);
    }
    for (const tile of tiles) if (tile.dataset.at) draw(tile);
  }).observe(document.documentElement, {
    subtree: true, childList: true,
    attributeFilter: ["data-src", "data-alt", "data-href", "data-label", "data-status", "data-reason"],
  });
})();
