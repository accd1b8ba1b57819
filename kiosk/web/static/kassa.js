// The page: paints the frames that the lane pushes, and hands the customer's wishes in. It decides nothing.
"use strict";

const SILENCE_MS = 3500; // the lane is heard from every 1.5 s; two beats missed are a lost connection
const RETRY_MS = 700;
const DISPLACED_MS = 5000;
const TOUCH_EVERY_MS = 2000;
const OWN = new Set(["hidden", "aria-pressed", "aria-expanded", "data-muted"]); // what the page, not the lane, knows

const page = document.documentElement;
const frame = () => document.getElementById("kassa");
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Painting

let shown = face();
let before = null; // id of what had the focus when a prompt opened
const counts = new Map();

function face() {
  const { screen, prompt, pulse } = frame().dataset;
  return { screen, prompt, pulse };
}

function paint(html) {
  const incoming = document.createElement("template");
  incoming.innerHTML = html;
  const next = incoming.content.firstElementChild;
  if (next.dataset.build !== document.body.dataset.build) return location.reload();
  const held = document.activeElement?.id;
  Idiomorph.morph(frame(), next, {
    morphStyle: "outerHTML",
    restoreFocus: true,
    callbacks: {
      beforeAttributeUpdated: (name, node) => !(OWN.has(name) && ("own" in node.dataset || "sound" in node.dataset || "open" in node.dataset)),
    },
  });
  const was = shown;
  shown = face();
  page.lang = frame().lang;
  page.dataset.contrast = frame().dataset.contrast;
  settle(was, held);
  count();
  announce(was);
  painted(frame().dataset.revision);
}

function painted(revision) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // its message comes after the frame was drawn
    channel.port1.onmessage = () => (page.dataset.revision = revision);
    channel.port2.postMessage(0);
  });
}

// Where the focus goes: into a prompt when it opens, back when it closes, never nowhere.
function settle(was, held) {
  if (shown.prompt && shown.prompt !== was.prompt) {
    if (!was.prompt) before = held;
    toggle("languages", false);
    document.getElementById("prompt-primary")?.focus();
  } else if (!shown.prompt && was.prompt) {
    focus(before);
  } else if (shown.screen !== was.screen) {
    toggle("languages", false);
    focus("");
  } else if (held && document.activeElement === document.body) {
    focus("");
  }
  if (shown.screen !== was.screen && shown.screen === "attract") mute(false);
}

function focus(id) {
  const wanted = id && document.getElementById(id);
  (wanted && !wanted.disabled ? wanted : document.getElementById("stage")).focus({ preventScroll: true });
}

function announce(was) {
  if (shown.pulse !== was.pulse) {
    Tones.play("accept");
    document.getElementById("basket")?.scrollTo(0, 0);
    arrive(document.querySelector(".row.newest"));
  } else if (shown.prompt && shown.prompt !== was.prompt) {
    Tones.play("attention");
  } else if (shown.screen === "receipt" && was.screen !== "receipt") {
    Tones.play("done");
  }
}

function arrive(row) {
  if (!row || still.matches) return;
  row.animate([{ transform: "translateY(-24px)", opacity: 0.3 }, { transform: "none", opacity: 1 }], { duration: 180, easing: "cubic-bezier(.2,.8,.2,1)" });
}

// Countdowns: the lane says how long, the page shows how long still. It is the lane that acts at the end.
function count() {
  const present = new Set();
  for (const node of document.querySelectorAll("[data-count]")) {
    const { key, count: seconds } = node.dataset;
    present.add(key);
    if (!counts.has(key)) counts.set(key, performance.now());
    const left_s = Math.max(0, seconds - (performance.now() - counts.get(key)) / 1000);
    node.querySelector("b").textContent = Math.ceil(left_s);
    node.querySelector(".left").style.strokeDashoffset = 100 - (100 * left_s) / seconds;
  }
  for (const key of counts.keys()) if (!present.has(key)) counts.delete(key);
}

setInterval(count, 250);

// Listening

let source = null;
let heard_ms = performance.now();
let retry_ms = 0;

