// The node's state as what people read: the same on the page and in the headset.

const DEAD_MAN = { headset: "squeeze", gamepad: "hold the left bumper", keyboard: "hold Space or the mouse" };
const TITLES = {
  engaged: () => "the arm follows",
  released: (device) => `ready: ${DEAD_MAN[device] ?? "squeeze"} to move the arm`,
  blocked: () => "the arm holds",
};
const LEVELS = ["", "warn", "error"];

// {state, title, reason, facts: [{name, text, level}]}
export function describe(connection) {
  const status = connection.status;
  if (connection.refusal || !status || !status.state) {
    return { state: connection.refusal ? "refused" : "off", title: "not connected", reason: connection.refusal, facts: [] };
  }
  const reason = status.warning || (status.state === "blocked" ? status.reason : "");
  return { state: status.state, title: TITLES[status.state](status.device), reason, facts: facts(connection, status) };
}

function facts(connection, status) {
  const list = [];
  const add = (name, text, level = 0) => { if (text) list.push({ name, text: String(text), level: LEVELS[level] }); };
  if (status.recorder) add("recorder", status.recorder.message, status.recorder.level);
  for (const [name, text, level] of status.recorder?.lines ?? []) add(name, text, level);
  if (status.notice) add("last request", status.notice.text, status.notice.ok ? 0 : 2);
  if (status.arm) add("arm", status.arm.message, status.arm.level);
  add("device", status.device);
  const trip = connection.roundTrip === null ? "" : `, ${connection.roundTrip.toFixed(0)} ms there and back`;
  add("messages", `${status.rate.toFixed(0)} a second${trip}`, status.rate < 20 ? 1 : 0);
  const refused = status.refused + connection.dropped;
  if (refused) add("refused or dropped", refused, 1);
  return list;
}
