/* Findings as they were when this was published: every figure at every layer as a table of effects, and in words. */
(() => {
  const { h, link, title } = distcari, MOST_TOLD = 12, REACH = 5; // standard deviations at which the colours end
  let counted = 0;

  async function draw(state, page) {
    const turn = ++counted, one = distcari.experiment(distcari.chosen(state)[0]);
    const all = one.answers ? await distcari.load(one.answers) : [];
    if (turn !== counted) return;
    const own = (name) => distcari.own(state, name), asked = ["kind", "a", "b", "over"].filter((name) => own(name));
    const known = all.find((answer) => asked.every((name) => answer.state[name] === own(name))), answer = known || all[0];
    page.replaceChildren(h("div", { class: "findings" }, h("h1", { class: "unseen" }, "Findings"),
      answer ? [h("div", { class: "tools" }, questions(state, all, answer)), !known && h("p", { class: "said" }, "The link's question was not among those answered when this was published; the dashboard answers it."),
        h("p", { class: "said" }, answer.said), squares(one, answer), words(one, answer)]
        : h("p", { class: "quiet" }, "No question was answered when this was published: it takes two models, and a site of the whole store.")));
  }

  function questions(state, all, answer) {
    const options = all.map((one, i) => [String(i), one.asked]), none = { kind: "", a: "", b: "", over: "", held: "", figures: "", figure: "" };
    return distcari.choice("question", "question", options, String(all.indexOf(answer)), { change: (i) => distcari.go(distcari.search(distcari.withOwn(state, { ...none, ...all[i].state }))) });
  }

  /* A square leads to what it is made of: the figure in Explore, at its place. */
  function to(one, answer, [at, figure]) {
    const extra = new Map([["explore.kind", "violin"], ["explore.x", answer.state.over || "model"], ["explore.y", figure], ...answer.axes.map((axis, i) => [`explore.in_${axis}`, at[i]])]);
    return { ...distcari.parse(""), view: "explore", experiments: [one.name], extra };
  }

  function squares(one, answer) {
    const places = [...new Set(answer.squares.map(([at]) => at.join(" · ")))], order = one.labels.layer || [];
    places.sort((a, b) => order.indexOf(a.split(" · ")[0]) - order.indexOf(b.split(" · ")[0]));
    const figures = distcari.site.figures.filter((figure) => answer.squares.some((square) => square[1] === figure)), found = new Map(answer.squares.map((square) => [`${square[0].join(" · ")}\n${square[1]}`, square]));
    const most = answer.said.includes("standard deviations") ? REACH : Math.max(1e-9, Math.min(1, ...[Math.max(...answer.squares.map((square) => Math.abs(square[2] ?? 0)))]));
    const cell = (figure, place) => {
      const square = found.get(`${place}\n${figure}`);
      if (!square || square[2] === null) return h("td", {}, "—");
      const share = Math.min(1, Math.abs(square[2]) / most), text = `${square[2] < 0 ? "−" : "+"}${Math.abs(square[2]).toFixed(2)}${square[3] ? " *" : ""}`;
      return h("td", { class: square[2] < 0 ? "falls" : "rises", style: { "--share": share.toFixed(3) } }, link(text, to(one, answer, square), { title: square[4] }));
    };
    return h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Effects: every figure at every layer" }, h("table", { class: "groups squares" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "figure"), places.map((place) => h("th", { scope: "col" }, place || "all")))),
      h("tbody", {}, figures.map((figure) => h("tr", {}, h("th", { scope: "row", title: distcari.meaning(figure) }, title(figure)), places.map((place) => cell(figure, place)))))));
  }

  function words(one, answer) {
    const sure = answer.squares.filter((square) => square[3]), told = sure.length ? sure.slice(0, MOST_TOLD) : answer.squares.slice(0, 3);
    return [h("h2", {}, sure.length ? "The surest first" : "Nothing is significant; the largest"),
      h("ul", { class: "findings-list" }, told.map((square) => h("li", {}, link([h("b", {}, square[0].join(" · ")), ` ${square[4]}`], to(one, answer, square))))),
      h("h2", {}, "What may be concluded"), h("ul", {}, answer.notes.map((note) => h("li", {}, note)))];
  }

  distcari.views.findings = { title: "Findings", draw };
})();
