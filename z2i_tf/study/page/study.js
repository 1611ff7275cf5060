// Leads a participant through a study: name, pairs, thanks. The server stores the progress; the page asks for it.
import {ask, remember, remembered} from "/api.js";
import {Zoom} from "/zoom.js";

const KEY_PAN = 60;  // CSS pixels that a key moves the pictures.
const ARROWS = {arrowleft: [1, 0], arrowright: [-1, 0], arrowup: [0, 1], arrowdown: [0, -1]};

const element = (id) => document.getElementById(id);
const zoom = new Zoom({room: element("room"), stage: element("stage"), label: element("side"), frame: element("frame"),
                       pictures: element("pictures"), onChange: update});
let participant = null;  // The server's last answer: token, name, question, answered, total.
let current = null;      // The pair on the page, see loadPair.
let upcoming = null;     // The pair after it, being loaded meanwhile.
let visible = "a";
let seen = new Set();
let busy = false;        // A choice is on its way.

function open(id) {
  for (const page of ["welcome", "comparison", "thanks"]) element(page).hidden = page !== id;
}

function welcome(message) {
  participant = current = upcoming = null;
  element("welcome-error").textContent = message || "";
  open("welcome");
  element("name").focus();
}

async function join(event) {
  event.preventDefault();
  if (busy) return;
  busy = true;
  element("welcome-error").textContent = "";
  try {
    proceed(await ask("/api/join", {name: element("name").value}));
    say(participant.answered ? `Welcome back: ${participant.answered} of your choices are saved already.`
        : "Look at both images, then choose one.");
  } catch (refusal) {
    element("welcome-error").textContent = refusal.message;
  } finally {
    busy = false;
  }
}

function leave() {
  if (busy) return;
  remember(null);
  element("name").value = "";
  welcome();
}

// Shows the next pair or the thanks page, by the server's progress.
function proceed(progress) {
  participant = progress;
  remember(progress.token);
  if (progress.answered >= progress.total) {
    current = upcoming = null;
    element("thanks-name").textContent = progress.name;
    element("thanks-total").textContent = progress.total;
    open("thanks");
    return;
  }
  element("participant").textContent = progress.name;
  element("question").textContent = progress.question;
  element("counter").textContent = `${progress.answered + 1} of ${progress.total}`;
  element("progress").max = progress.total;
  element("progress").value = progress.answered;
  open("comparison");
  showPair(progress.answered);
}

function loadPair(position) {
  const pair = {position, a: new Image(), b: new Image()};
  for (const side of ["a", "b"]) {
    pair[side].alt = `Image ${side.toUpperCase()}`;
    pair[side].draggable = false;
    pair[side].src = `/picture/${encodeURIComponent(participant.token)}/${position}/${side}`;
  }
  pair.decoded = Promise.all([pair.a.decode(), pair.b.decode()]);
  pair.decoded.catch(() => { pair.failed = true; });
  return pair;
}

async function showPair(position) {
  // Loads a pair again if it could not be loaded in advance.
  const loaded = upcoming && upcoming.position === position && !upcoming.failed;
  const pair = loaded ? upcoming : loadPair(position);
  current = pair;
  upcoming = null;
  seen = new Set();
  zoom.clear();
  element("stage").hidden = true;
  element("waiting").hidden = false;
  element("again").hidden = true;
  complain("");
  update();
  try {
    await pair.decoded;
  } catch (error) {
    if (current !== pair) return;
    element("waiting").hidden = true;
    complain("An image of this pair could not be loaded. If trying again does not help, please tell the person in " +
             "charge.");
    element("again").hidden = false;
    return;
  }
  if (current !== pair) return;
  element("waiting").hidden = true;
  element("stage").hidden = false;
  zoom.show(pair.a, pair.b);
  show("a");
  element("stage").focus({preventScroll: true});  // Not on a button that chooses: Space would choose again.
  if (position + 1 < participant.total) upcoming = loadPair(position + 1);
}

function isReady() {
  return current !== null && !element("stage").hidden && !element("comparison").hidden;
}

