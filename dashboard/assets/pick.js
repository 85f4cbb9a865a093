/* Picking two to four tiles for side by side. The picks are the URL's slots a to d; this marks them and changes them. */
(() => {
  const NAMES = ["a", "b", "c", "d"];
  const same = (x, y) => JSON.stringify(Object.entries(x).sort()) === JSON.stringify(Object.entries(y).sort());

  function slots(url) {
    const found = [];
    for (const name of NAMES) {
      const slot = {};
      for (const [key, value] of url) if (key.startsWith(name + ".")) slot[key.slice(2)] = value;
      if (!Object.keys(slot).length) break;
      found.push(slot);
    }
    return found;
  }

  function write(picks, view) {
    const url = new URLSearchParams(location.search);
    for (const key of [...url.keys()]) if (NAMES.includes(key[0]) && key[1] === ".") url.delete(key);
    picks.forEach((slot, i) => Object.entries(slot).forEach(([axis, label]) => url.set(`${NAMES[i]}.${axis}`, label)));
    if (view) url.set("view", view);
    return "?" + url.toString();
  }

  function pick(tile, place = null) {
    if (!tile?.dataset.at || !tile.classList.contains("pickable")) return;
    const at = JSON.parse(tile.dataset.at);
    const picks = slots(new URLSearchParams(location.search));
    const here = picks.findIndex((slot) => same(slot, at));
    if (here >= 0) picks.splice(here, 1);
    if (here < 0 || (place !== null && place !== here)) picks[Math.min(place ?? picks.length, picks.length, 3)] = at;
    window.dash_clientside.set_props("goto", { data: write(picks) });
  }

  function mark() {
    const picks = slots(new URLSearchParams(location.search));
    for (const tile of document.querySelectorAll(".tile")) {
      const i = picks.length && tile.dataset.at ? picks.findIndex((slot) => same(slot, JSON.parse(tile.dataset.at))) : -1;
      if (i < 0) delete tile.dataset.slot;
      else tile.dataset.slot = NAMES[i].toUpperCase();
    }
    const bar = document.getElementById("picks");
    if (!bar) return;
    bar.hidden = !picks.length;
    const names = picks.map((slot, i) => NAMES[i].toUpperCase()).join(" ");
    bar.innerHTML = `<span>${names} picked</span>`
      + (picks.length > 1 ? `<a data-go href="${write(picks, "side")}">Compare side by side</a>` : "<span>pick another</span>")
      + `<a data-go class="clear" href="${write([])}" aria-label="Clear picks">✕</a>`;
  }

  function inCorner(tile, event) { // where app.css draws the round mark
    const box = tile.getBoundingClientRect();
    return event.detail > 0 && box.right - event.clientX < 32 && event.clientY - box.top < 32;
  }

  document.addEventListener("click", (event) => {
    const tile = event.target.closest?.(".tile.pickable");
    if (!tile || !(event.shiftKey || inCorner(tile, event))) return;
    event.preventDefault();
    pick(tile);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (!/^[1-4]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    const tile = window.distcariTile() || event.target.closest(".tile");
    if (tile?.classList.contains("pickable")) pick(tile, Number(event.key) - 1);
  });
  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pick: { mark: () => { setTimeout(mark, 0); return window.dash_clientside.no_update; } },
  });
})();
