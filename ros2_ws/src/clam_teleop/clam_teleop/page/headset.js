// The WebXR session: in every frame the pose and the buttons of the controller that leads the arm.

import { Panel } from "./panel.js";

const [TRIGGER, SQUEEZE, STICK, LOWER, UPPER] = [0, 1, 3, 4, 5]; // buttons of the xr-standard mapping
const STICK_X = 2; // axis
const PUSHED = 0.8;

// "immersive-ar" where there is pass-through, else "immersive-vr", else null.
export async function supportedMode() {
  for (const mode of ["immersive-ar", "immersive-vr"]) {
    if (await navigator.xr?.isSessionSupported(mode).catch(() => false)) return mode;
  }
  return null;
}

export class Headset {
  // `send` takes the rest of a message and its stamp [ms], and says whether it went; `view` gives what the panel shows.
  constructor(mode, send, view) {
    Object.assign(this, { mode, send, view, session: null, hand: "right", lastStamp: -1, moved: false });
  }

  // Must be called by a click: browsers start a session for nothing less.
  async start(hand) {
    this.hand = hand;
    this.session = await navigator.xr.requestSession(this.mode);
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl", { xrCompatible: true, alpha: true });
    this.session.addEventListener("end", () => {
      this.session = null;
      gl?.getExtension("WEBGL_lose_context")?.loseContext(); // browsers have only a few, and the next one is new
    });
    try {
      await gl.makeXRCompatible();
      this.session.updateRenderState({ baseLayer: new XRWebGLLayer(this.session, gl) });
      this.space = await this.session.requestReferenceSpace("local");
      this.space.addEventListener("reset", () => { this.moved = true; }); // every pose jumps
      this.panel = new Panel(gl);
    } catch (error) {
      await this.session.end();
      throw error;
    }
    this.session.requestAnimationFrame((time, frame) => this.frame(time, frame));
  }

  frame(time, frame) {
    const session = frame.session;
    session.requestAnimationFrame((next, nextFrame) => this.frame(next, nextFrame));
    if (time > this.lastStamp) {
      this.lastStamp = time;
      if (this.send(this.read(session, frame), time)) this.moved = false; // or the node would not know of it
    }
    const viewer = frame.getViewerPose(this.space);
    if (viewer) this.panel.draw(session.renderState.baseLayer, viewer, this.view(), time);
  }

  read(session, frame) {
    const sources = [...session.inputSources].filter((source) => source.gamepad && source.gripSpace);
    const source = sources.find((candidate) => candidate.handedness === this.hand);
    const other = sources.find((candidate) => candidate !== source);
    const buttons = this.buttons(source?.gamepad, other?.gamepad);
    const pose = source && session.visibilityState === "visible" ? frame.getPose(source.gripSpace, this.space) : null;
    const lost = !pose || pose.emulatedPosition || this.moved; // emulated: a guess from the last known place
    if (lost) return { device: "headset", pose: null, squeeze: 0, trigger: 0, buttons };
    const { position, orientation } = pose.transform;
    return {
      device: "headset",
      pose: {
        position: [position.x, position.y, position.z],
        orientation: [orientation.x, orientation.y, orientation.z, orientation.w],
      },
      squeeze: source.gamepad.buttons[SQUEEZE].value,
      trigger: source.gamepad.buttons[TRIGGER].value,
      buttons,
    };
  }

  buttons(gamepad, other) {
    const down = (pad, index) => Boolean(pad?.buttons[index]?.pressed);
    const held = {
      record: down(gamepad, LOWER),
      success: down(gamepad, UPPER),
      home: down(gamepad, STICK),
      discard: (gamepad?.axes[STICK_X] ?? 0) < -PUSHED,
      estop: Boolean(other?.buttons.some((button) => button.pressed)), // any: nobody looks for one then
    };
    return Object.keys(held).filter((name) => held[name]);
  }
}
