// Keyboard and mouse of a laptop. Space, or the left mouse button on the pad, is the dead-man.

// code: [entry of the twist, direction]; the twist is along and about what is ahead, left and up for the operator
const MOVES = {
  KeyW: [0, 1], KeyS: [0, -1], KeyA: [1, 1], KeyD: [1, -1], KeyE: [2, 1], KeyQ: [2, -1],
  KeyO: [3, 1], KeyU: [3, -1], KeyI: [4, 1], KeyK: [4, -1], KeyJ: [5, 1], KeyL: [5, -1],
};
const BUTTONS = { Enter: "record", KeyY: "success", Backspace: "discard", KeyH: "home", Escape: "estop" };
const PIXELS = 400; // per second: full deflection
const WHEEL = 0.002; // [s] of full deflection per unit of the wheel
const LONGEST = 0.1; // [s] between two frames

const within = (value) => Math.max(-1, Math.min(1, value));

export class Keyboard {
  constructor(pad) {
    this.usedAt = 0;
    this.keys = new Set();
    this.forget();
    this.closed = false; // the gripper; it stays as it is when the window loses the keyboard
    window.addEventListener("keydown", (event) => this.key(event, true));
    window.addEventListener("keyup", (event) => this.key(event, false));
    window.addEventListener("blur", () => this.forget());
    document.addEventListener("visibilitychange", () => this.forget());
    pad.addEventListener("pointerdown", (event) => this.press(event, pad));
    pad.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      pad.addEventListener(name, (event) => { if (event.button !== 2) this.dragging = false; });
    }
    pad.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    pad.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // What is held down is not held any more: nobody would tell us of its release.
  forget() {
    this.keys.clear();
    this.dragging = false;
    this.pixels = [0, 0];
    this.lift = 0;
  }

  key(event, down) {
    const known = event.code === "Space" || event.code === "KeyG" || event.code in MOVES || event.code in BUTTONS;
    if (!known || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // Space would scroll or press a button
    this.usedAt = performance.now();
    if (down && event.code === "KeyG" && !event.repeat) this.closed = !this.closed;
    if (down) this.keys.add(event.code);
    else this.keys.delete(event.code);
  }

  press(event, pad) {
    this.usedAt = performance.now();
    if (event.button === 2) this.closed = !this.closed;
    if (event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    pad.focus();
    this.dragging = true;
    this.pixels = [0, 0];
  }

  move(event) {
    if (!this.dragging) return;
    this.usedAt = performance.now();
    this.pixels[0] += event.movementX;
    this.pixels[1] += event.movementY;
  }

  wheel(event) {
    event.preventDefault();
    this.usedAt = performance.now();
    this.lift = Math.max(-0.5, Math.min(0.5, this.lift - event.deltaY * WHEEL));
  }

  // The rest of a message, `seconds` after the last one.
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
      twist: twist.map(within),
      squeeze: this.dragging || this.keys.has("Space") ? 1 : 0,
      trigger: this.closed ? 1 : 0,
      buttons: Object.keys(BUTTONS).filter((code) => this.keys.has(code)).map((code) => BUTTONS[code]),
    };
  }
}