function connect() {
  source?.close();
  source = new EventSource("/events");
  retry_ms = performance.now() + SILENCE_MS;
  source.addEventListener("screen", (event) => {
    heard();
    paint(event.data);
  });
  source.addEventListener("beat", heard);
  source.addEventListener("displaced", () => wait(DISPLACED_MS));
  source.onerror = () => {
    wait(RETRY_MS);
    refused();
  };
}

// The till is there and yet refuses the stream: it was started anew with another token. The window knows the new one,
// and comes with it when the page loads again.
async function refused() {
  try {
    const there = await fetch("/healthz");
    const answer = there.ok && (await fetch("/events", { method: "HEAD" }));
    if (answer && answer.status === 403) location.reload();
  } catch {
    // Not there: the next attempt is due soon.
  }
}

function wait(for_ms) {
  source?.close();
  retry_ms = performance.now() + for_ms;
}

function heard() {
  heard_ms = performance.now();
  retry_ms = heard_ms + SILENCE_MS;
  lost(false);
}

function lost(is) {
  if (document.body.classList.contains("lost") === is) return;
  document.body.classList.toggle("lost", is);
  document.getElementById("lost").hidden = !is;
}

setInterval(() => {
  const now_ms = performance.now();
  if (now_ms - heard_ms > SILENCE_MS) lost(true);
  if (now_ms > retry_ms) connect();
}, 250);

// Wishes

function wish(name, argument) {
  return send({ wish: name, ...Object.fromEntries(new URLSearchParams(argument ?? "")) });
}

async function send(body) {
  try {
    await fetch("/wish", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    // The stream notices the loss, too, and says so; a wish is never repeated by itself.
  }
}

let first_tap = "";

addEventListener("click", (event) => {
  if (document.body.classList.contains("lost")) return;
  const face_now = `${shown.screen}/${shown.prompt}`;
  if (event.detail < 2) first_tap = face_now;
  else if (first_tap !== face_now) return; // the second half of a double tap, meant for the screen before
  const button = event.target.closest("button");
  if (!button) return atLarge(event.target);
  if (button.dataset.open) toggle(button.dataset.open, true);
  if (button.dataset.close) toggle(button.dataset.close, false);
  if ("sound" in button.dataset) mute(!Tones.muted);
  if (button.dataset.wish) wish(button.dataset.wish, button.dataset.arg);
});

// On the attract screen a touch anywhere is a start.
function atLarge(target) {
  if (target.id === "languages") toggle("languages", false);
  else if (shown.screen === "attract" && !shown.prompt && target.closest("#stage, #top")) wish("start");
}

let touched_ms = -Infinity;

function alive() {
  if (shown.screen === "attract" || shown.prompt === "still_there" || performance.now() - touched_ms < TOUCH_EVERY_MS) return;
  touched_ms = performance.now();
  wish("touch");
}

addEventListener("pointerdown", () => {
  page.dataset.input = "touch";
  alive();
});

addEventListener("keydown", (event) => {
  page.dataset.input = "keys";
  alive();
  if (event.key === "Escape") escape();
  if (event.key === "Tab") hold(event);
});

function escape() {
  if (!document.getElementById("languages").hidden) return toggle("languages", false);
  const prompt = document.getElementById("prompt");
  if (prompt) wish(prompt.dataset.escape);
}

// Tab stays inside the language sheet while it is open.
function hold(event) {
  const sheet = document.getElementById("languages");
  if (sheet.hidden) return;
  const stops = [...sheet.querySelectorAll("button")];
  const at = stops.indexOf(document.activeElement);
  event.preventDefault();
  stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length].focus();
}

function toggle(id, open) {
  const sheet = document.getElementById(id);
  if (sheet.hidden === !open) return;
  sheet.hidden = !open;
  const opener = document.querySelector(`[data-open="${id}"]`);
  opener.setAttribute("aria-expanded", String(open));
  if (open) (sheet.querySelector("[aria-current]") || sheet.querySelector("button")).focus();
  else opener.focus();
}

function mute(is) {
  Tones.muted = is;
  const button = document.querySelector("[data-sound]");
  button?.setAttribute("aria-pressed", String(!is));
}

addEventListener("contextmenu", (event) => event.preventDefault());
addEventListener("dragstart", (event) => event.preventDefault());

page.dataset.contrast = frame().dataset.contrast;
count();
connect();
painted(frame().dataset.revision);
