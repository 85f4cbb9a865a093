/* The frame: one address, one view. Links to another state, tabs, the choice of experiment, light or dark, keys. */
(() => {
  const { h, link } = distcari, ORDER = ["overview", "findings", "compare", "side", "explore", "cell", "notes"];
  const KEYS = [
    ["← →", "layer before, after; in a grid: the tile left, right"], ["↑ ↓", "image before, after; in a grid: the tile above, below"],
    ["m  M", "next model, model before"], [". ,  ] [", "next seed, seed before; the same of a setting that is swept"],
    ["1 2 3 4", "put the picture under the pointer into slot A, B, C, D; in Side by side: the slot that keys move"],
    ["Enter", "open the focused picture"], ["s w f d", "side by side, swipe, flicker, difference (in Side by side)"],
    ["Space", "flicker while it is held (in Side by side)"], ["x  g", "swap A and B; move all slots together (in Side by side)"],
    ["+ − 0 9", "zoom in, out, fit, one to one (in Side by side)"], ["t", "light or dark"], ["?", "this list"],
  ];
  const page = document.getElementById("page");
  let shown = "", place = page;

  distcari.go = (search) => {
    if (search === location.search) return;
    try { history.pushState(null, "", search); } catch { location.search = search; return; } // a browser that forbids it for files
    render();
  };

  async function render() {
    const state = distcari.parse(location.search), view = distcari.views[state.view], focused = document.activeElement?.getAttribute("name");
    document.getElementById("card").classList.remove("open");
    tabs(state);
    experiments(state);
    try {
      if (shown !== state.view) { // a place of its own: what an earlier view still loads lands beside the page
        place = h("div");
        page.replaceChildren(place);
        shown = state.view;
      }
      view ? await view.draw(state, place) : place.replaceChildren(elsewhere(state));
    } catch (error) {
      shown = "";
      page.replaceChildren(h("p", { class: "trouble" }, `This part of the site cannot be shown: ${error.message}. Was it copied as a whole?`));
      throw error;
    }
    if (focused && document.activeElement === document.body) document.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  function elsewhere(state) { // a link of the dashboard to what a site has not
    return h("section", { class: "trouble" }, h("h1", {}, "Not part of this site"),
      h("p", {}, `The dashboard's view “${state.view}” needs its server: distcari dashboard --store STORE.`), h("p", {}, link("Compare the pictures", { ...state, view: "compare" })));
  }

  function tabs(state) {
    const answered = Object.values(distcari.site.experiments).some((one) => one.answers);
    const links = ORDER.filter((name) => distcari.views[name] && (name !== "notes" || distcari.site.notes) && (name !== "findings" || answered))
      .map((name) => link(distcari.views[name].title, { ...state, view: name }, { class: "view-tab", "aria-current": name === state.view ? "page" : null }));
    const place = document.getElementById("tabs"), current = links.find((tab) => tab.getAttribute("aria-current"));
    place.replaceChildren(...links);
    if (current) place.scrollLeft = current.offsetLeft - place.offsetLeft + current.offsetWidth / 2 - place.clientWidth / 2; // on a phone they do not all fit
  }

  function experiments(state) { // one, or all of them
    const names = Object.keys(distcari.site.experiments), chosen = distcari.chosen(state), place = document.getElementById("experiments");
    if (names.length < 2) return;
    const to = (value) => distcari.go(distcari.search({ ...state, experiments: value === "*" ? names : [value], at: new Map([...state.at].filter(([axis]) => axis !== "experiment")) }));
    const options = [...names.map((name) => h("option", { value: name, selected: chosen.length === 1 && chosen[0] === name }, name)), h("option", { value: "*", selected: chosen.length > 1 }, chosen.length > 1 && chosen.length < names.length ? chosen.join(", ") : "all experiments")];
    place.replaceChildren(h("select", { name: "exp", "aria-label": "Experiment", onchange: (event) => to(event.target.value) }, options));
  }

  const dark = () => (document.documentElement.dataset.mantineColorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function scheme(name) { document.documentElement.dataset.mantineColorScheme = name; }
  document.getElementById("theme").addEventListener("click", () => {
    const name = dark() ? "light" : "dark";
    scheme(name);
    distcari.keep("mantine-color-scheme-value", name);
  });

  const help = document.getElementById("help");
  help.append(h("h2", {}, "Keys"), h("table", {}, h("tbody", {}, KEYS.map(([key, text]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, text))))),
    h("form", { method: "dialog" }, h("button", { class: "button" }, "Close")));
  document.getElementById("help-open").addEventListener("click", () => help.showModal());
  help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

  document.addEventListener("click", (event) => {
    const to = event.target.closest?.("a[data-go]");
    if (!to || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    distcari.go(new URL(to.getAttribute("href"), location.href).search || "?view=overview");
  });
  window.addEventListener("popstate", render);

  const kept = distcari.kept("mantine-color-scheme-value");
  if (kept === "dark" || kept === "light") scheme(kept);
  document.addEventListener("DOMContentLoaded", render); // the site's first value is the last script
})();
