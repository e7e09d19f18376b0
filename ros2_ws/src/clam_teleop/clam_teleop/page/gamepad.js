// A gamepad of the standard mapping. The left bumper is the dead-man.

const DEAD = 0.12; // of a stick's way
const [A, B, X, Y, LEFT_BUMPER, RIGHT_TRIGGER, BACK] = [0, 1, 2, 3, 4, 7, 8];
const [PAD_UP, PAD_DOWN, PAD_LEFT, PAD_RIGHT] = [12, 13, 14, 15];
const BUTTONS = { [A]: "record", [B]: "success", [X]: "discard", [Y]: "home", [BACK]: "estop" };

const axis = (value) => (Math.abs(value) < DEAD ? 0 : Math.sign(value) * (Math.abs(value) - DEAD) / (1 - DEAD));

export class Gamepad {
  constructor() {
    this.usedAt = 0;
  }

  get pad() {
    return [...navigator.getGamepads()].find((pad) => pad && pad.connected && pad.mapping === "standard") ?? null;
  }

  // The e-stop, which counts whatever device leads.
  get stop() {
    return Boolean(this.pad?.buttons[BACK]?.pressed);
  }

  // Whether somebody has a hand on it; call it in every frame.
  look() {
    const pad = this.pad;
    const touched = pad && (pad.buttons.some((button) => button.pressed) || pad.axes.some((value) => axis(value)));
    if (touched) this.usedAt = performance.now();
  }

  // The rest of a message; without a gamepad one that says so: it is missing, which is no release.
  read() {
    const pad = this.pad;
    if (!pad) return { device: "gamepad", twist: null, squeeze: 0, trigger: 0, buttons: [] };
    const down = (index) => (pad.buttons[index]?.pressed ? 1 : 0);
    const [left, up, turn, lift] = pad.axes.map(axis);
    return {
      device: "gamepad",
      twist: [-up, -left, -lift, down(PAD_RIGHT) - down(PAD_LEFT), down(PAD_UP) - down(PAD_DOWN), -turn],
      squeeze: pad.buttons[LEFT_BUMPER].value,
      trigger: pad.buttons[RIGHT_TRIGGER].value,
      buttons: Object.keys(BUTTONS).filter(down).map((index) => BUTTONS[index]),
    };
  }
}
