// Everything works without this file. With it the page follows the system's colours, filters apply at once, and the
// newest dials refresh by themselves while somebody looks.
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

const refresh = async (part) => {
  if (document.hidden || part.contains(document.activeElement)) return;
  const answer = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" } });
  if (answer.status === 401) location.reload();
  if (!answer.ok) return;
  part.innerHTML = await answer.text();
  showLive(part);
};
const showLive = (part) => part.querySelectorAll(".live-mark").forEach((mark) => { mark.hidden = false; });

document.addEventListener("DOMContentLoaded", () => {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  showLive(part);
  // A refresh that fails (the server restarts, the network is away) is simply tried again.
  setInterval(() => refresh(part).catch(() => undefined), REFRESH_MILLISECONDS);
});
