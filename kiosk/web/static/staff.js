// The PIN pad: digits stay here until they are sent, and are never shown.
"use strict";

const PIN_LENGTH = 8;
let typed = "";

OWN.add("data-typed"); // how many, and never which

function pad() {
  return document.getElementById("pin");
}

function type(text) {
  typed = text.slice(0, PIN_LENGTH);
  if (pad()) pad().dataset.typed = typed.length;
}

function enter() {
  if (!typed) return;
  const pin = typed;
  type("");
  send({ wish: "pin", pin });
}

addEventListener("click", (event) => {
  const key = event.target.closest(".key");
  if (!key || document.body.classList.contains("lost")) return;
  if (key.dataset.digit) type(typed + key.dataset.digit);
  if ("erase" in key.dataset) type(typed.slice(0, -1));
  if ("enter" in key.dataset) enter();
});

addEventListener("keydown", (event) => {
  if (!pad()) return void (typed = "");
  if (/^[0-9]$/.test(event.key)) type(typed + event.key);
  else if (event.key === "Backspace") type(typed.slice(0, -1));
  else if (event.key === "Enter" && typed) {
    event.preventDefault(); // the focused key must not be pressed as well
    enter();
  }
});

// A pad that opens is empty, whoever typed on the one before.
new MutationObserver(() => {
  if (!pad()) typed = "";
  else if (Number(pad().dataset.typed) !== typed.length) type(typed);
}).observe(document.body, { childList: true, subtree: true });
