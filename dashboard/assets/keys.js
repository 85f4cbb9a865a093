/* Keys: a key clicks the element that names it in data-key; in a grid, arrows move the focus. Not while somebody types. */
(() => {
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  function move(key, from) {
    const lines = [...document.querySelectorAll(".facets .line")].map((l) => [...l.querySelectorAll(".tile")]).filter((l) => l.length);
    if (!lines.length) return false;
    const row = lines.findIndex((line) => line.includes(from));
    const [down, right] = STEPS[key];
    const next = row < 0 ? lines[0][0] : lines[row + down]?.[lines[row].indexOf(from) + right];
    const target = next?.querySelector("a") || next;
    if (!target) return row >= 0;
    if (target === next) next.tabIndex = -1;
    target.focus({ focusVisible: true });
    target.scrollIntoView({ block: "nearest", inline: "nearest" });
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (at.closest?.("input, textarea, select, [contenteditable=true], [role=dialog], [role=listbox], .ag-root")) return;
    const tile = at.closest?.(".tile");
    if (tile && event.key === "Escape") at.blur();
    const wanted = [...document.querySelectorAll("[data-key]")].find((e) => e.dataset.key.split(" ").includes(event.key));
    const handled = event.key in STEPS && (tile || !wanted) ? move(event.key, tile) : Boolean(wanted) && (wanted.click(), true);
    if (handled) event.preventDefault();
  });
})();
