// The bench's page: shows the state it is sent, posts what the person does. No state of its own but the shelf's.
"use strict";

const $ = (id) => document.getElementById(id);

const ICONS = [
  [/bread|bak|roll|pastr/i, "bread"], [/milk|dairy|yog/i, "milk"], [/cheese/i, "cheese"], [/egg/i, "egg"],
  [/fruit|berr/i, "fruit"], [/veg|greens|produce|salad/i, "carrot"], [/meat|butch|delicat|cold cuts/i, "meat"],
  [/fish|sea/i, "fish"], [/frozen|ice/i, "frozen"], [/coffee|tea|hot/i, "cup"],
  [/drink|wine|beer|water|juice|soda|beverage|spirit|alcohol/i, "bottle"], [/sweet|candy|choc|snack|confect/i, "sweet"],
  [/can|tin|preserv|sauce/i, "can"], [/clean|house|hygiene|care|beauty|wash/i, "spray"],
  [/paper|magazine|book|card|bag/i, "paper"],
];
const EXAMPLES = [
  ["EAN-13", "5701234567899"], ["EAN-8", "96385074"], ["UPC-A", "012345678905"], ["Weighed goods", "2112345012345"],
  ["A link", "https://kassa.example/p/1"], ["Not a product", "HELLO WORLD"],
];

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text.charAt(0).toUpperCase() + text.slice(1);
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 5000);
}

async function post(path, body = {}) {
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (answer.ok) return true;
    toast((await answer.json()).error);
  } catch {
    toast("The bench does not answer. Is its process still running?");
  }
  return false;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// Shelf

const categories = [...document.querySelectorAll("#categories [data-category]")].map((chip) => chip.dataset.category);
let category = "";
let asked = 0;

async function scan(text, aim = null) {
  return post("/scanner/scan", aim === null ? { text } : { text, aim });
}

function tile(product) {
  const made = element("button", `tile hue-${Math.max(categories.indexOf(product.category) - 1, 0) % 10}`);
  const art = element("span", "art");
  const words = `${product.category} ${product.name}`;
  const found = ICONS.find(([pattern]) => pattern.test(product.category)) ?? ICONS.find(([pattern]) => pattern.test(words));
  art.append(icon(found ? found[1] : "box"));
  made.append(art, element("b", "", product.name), element("span", "price", product.price || product.code));
  made.title = `Scan ${product.code}`;
  made.addEventListener("click", async () => {
    if (!(await scan(product.code))) return;
    made.classList.add("scanned");
    setTimeout(() => made.classList.remove("scanned"), 500);
  });
  return made;
}

async function shelf() {
  const mine = ++asked;
  const query = new URLSearchParams({ q: $("search")?.value ?? "", category });
  const found = await (await fetch(`/shop?${query}`)).json();
  if (mine !== asked) return;
  $("tiles").replaceChildren(...found.products.map(tile));
  const more = found.total > found.products.length;
  $("count").textContent = found.total === 0 ? "Nothing on the shelf matches." : more
    ? `${found.products.length} of ${found.total.toLocaleString("en")} products. Search for the others.` : "";
}

function bareShelf() {
  const bare = element("div", "bare");
  const art = element("span", "art");
  art.append(icon("box"));
  const chips = element("div", "chips");
  for (const [name, text] of EXAMPLES) {
    const chip = element("button", "chip", name);
    chip.title = text;
    chip.addEventListener("click", () => scan(text));
    chips.append(chip);
  }
  bare.append(art, element("h3", "", "No shop is loaded"),
    element("p", "quiet", "Start the bench with --shop FILE.csv for a shelf of products, scan one of these, or type a code below."), chips);
  $("tiles").replaceChildren(bare);
}

// What the person does

for (const chip of document.querySelectorAll("#categories [data-category]")) {
  chip.addEventListener("click", () => {
    category = chip.dataset.category;
    for (const other of document.querySelectorAll("#categories .chip")) other.setAttribute("aria-pressed", String(other === chip));
    shelf();
  });
}
let typing = 0;
$("search")?.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(shelf, 120); });
$("scan-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const aim = $("scan-aim").value;
  scan($("scan-text").value, aim === "auto" ? null : aim).then((done) => done && $("scan-text").select());
});
async function showStaff() {
  const { badge, pin } = await (await fetch("/staff")).json();
  $("staff-badge").hidden = !badge;
  $("staff-pin").textContent = pin;
  return badge;
}
$("staff-badge").addEventListener("click", async () => scan(await showStaff(), "]Q1"));
showStaff();
$("scan-half").addEventListener("click", () => {
  if ($("scan-text").reportValidity()) post("/scanner/scan", { text: $("scan-text").value, partial: true });
});
for (const button of document.querySelectorAll("[data-card]")) {
  button.addEventListener("click", () => post("/terminal/card", { outcome: button.dataset.card }));
}
const isOn = (button) => button.getAttribute("aria-checked") === "true";
for (const button of document.querySelectorAll("[data-plug]")) {
  button.addEventListener("click", () => post(`/${button.dataset.plug}/${isOn(button) ? "unplug" : "plug"}`));
}
for (const button of document.querySelectorAll("[data-part]")) {
  button.addEventListener("click", () => post(`/printer/${button.dataset.part}`, { state: isOn(button) ? button.dataset.off : button.dataset.on }));
}
$("auto").addEventListener("click", () => post("/terminal/profile", isOn($("auto")) ? { auto: null } : { auto: "approve", auto_delay_s: 2 }));
$("stands").addEventListener("click", () => post("/terminal/profile", { unacknowledged: isOn($("stands")) ? "reverses" : "stands" }));
$("print-final").addEventListener("click", () => post("/terminal/profile", { print_final: !isOn($("print-final")) }));
$("jam").addEventListener("click", () => post("/printer/jam", { state: "next" }));
$("short-roll").addEventListener("click", () => post("/printer/paper", { state: "ok", left_mm: 50 }));
$("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const armed = $("fault-arm").classList.contains("armed");
  post("/terminal/faults", { drop_at: armed ? null : {
    direction: $("fault-direction").value, message: Number($("fault-message").value), manner: $("fault-manner").value } });
});

