// Every page works without this file. It follows the system's colours, applies filters at once, offers to copy, and
// refreshes what is still changing while the page is visible.
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

// Arrow keys change a select with every press, so a choice by keyboard waits for the form's button.
let byKeyboard = false;
document.addEventListener("keydown", () => { byKeyboard = true; }, true);
document.addEventListener("pointerdown", () => { byKeyboard = false; }, true);
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-submit]")) return;
  const form = event.target.form;
  if (byKeyboard) form.querySelectorAll(".without-script").forEach((button) => button.classList.remove("without-script"));
  else form.requestSubmit();
});

// The next page begins where this one was left; until it arrives, this one is shown as busy.
const showBusy = (isBusy) => document.getElementById("main")?.setAttribute("aria-busy", isBusy);
document.addEventListener("submit", () => {
  sessionStorage.setItem("focus", document.activeElement?.id ?? "");
  showBusy(true);
});
addEventListener("pageshow", () => showBusy(false));
const restoreFocus = () => {
  const id = sessionStorage.getItem("focus");
  sessionStorage.removeItem("focus");
  if (id) document.getElementById(id)?.focus({ preventScroll: true });
};

const copy = async (button, source) => {
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch { // Browsers allow it on https and on this machine only.
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
};
const offerCopies = (part) => part.querySelectorAll("[data-copy]").forEach((source) => {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "btn btn-sm btn-link copy", textContent: "Copy" });
  button.setAttribute("aria-label", `Copy ${source.dataset.copy}`);
  button.addEventListener("click", () => copy(button, source));
  source.after(button);
});

const fillTimeZones = () => {
  const list = document.getElementById("time-zones");
  const names = list ? Intl.supportedValuesOf("timeZone") : [];
  list?.replaceChildren(...names.map((name) => new Option(name, name)));
};

const live = { updated: Date.now(), isPaused: false, isOffline: false };
const isRead = (part) => part.contains(document.activeElement)
  || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));
const showState = () => {
  const part = document.querySelector("[data-refresh]");
  const age = Math.round((Date.now() - live.updated) / 1000);
  let text = `Updated ${age} s ago`;
  if (live.isOffline) text = `Offline: the server has not answered for ${age} s`;
  else if (live.isPaused) text = "Paused";
  else if (part && isRead(part)) text = "Paused while you read the list";
  document.querySelectorAll(".live").forEach((mark) => { mark.hidden = !part; });
  document.querySelectorAll(".live-state").forEach((mark) => { mark.textContent = text; });
};
const refresh = async () => {
  const part = document.querySelector("[data-refresh]");
  if (!part || document.hidden || live.isPaused || isRead(part)) return;
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(response.status);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById(part.id);
  if (isRead(part)) return;
  if (!fresh) return location.reload(); // The first call turns the first page into the list of calls.
  part.querySelectorAll("details[open][id]").forEach((one) => fresh.querySelector(`#${CSS.escape(one.id)}`)?.setAttribute("open", ""));
  part.replaceWith(fresh);
  offerCopies(fresh);
  Object.assign(live, { updated: Date.now(), isOffline: false });
};

document.addEventListener("DOMContentLoaded", () => {
  restoreFocus();
  offerCopies(document);
  fillTimeZones();
  showState();
  document.querySelectorAll(".live-pause").forEach((button) => button.addEventListener("click", () => {
    live.isPaused = !live.isPaused;
    button.textContent = live.isPaused ? "Resume" : "Pause";
    showState();
  }));
  // A refresh that fails, because the server restarts or the network is down, is retried next time.
  setInterval(() => refresh().catch(() => { live.isOffline = true; }), REFRESH_MILLISECONDS);
  setInterval(showState, 1000);
});
