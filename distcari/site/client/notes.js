/* Notes: what somebody wrote of views, newest first, each a way to its view. */
(() => {
  const { h } = distcari;

  async function draw(state, page) {
    const notes = distcari.site.notes || [];
    page.replaceChildren(h("div", { class: "notes" }, h("h1", {}, "Notes"),
      notes.length ? notes.map((note) => h("article", {},
        h("div", { class: "note-head" }, h("a", { href: note.url, "data-go": true }, where(note.url)), h("small", {}, note.stamp)),
        h("p", { class: "note-text" }, note.text)))
        : h("p", { class: "quiet" }, "None were published with this site.")));
  }

  function where(url) { // a view in words
    const state = distcari.parse(url), view = distcari.views[state.view]?.title || state.view;
    const slots = state.slots.map((slot) => [slot.get("model"), slot.get("layer"), slot.get("image")].filter(Boolean).join(" · "));
    return [view, ...state.experiments, ...[...state.at].map(([axis, label]) => `${axis} ${label}`), slots.join(" | "), state.rows && `${state.rows} by ${state.cols}`].filter(Boolean).join(" · ");
  }

  distcari.views.notes = { title: "Notes", draw };
})();
