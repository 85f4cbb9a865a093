/* Compare scrolls inside the page, where no browser remembers it: where the grid was is kept for each address, and taken
   up again on Back and Forward. Whoever scrolls first wins. */
(() => {
  const MOST = 50, PATIENCE = 5000; // addresses; ms until the grid must be there
  const kept = () => JSON.parse(sessionStorage.getItem("distcari-scroll") || "{}");
  let watching = null;

  function stop() {
    watching?.disconnect();
    watching = null;
  }

  function restore() {
    stop();
    const at = kept()[location.search], before = document.querySelector(".stage"), until = performance.now() + PATIENCE;
    if (!at) return;
    const attempt = () => {
      const stage = document.querySelector(".stage");
      if (performance.now() > until) return stop();
      if (!stage || stage === before || !stage.querySelector(".tile")) return;
      stage.scrollTo({ left: at[0], top: at[1], behavior: "instant" });
      if (Math.abs(stage.scrollTop - at[1]) < 2 && Math.abs(stage.scrollLeft - at[0]) < 2) stop();
    };
    watching = new MutationObserver(attempt);
    watching.observe(document.documentElement, { subtree: true, childList: true });
    attempt();
  }

  document.addEventListener("scroll", ({ target }) => {
    if (watching || !target.classList?.contains("stage")) return;
    const all = Object.entries(kept()).filter(([search]) => search !== location.search).slice(1 - MOST);
    const now = [...all, [location.search, [target.scrollLeft, target.scrollTop]]];
    sessionStorage.setItem("distcari-scroll", JSON.stringify(Object.fromEntries(now)));
  }, { capture: true, passive: true });
  for (const name of ["wheel", "pointerdown", "keydown"]) addEventListener(name, stop, { capture: true, passive: true });
  addEventListener("popstate", restore);
  if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") restore();
})();
