// The page: one loop that sends what the hand does, and what is shown of the node's state.

import { Connection } from "./connection.js";
import { Gamepad } from "./gamepad.js";
import { Headset, supportedMode } from "./headset.js";
import { Keyboard } from "./keyboard.js";
import { describe } from "./view.js";

const element = (id) => document.getElementById(id);
const connection = new Connection();
const keyboard = new Keyboard(element("pad"));
const gamepad = new Gamepad();
const clicked = new Set(); // buttons of the page that are held down
const camera = element("camera");
let headset = null;
let last = performance.now();

const within = (low, value) => Math.max(low, Math.min(1, value)); // sticks and triggers go a little beyond their range

// Whether it went. The e-stop of every device counts, whichever leads the arm.
function send(input, stamp) {
  const stop = keyboard.stop || gamepad.stop ? ["estop"] : [];
  const sent = connection.send({
    ...input,
    ...(input.twist && { twist: input.twist.map((value) => within(-1, value)) }),
    squeeze: within(0, input.squeeze),
    trigger: within(0, input.trigger),
    buttons: [...new Set([...input.buttons, ...clicked, ...stop])],
    stamp,
  });
  if (sent) keyboard.stop = false;
  return sent;
}

function view() {
  const picture = !camera.hidden && camera.naturalWidth ? camera : null;
  return { ...describe(connection), picture };
}

// Without a headset the browser's frames set the pace; they stop when the page is not seen, and the arm holds.
function frame(now) {
  requestAnimationFrame(frame);
  const seconds = (now - last) / 1000;
  if (headset?.session || seconds <= 0) return;
  last = now;
  gamepad.look();
  const used = gamepad.usedAt > keyboard.usedAt ? gamepad : keyboard;
  const input = used.read(seconds);
  element("pad").classList.toggle("held", input.squeeze > 0);
  send(input, now);
}

function show() {
  const { state, title, reason, facts } = view();
  element("banner").className = state;
  element("title").textContent = title;
  element("reason").textContent = reason;
  element("facts").replaceChildren(...facts.flatMap(({ name, text, level }) => {
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, value.textContent, value.className] = [name, text, level];
    return [term, value];
  }));
  element("facts").dataset.trip = connection.roundTrip ?? "";
  showCamera(Boolean(connection.status?.camera));
}

function showCamera(wanted) {
  if (wanted === !camera.hidden) return;
  camera.hidden = !wanted;
  if (wanted) camera.src = "camera";
  else camera.removeAttribute("src");
}

for (const button of document.querySelectorAll("[data-button]")) {
  const name = button.dataset.button;
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId); // or a release elsewhere would be missed
    clicked.add(name);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(end, () => { clicked.delete(name); });
  }
  button.addEventListener("pointermove", (event) => { if (!(event.buttons & 1)) clicked.delete(name); });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", () => button.blur()); // or Space would press it again
}
window.addEventListener("blur", () => clicked.clear());
camera.addEventListener("error", () => setTimeout(showCamera, 2000, false));

connection.addEventListener("status", show);
requestAnimationFrame(frame);
supportedMode().then((mode) => {
  if (!mode) return;
  const start = element("headset");
  headset = new Headset(mode, send, view);
  start.hidden = false;
  start.addEventListener("click", () => headset.start(element("hand").value).catch((error) => {
    connection.refusal = `the headset's session did not start: ${error.message}`;
    show();
  }));
});
