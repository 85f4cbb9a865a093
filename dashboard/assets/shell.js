/* The Table needs ag-grid, which no other view loads: the way there is a new page (page/scripts.py). */
const needsPage = (search) => new URLSearchParams(search).get("view") === "table" && !window.dash_ag_grid;
addEventListener("popstate", (event) => {
  if (!needsPage(location.search)) return;
  event.stopImmediatePropagation();
  location.reload();
}, true);

/* The URL's owner on the browser's side; controls that are parameters of the URL; links to another state, no reload. */
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  shell: {
    go: (search) => {
      if (!search) return window.dash_clientside.no_update;
      if (!needsPage(search)) return search;
      location.assign(search);
      return window.dash_clientside.no_update;
    },
    open: () => true,
    // What the page shows, a moment later: under "auto" Mantine's own value says light on a dark page.
    scheme: () => new Promise((told) => setTimeout(() => told(document.documentElement.getAttribute("data-mantine-color-scheme")), 0)),
    param: (values) => {
      const { no_update, callback_context: { triggered_id: id, triggered = [] } } = window.dash_clientside;
      if (!id || triggered.length !== 1) return no_update; // controls that have just appeared
      const value = triggered[0].value;
      const name = id.name.replace(":", ".");
      const url = new URLSearchParams(location.search);
      if (value === null || value === undefined || value === "") url.delete(name);
      else url.set(name, value);
      for (const page of ["row0", "col0"]) url.delete(`${url.get("view") || "compare"}.${page}`);
      document.activeElement?.closest(".choice")?.querySelector("input")?.blur(); // so that keys walk again
      return "?" + url.toString();
    },
  },
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const search = new URL(link.href).search || "?view=compare";
  if (search !== location.search) window.dash_clientside.set_props("goto", { data: search });
});

/* Light or dark, whoever changed it: the button, the key, another tab, the system. */
new MutationObserver(() => {
  const data = document.documentElement.getAttribute("data-mantine-color-scheme");
  if (document.querySelector("#page")) window.dash_clientside.set_props("scheme", { data });
}).observe(document.documentElement, { attributeFilter: ["data-mantine-color-scheme"] });

/* A hidden tab asks for nothing. */
document.addEventListener("visibilitychange", () => {
  window.dash_clientside.set_props("tick", { disabled: document.hidden });
});
