// The WebSocket to the node: messages out, states in. Nothing ever waits in a queue: what cannot go now is dropped.

const MOST_WAITING = 2048; // bytes not sent yet: the network is slower than we are, and old poses are of no use
const AGAIN = 1000; // [ms] before the next attempt
const TAKEN = 4409; // close code: somebody else operates the arm

export class Connection extends EventTarget {
  constructor() {
    super();
    this.status = null; // the node's last state
    this.refusal = ""; // why there is no connection
    this.roundTrip = null; // [ms]
    this.dropped = 0;
    this.open();
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  open() {
    this.sequence = 0;
    this.socket = new WebSocket(new URL("socket", location.href).href.replace(/^http/, "ws"));
    this.socket.addEventListener("message", (event) => this.read(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.closed(event));
  }

  read(message) {
    if (message.type === "refused") {
      this.refusal = message.reason;
    } else {
      this.refusal = "";
      this.status = message;
      if (message.echo !== undefined) this.roundTrip = performance.now() - message.echo - message.held;
    }
    this.dispatchEvent(new Event("status"));
  }

  closed(event) {
    this.status = null;
    this.roundTrip = null;
    if (event.code !== TAKEN) this.refusal ||= "the node is not there, or the address is not the one it prints";
    this.dispatchEvent(new Event("status"));
    setTimeout(() => this.open(), AGAIN);
  }

  // `input` has all of a message but its type and sequence; see clam_core/teleop/messages.py. False if it was dropped.
  send(input) {
    if (!this.isOpen) return false;
    if (this.socket.bufferedAmount > MOST_WAITING) {
      this.dropped += 1;
      return false;
    }
    this.sequence += 1;
    this.socket.send(JSON.stringify({ type: "input", sequence: this.sequence, ...input }));
    return true;
  }
}
