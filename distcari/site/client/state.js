/* What the page shows, as a value, and its one home: the URL's query string, the same as the dashboard's
   (distcari/dashboard/data/state.py, of which this is a translation; a test holds the two together). */
(() => {
  const SLOTS = ["a", "b", "c", "d"], NAME = /^[A-Za-z_][A-Za-z0-9_]*$/, KEY = /^[0-9a-f]{32}$/, MOST = 16000;

  const views = () => distcari.site.views; // the dashboard's, whichever of them are here
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  function decoded(text) {
    return text.replaceAll("+", " ").replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) =>
      decoder.decode(Uint8Array.from(run.slice(1).split("%"), (hex) => parseInt(hex, 16))));
  }

  function pairsOf(search) {
    const whole = [...search.replace(/^\?/, "")].slice(0, MOST).join("").replace(/\p{Surrogate}/gu, "?");
    return whole.split("&").map((part) => [part, part.indexOf("=")]).filter(([part, at]) => at >= 0 && at + 1 < part.length)
      .map(([part, at]) => [decoded(part.slice(0, at)), decoded(part.slice(at + 1))]);
  }

  function under(prefix, given) {
    const found = new Map();
    for (const [name, value] of given) {
      const at = name.indexOf(".");
      if (at >= 0 && name.slice(0, at) === prefix && NAME.test(name.slice(at + 1))) found.set(name.slice(at + 1), value);
    }
    return found;
  }

  const axis = (text) => (text && NAME.test(text) ? text : "");
  function sort(text = "") {
    const name = text.replace(/^-/, "");
    return NAME.test(name) ? [name, text.startsWith("-")] : null;
  }

  distcari.parse = (search) => {
    const pairs = pairsOf(search), given = new Map(pairs), slots = [];
    for (const name of SLOTS) {
      const slot = under(name, given);
      if (!slot.size) break;
      slots.push(slot);
    }
    const ofView = ([name]) => views().includes(name.split(".", 1)[0]) && NAME.test(name.includes(".") ? name.slice(name.indexOf(".") + 1) : "");
    const state = {
      view: views().includes(given.get("view")) ? given.get("view") : "overview",
      experiments: [...new Set(pairs.filter(([name]) => name === "exp").map(([, value]) => value))],
      rows: axis(given.get("rows")), cols: axis(given.get("cols")), at: under("at", given),
      sort_rows: sort(given.get("sort_rows")), sort_cols: sort(given.get("sort_cols")),
      cell: KEY.test(given.get("cell") || "") ? given.get("cell") : "",
      slots, extra: new Map([...given].filter(ofView)),
    };
    const ofGrid = state.rows || state.cols || state.at.size || state.sort_rows || state.sort_cols
      || [...state.extra.keys()].some((name) => name.startsWith("compare."));
    if (ofGrid && !views().includes(given.get("view"))) state.view = "compare"; // links of old
    return state;
  };

  const quoted = (text) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "?"))
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const sortText = (by) => (by ? (by[1] ? "-" : "") + by[0] : "");

  distcari.search = (state) => {
    const pairs = [["view", state.view], ...state.experiments.map((name) => ["exp", name]), ["rows", state.rows], ["cols", state.cols]];
    for (const [name, label] of state.at) pairs.push([`at.${name}`, label]);
    pairs.push(["sort_rows", sortText(state.sort_rows)], ["sort_cols", sortText(state.sort_cols)], ["cell", state.cell]);
    state.slots.slice(0, 4).forEach((slot, i) => { for (const [name, label] of slot) pairs.push([`${SLOTS[i]}.${name}`, label]); });
    pairs.push(...state.extra);
    return "?" + pairs.filter(([, value]) => value).map(([name, value]) => `${quoted(name)}=${quoted(value)}`).join("&");
  };

  /* A copy with some fields changed; with parameters of its view changed, named without the prefix. */
  distcari.changed = (state, changes) => ({ ...state, ...changes });
  distcari.own = (state, name) => state.extra.get(`${state.view}.${name}`) || "";
  distcari.withOwn = (state, changes) => {
    const extra = new Map(state.extra);
    for (const [name, value] of Object.entries(changes)) value ? extra.set(`${state.view}.${name}`, value) : extra.delete(`${state.view}.${name}`);
    return { ...state, extra };
  };
  distcari.slotNames = SLOTS;
})();
