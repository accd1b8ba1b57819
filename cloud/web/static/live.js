// Keeps the page up to date: the server says that something changed, the page is fetched again and its content put in
// place. One renderer, on the server.
"use strict";

const light = document.getElementById("live");
const say = document.getElementById("say");
let waiting = 0;
let running = false;

function show(state, text) {
  if (light.dataset.state === state) return;
  light.dataset.state = state;
  light.firstElementChild.textContent = text;
}

function keys(root) {
  return new Set([...root.querySelectorAll("[data-key]")].map((row) => row.dataset.key));
}

async function refresh() {
  if (running) { waiting = 1; return; }
  running = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = document.getElementById("content");
    const before = keys(main);
    const focused = main.contains(document.activeElement) ? document.activeElement.id : "";
    main.replaceChildren(...fresh.getElementById("content").childNodes);
    document.title = fresh.title;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const added = [...main.querySelectorAll("[data-key]")].filter((row) => !before.has(row.dataset.key));
    added.forEach((row) => row.classList.add("new"));
    if (added.length) say.textContent = "New sale: " + added[0].textContent.replace(/\s+/g, " ").trim();
  } finally {
    running = false;
    if (waiting) { waiting = 0; setTimeout(refresh, 250); }
  }
}

function connect() {
  const source = new EventSource("/events");
  source.addEventListener("hello", () => { if (light.dataset.state === "lost") refresh(); show("on", "Live"); });
  source.addEventListener("change", () => { refresh().catch(() => {}); });
  source.addEventListener("error", () => {
    show("lost", "Reconnecting");
    // A refusal (too many open pages) ends an EventSource for good; anything else it heals by itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000 + Math.random() * 2000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

connect();
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
// Ages ("3 min ago") go on while nothing happens.
setInterval(() => { if (light.dataset.state === "on" && !document.hidden) refresh().catch(() => {}); }, 30000);
