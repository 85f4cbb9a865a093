/* One card for all tiles: what the picture under the pointer is, and its figures. */
(() => {
  let tile = null;
  const escape = (text) => { const p = document.createElement("p"); p.textContent = text; return p.innerHTML; };

  function fill(card) {
    const at = JSON.parse(tile.dataset.at);
    const { model, layer, image, experiment, ...rest } = at;
    const more = [...Object.entries(rest).map(([k, v]) => `${k} ${v}`), experiment].join(" · ");
    const figures = (tile.dataset.figures || "").split("|").filter(Boolean).map((f) => f.split("="));
    card.innerHTML = `<b>${escape(model)}</b> at <b>${escape(layer)}</b> seeing <b>${escape(image)}</b><p>${escape(more)}</p>`
      + `<dl>${figures.map(([k, v]) => `<dt>${escape(k)}</dt><dd>${escape(v)}</dd>`).join("")}</dl>`;
    if (!figures.length) card.insertAdjacentHTML("beforeend", `<p>${escape(tile.dataset.reason || "")}</p>`);
  }

  function place(card) {
    const box = tile.getBoundingClientRect(), w = card.offsetWidth, h = card.offsetHeight;
    const left = box.right + 8 + w < innerWidth ? box.right + 8 : Math.max(4, box.left - w - 8);
    card.style.left = `${left}px`;
    card.style.top = `${Math.max(50, Math.min(box.top, innerHeight - h - 8))}px`;
  }

  function show(next) {
    const card = document.getElementById("card");
    if (!card || next === tile) return;
    tile = next;
    card.classList.toggle("open", Boolean(tile));
    if (tile) { fill(card); place(card); }
  }

  document.addEventListener("pointerover", (e) => { if (e.pointerType === "mouse") show(e.target.closest?.(".tile[data-at]")); });
  document.addEventListener("focusin", (e) => { if (e.target.matches(":focus-visible")) show(e.target.closest?.(".tile[data-at]")); });
  document.addEventListener("focusout", () => show(null));
  document.addEventListener("scroll", () => show(null), true);
  document.addEventListener("pointerdown", () => show(null));
  window.distcariTile = () => tile; // the tile in hand: what the keys 1 to 4 mean
})();
