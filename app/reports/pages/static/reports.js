// Every page works without this file. It follows the system's colours, applies filters at once and refreshes the
// newest dials while the page is visible.
"use strict";

const REFRESH_MILLISECONDS = 5000;
const root = document.documentElement;
root.classList.add("with-script");

const dark = matchMedia("(prefers-color-scheme: dark)");
const followSystem = () => {
  if (root.dataset.theme === "auto") root.dataset.bsTheme = dark.matches ? "dark" : "light";
};
dark.addEventListener("change", followSystem);
followSystem();

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

const showLive = (part) => part.querySelectorAll(".live-mark").forEach((mark) => { mark.hidden = false; });
const refresh = async (part) => {
  if (document.hidden || part.contains(document.activeElement)) return;
  const response = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" } });
  if (response.status === 401) location.reload();
  if (!response.ok) return;
  part.innerHTML = await response.text();
  showLive(part);
};

document.addEventListener("DOMContentLoaded", () => {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  showLive(part);
  // A refresh that fails, because the server restarts or the network is down, is retried next time.
  setInterval(() => refresh(part).catch(() => undefined), REFRESH_MILLISECONDS);
});
