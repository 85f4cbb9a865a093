/* The URL's owner on the browser's side, and links that go to another state without a reload. */
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  shell: {
    go: (search) => (search ? search : window.dash_clientside.no_update),
    open: () => true,
  },
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const search = new URL(link.href).search || "?view=compare";
  if (search !== location.search) window.dash_clientside.set_props("goto", { data: search });
});
