/* Keys: a key clicks the element that names it in data-key; nothing happens while somebody types. */
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (at.closest?.("input, textarea, select, [contenteditable=true], [role=dialog], [role=listbox], .ag-root")) return;
  const wanted = [...document.querySelectorAll("[data-key]")];
  const element = wanted.find((e) => e.dataset.key.split(" ").includes(event.key));
  if (!element || at.closest?.(".tile")) return;
  event.preventDefault();
  element.click();
});