// What the devices say

const CARDS = { approve: "Card held ready", decline: "A card that is declined", slow: "A card with a slow host", part: "A card that pays only a part",
  cancelled: "Customer will press stop", timeout: "Customer will not come" };
const check = (button, on) => button.setAttribute("aria-checked", String(on));

function plug(name, state, note) {
  const chip = document.querySelector(`.plug[data-device=${name}]`);
  chip.className = `plug ${!state.plugged ? "off" : note === "Not in use" ? "" : "on"}`;
  chip.querySelector("[data-note]").textContent = state.plugged ? note : "Unplugged";
  check(chip.querySelector(".switch"), state.plugged);
}

function showTerminal(state) {
  const drawn = $("terminal").classList;
  $("terminal-text").textContent = state.plugged ? state.display : "Off";
  $("terminal-amount").textContent = state.amount;
  drawn.toggle("waiting", state.waiting_for_card);
  drawn.toggle("bad", /Declined|Cancelled|Reversing/.test(state.display));
  drawn.toggle("unplugged", !state.plugged);
  $("armed").textContent = state.armed ? `${CARDS[state.armed]}, for the next payment.` : "";
  check($("auto"), state.profile.auto !== null);
  check($("stands"), state.profile.unacknowledged === "stands");
  check($("print-final"), state.profile.print_final);
  $("fault-arm").classList.toggle("armed", state.drop_at !== null);
  $("fault-arm").textContent = state.drop_at ? "Armed" : "Arm";
}

function printerNote(state) {
  if (!state.plugged) return "Off";
  if (state.error === "cutter") return "Cutter jammed";
  if (state.error !== "none") return state.error === "overheat" ? "Too hot" : "Broken";
  if (state.cover === "open") return "Cover open";
  if (state.paper === "out") return "No paper";
  if (state.cable === "cut") return "Cable cut";
  return state.paper_left_mm !== null ? `${Math.round(state.paper_left_mm)} mm of paper` : state.near_end ? "Roll nearly empty" : "Ready";
}

let shown = -1;
async function showReceipts(count) {
  if (count === shown) return;
  const first = shown < 0; // what was printed before the page came does not roll out again
  shown = count;
  const { receipts } = await (await fetch("/printer/receipts")).json();
  const known = new Set([...$("roll").children].map((one) => one.dataset.number));
  for (const receipt of receipts.slice(-30)) {
    if (known.has(String(receipt.number))) continue;
    const link = element("a", first ? "receipt" : "receipt new");
    link.href = receipt.png;
    link.target = "_blank";
    link.dataset.number = receipt.number;
    const image = document.createElement("img");
    image.width = 640;
    image.height = receipt.height + 48;
    image.alt = `Receipt ${receipt.number}: ${receipt.text.slice(0, 60).join(", ")}`;
    image.src = receipt.png;
    link.append(image);
    $("roll").prepend(link);
  }
  while ($("roll").children.length > 30) $("roll").lastChild.remove();
  $("roll").scrollTo({ top: 0 });
  $("no-receipts").hidden = $("roll").children.length > 0;
}

function showPrinter(state) {
  const note = printerNote(state);
  $("printer-note").textContent = note;
  $("lamp").className = `lamp ${!state.plugged ? "off" : state.online ? "" : "bad"}`;
  for (const button of document.querySelectorAll("[data-part]")) check(button, state[button.dataset.part] === button.dataset.on);
  showReceipts(state.receipts);
}

function show(state) {
  plug("scanner", state.scanner, state.scanner.scans === 1 ? "1 scan" : `${state.scanner.scans} scans`);
  plug("terminal", state.terminal, state.terminal.connected ? "In use" : "Not in use");
  plug("printer", state.printer, state.printer.connected ? "In use" : "Not in use");
  showTerminal(state.terminal);
  showPrinter(state.printer);
}

$("more").open = window.innerHeight >= 900;
if (document.body.dataset.shop === "yes") shelf(); else bareShelf();
const events = new EventSource("/events");
events.addEventListener("message", (event) => show(JSON.parse(event.data)));
events.addEventListener("error", () => toast("The bench's process is gone. This page reconnects by itself."));
