// Keyboard and mouse of a laptop. Space, or the left mouse button on the pad, is the dead-man.

// code: [entry of the twist, direction]; the twist is along and about what is ahead, left and up for the operator
const MOVES = {
  KeyW: [0, 1], KeyS: [0, -1], KeyA: [1, 1], KeyD: [1, -1], KeyE: [2, 1], KeyQ: [2, -1],
  KeyO: [3, 1], KeyU: [3, -1], KeyI: [4, 1], KeyK: [4, -1], KeyJ: [5, 1], KeyL: [5, -1],
};
const BUTTONS = { Enter: "record", KeyY: "success", Backspace: "discard", KeyH: "home", Escape: "estop" };
const MODIFIERS = ["Control", "Alt", "Meta"];
const PIXELS = 400; // per second: full deflection
const WHEEL = 0.002; // [s] of full deflection per unit of the wheel
const LONGEST = 0.1; // [s] between two frames

export class Keyboard {
  constructor(pad) {
    this.usedAt = 0;
    this.keys = new Set();
    this.stop = false; // the e-stop was pressed, whatever device leads; whoever has sent it sets it back
    this.stuck = false; // Space was down when the window lost the keyboard: nobody knows whether it still is
    this.forget();
    this.closed = false; // the gripper; it stays as it is when the window loses the keyboard
    window.addEventListener("keydown", (event) => this.key(event, true));
    window.addEventListener("keyup", (event) => this.key(event, false));
    window.addEventListener("blur", () => this.forget());
    document.addEventListener("visibilitychange", () => this.forget());
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "lostpointercapture"]) {
      pad.addEventListener(name, (event) => this.point(event, pad));
    }
    pad.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    pad.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // What is held down is not held any more: nobody would tell us of its release.
  forget() {
    this.stuck ||= this.keys.has("Space");
    this.keys.clear();
    this.dragging = false;
    this.pixels = [0, 0];
    this.lift = 0;
  }

  key(event, down) {
    const known = event.code === "Space" || event.code === "KeyG" || event.code in MOVES || event.code in BUTTONS;
    if (!down) { // with whatever else: a release must never be missed
      if (event.code === "Space") this.stuck = false;
      this.keys.delete(event.code);
      if (known) event.preventDefault();
      return;
    }
    if (event.code === "Escape") this.stop = true;
    if (MODIFIERS.includes(event.key)) this.forget(); // the browser or the desktop may take what comes next
    const other = event.ctrlKey || event.metaKey || event.altKey;
    if (!known || (other && event.code !== "Escape")) return;
    if (event.code === "Enter" && event.target.closest?.("#headset, summary, select")) return;
    event.preventDefault(); // Space would scroll or press a button
    if (event.repeat) return; // held since before; or since before we forgot
    this.usedAt = performance.now();
    if (event.code === "KeyG") this.closed = !this.closed;
    this.keys.add(event.code);
  }

  // Of two buttons only the first one pressed and the last one released are pointerdown and pointerup: what is held is
  // in `buttons`, what has changed in `button`.
  point(event, pad) {
    const ended = event.type === "pointercancel" || event.type === "lostpointercapture";
    if (ended || !(event.buttons & 1)) this.dragging = false;
    else if (event.button === 0) this.drag(event, pad);
    if (event.button === 2 && event.buttons & 2) this.closed = !this.closed;
    if (event.button > -1 || this.dragging) this.usedAt = performance.now();
    if (!this.dragging) return;
    this.pixels[0] += event.movementX;
    this.pixels[1] += event.movementY;
  }

  drag(event, pad) {
    pad.setPointerCapture(event.pointerId);
    pad.focus();
    this.dragging = true;
    this.pixels = [-event.movementX, -event.movementY]; // the way to here is no motion
  }

  wheel(event) {
    event.preventDefault();
    this.usedAt = performance.now();
    this.lift = Math.max(-0.5, Math.min(0.5, this.lift - event.deltaY * WHEEL));
  }

  // The rest of a message, `seconds` after the last one. Without a twist while it is not known what is held.
  read(seconds) {
    const twist = [0, 0, 0, 0, 0, 0];
    for (const [code, [index, direction]] of Object.entries(MOVES)) {
      if (this.keys.has(code)) twist[index] += direction;
    }
    const time = Math.max(0.001, Math.min(seconds, LONGEST));
    twist[0] -= this.pixels[1] / PIXELS / time;
    twist[1] -= this.pixels[0] / PIXELS / time;
    this.pixels = [0, 0];
    const lift = Math.sign(this.lift) * Math.min(Math.abs(this.lift), time);
    twist[2] += lift / time;
    this.lift -= lift;
    return {
      device: "keyboard",
      twist: this.stuck ? null : twist,
      squeeze: this.dragging || this.keys.has("Space") ? 1 : 0,
      trigger: this.closed ? 1 : 0,
      buttons: Object.keys(BUTTONS).filter((code) => this.keys.has(code)).map((code) => BUTTONS[code]),
    };
  }
}
