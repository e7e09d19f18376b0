// The operator's page: what the node says is shown, buttons and keys are said to the node.

import { Connection } from "./connection.js";

const KEYS = { c: "clear", Enter: "scene_ready", 0: "score_0", 5: "score_half", 1: "score_1", a: "abort", i: "invalid", Escape: "estop" };
const SHOWS_PLACEMENT = ["barred", "preparing", "scene"]; // afterwards the overlay would hide what happens

const element = (id) => document.getElementById(id);
const connection = new Connection();
const buttons = [...document.querySelectorAll("[data-button]")];
let shown = 0; // number of the overlay

function press(button) {
  // with the number of the attempt that the operator saw: what comes late shall not count for the next one
  connection.send({ stamp: performance.now(), button, number: connection.status?.number ?? 0 });
}

function show() {
  const status = connection.status;
  const here = Boolean(status?.title);
  element("banner").className = here ? status.state : connection.refusal ? "refused" : "off";
  element("title").textContent = here ? status.title : "not connected";
  element("message").textContent = here ? status.message : connection.refusal;
  for (const button of buttons) button.disabled = !here || !status.buttons.includes(button.dataset.button);
  element("facts").replaceChildren(...(here ? facts(status) : []));
  showCamera(here && status.camera);
  showOverlay(here ? status : null);
}

function facts(status) {
  const notice = status.notice ?? { text: "", ok: true };
  const rows = [["task", status.task], ["now", status.place], ["steps left", String(status.remaining)],
    ["last score", status.last], ["last button", notice.text, notice.ok ? "" : "error"]];
  return rows.filter(([, text]) => text).flatMap(([name, text, level = ""]) => {
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, value.textContent, value.className] = [name, text, level];
    return [term, value];
  });
}

function showCamera(wanted) {
  const camera = element("camera");
  if (wanted === !camera.hidden) return;
  camera.hidden = !wanted;
  if (wanted) camera.src = "camera";
  else camera.removeAttribute("src");
}

function showOverlay(status) {
  const overlay = element("overlay");
  const wanted = Boolean(status?.overlay) && SHOWS_PLACEMENT.includes(status.state);
  overlay.hidden = !wanted;
  if (wanted && status.overlay !== shown) {
    shown = status.overlay;
    overlay.src = `placement.jpg?${shown}`;
  }
}

function blend() {
  element("overlay").style.opacity = element("blend").value / 100;
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    press(button.dataset.button);
    button.blur(); // or Enter would press it again
  });
}
window.addEventListener("keydown", (event) => {
  const button = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!button || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  press(button);
});
element("blend").addEventListener("input", blend);
element("camera").addEventListener("error", () => setTimeout(showCamera, 2000, false));
connection.addEventListener("status", show);
blend();
