/* "Note it" opens the drawer for notes with the finding's sentence in it; what was already typed stays. */
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  findings: {
    note: (clicks) => {
      if (!clicks) return window.dash_clientside.no_update;
      const sentence = document.querySelector("[data-note]")?.dataset.note || "";
      const typed = document.querySelector("#note-text")?.value || "";
      if (sentence && !typed) window.dash_clientside.set_props("note-text", { value: sentence });
      return true;
    },
  },
});