function show(side) {
  if (!isReady()) return;
  visible = side;
  seen.add(side);
  current.a.classList.toggle("behind", side !== "a");
  current.b.classList.toggle("behind", side !== "b");
  update();
}

function toggle() {
  show(visible === "a" ? "b" : "a");
}

function update() {
  const other = visible === "a" ? "B" : "A";
  element("side").textContent = visible.toUpperCase();
  element("stage").setAttribute("aria-label", `Image ${visible.toUpperCase()} is shown. Switch to image ${other}`);
  for (const side of ["a", "b"]) {
    element(`show-${side}`).disabled = !isReady();
    element(`show-${side}`).setAttribute("aria-pressed", String(isReady() && side === visible));
    element(`choose-${side}`).disabled = !isReady() || busy || seen.size < 2;
  }
  element("zoom-in").disabled = !isReady() || !zoom.canZoomIn;
  element("zoom-out").disabled = element("zoom-fit").disabled = !isReady() || !zoom.canZoomOut;
  element("zoom-text").textContent = isReady() ? `${Math.round(100 * zoom.scale)}%` : "";
}

async function choose(side) {
  if (!isReady() || busy) return;
  if (seen.size < 2) {
    say("Please look at both images first.");
    return;
  }
  busy = true;
  complain("");
  say("Saving ...");
  update();
  const position = current.position;
  let progress = null;
  try {
    progress = await ask("/api/choice", {token: participant.token, position, choice: side});
    say(`Choice ${position + 1} is saved.`);
  } catch (refusal) {
    say("");
    progress = await afterRefusal(refusal);
  }
  busy = false;
  if (progress) proceed(progress);
  update();
}

// Returns the participant's progress; null if it is unknown. The pair then stays.
async function afterRefusal(refusal) {
  if (refusal.status === 404) {
    leaveUnknown(refusal.message);
  } else if (refusal.status === 409) {
    try {
      const progress = await ask("/api/progress", {token: participant.token});
      say("That pair was answered already, perhaps in another window; here is the next one.");
      return progress;
    } catch (second) {
      complain(second.message);
    }
  } else {
    complain(`Your choice could not be saved. ${refusal.message} You can choose again.`);
  }
  return null;
}

function leaveUnknown(message) {
  remember(null);
  welcome(message);
}

function say(text) {
  element("status").textContent = text;
}

function complain(text) {
  element("error").textContent = text;
}

function onKey(event) {
  if (!isReady() || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (event.shiftKey && key in ARROWS) zoom.pan(...ARROWS[key].map((sign) => sign * KEY_PAN));
  else if (key === "+" || key === "=") zoom.step(1);
  else if (key === "-") zoom.step(-1);
  else if (key === "0") zoom.fit();
  else if (key === "arrowleft") show("a");
  else if (key === "arrowright") show("b");
  else if (key === " " && event.target.tagName !== "BUTTON") toggle();  // A button answers to Space by itself.
  else if ((key === "a" || key === "b") && !event.repeat) choose(key);  // A key held down is one choice.
  else return;
  event.preventDefault();
}

async function start() {
  element("join").addEventListener("submit", join);
  element("stage").addEventListener("click", (event) => { if (!event.detail || !zoom.wasDragged) toggle(); });
  element("zoom-in").addEventListener("click", () => zoom.step(1));
  element("zoom-out").addEventListener("click", () => zoom.step(-1));
  element("zoom-fit").addEventListener("click", () => zoom.fit());
  element("again").addEventListener("click", () => showPair(current.position));
  element("leave").addEventListener("click", leave);
  element("next-person").addEventListener("click", leave);
  for (const side of ["a", "b"]) {
    element(`show-${side}`).addEventListener("click", () => show(side));
    element(`choose-${side}`).addEventListener("click", () => choose(side));
  }
  document.addEventListener("keydown", onKey);
  if (!remembered()) {
    welcome();
    return;
  }
  try {
    proceed(await ask("/api/progress", {token: remembered()}));
  } catch (refusal) {
    if (refusal.status === 404) leaveUnknown(refusal.message);
    else welcome(refusal.message);
  }
}

start();
