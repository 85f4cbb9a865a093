/* Run: no looking while nobody looks. The page asks again at once when its tab comes back. */
document.addEventListener("visibilitychange", () => {
  if (document.getElementById("run-body")) window.dash_clientside.set_props("run-tick", { disabled: document.hidden });
});
