// Puts the page together: buttons, dialogs, files that are dropped, pasted or chosen.
import * as api from "/api.js";
import {Editor, isLost} from "/editor.js";
import {listen} from "/keys.js";
import {Painter} from "/painter.js";
import {View} from "/view.js";

const SMALLEST_BRUSH = 3;  // Diameter, pixels of the photograph; the largest is the photograph's short side.
const STATUS_MS = 6000;

const element = (id) => document.getElementById(id);
const stage = element("stage");
let statusTimer = 0;

const tools = {
  get tool() { return document.querySelector("input[name=tool]:checked").value; },
  get radius() { return diameter() / 2; },
  isEnabled: () => Boolean(editor.photograph),
  step: (direction) => resize(direction),
};
const view = new View(stage, element("canvas"), () => {
  element("zoom-text").textContent = `${Math.round(view.scale * window.devicePixelRatio * 100)}%`;
});
const editor = new Editor({
  changed: update,
  said: say,
  failed: complain,
  progressed: showProgress,
  patched: (boxes) => view.changed(boxes),
  opened() {
    painter.abort();
    element("welcome").hidden = true;
    stage.hidden = element("tools").hidden = false;
    hideError();
    view.show(editor.photograph);
    setDiameter(Math.max(12, Math.round(36 / view.scale)));
    document.title = `${editor.photograph.name} – z2i`;
    stage.focus({preventScroll: true});
  },
});
const painter = new Painter(view, editor, tools);

function say(text) {
  if (text) hideError();
  element("status").textContent = text;
  clearTimeout(statusTimer);
  if (text) statusTimer = setTimeout(() => { element("status").textContent = ""; }, STATUS_MS);
}

function complain(refusal) {
  say("");
  element("error-text").textContent = refusal.message;
  element("restore").hidden = !(isLost(refusal) && editor.file);
  element("error").hidden = false;
}

function hideError() {
  element("error").hidden = true;
}

function showProgress(state) {
  element("progress").hidden = !state;
  view.isFilling = Boolean(state);
  view.redraw();
  if (!state) return;
  hideError();
  const bar = element("progress-bar");
  if (state.place) {
    element("progress-text").textContent = state.place === 1 ? "Waiting: yours is next"
        : `Waiting: ${state.place - 1} before yours`;
    bar.removeAttribute("value");
  } else {
    element("progress-text").textContent = "Filling …";
    if (state.steps) bar.value = state.step / state.steps;
    else bar.removeAttribute("value");
  }
}

function update() {
  const {photograph, pending, isBusy} = editor;
  element("undo").disabled = !editor.canUndo;
  element("redo").disabled = !editor.canRedo;
  element("save").disabled = element("compare").disabled = element("mask-load").disabled = !photograph;
  element("fill").disabled = !pending.length || isBusy;
  const eraser = document.querySelector("input[value=eraser]");
  eraser.disabled = editor.isAutomatic && !pending.length;
  if (eraser.disabled && eraser.checked) choose("brush");
  if (photograph) {
    const {name, extension, width, height} = photograph;
    element("file").textContent = `${name}${extension}, ${width} × ${height}`;
  }
  document.body.dataset.version = editor.version;
  document.body.dataset.busy = isBusy;
  document.body.dataset.seconds = editor.seconds || "";
}

// The slider is logarithmic: its ends are the smallest and the largest brush.
function largestBrush() {
  if (!editor.photograph) return 100;
  return Math.max(2 * SMALLEST_BRUSH, Math.min(editor.photograph.width, editor.photograph.height));
}

function diameter() {
  return Math.round(SMALLEST_BRUSH * (largestBrush() / SMALLEST_BRUSH) ** (element("size").value / 100));
}

function setDiameter(pixels) {
  const share = Math.log(pixels / SMALLEST_BRUSH) / Math.log(largestBrush() / SMALLEST_BRUSH);
  element("size").value = Math.round(100 * share);
  showDiameter();
}

function showDiameter() {
  element("size-text").textContent = `${diameter()} px`;
  element("size").setAttribute("aria-valuetext", `${diameter()} pixels of the photograph`);
  if (painter) painter.showCursor();
}

function resize(direction) {
  element("size").value = Number(element("size").value) + 2 * direction;
  showDiameter();
}

function choose(tool) {
  const input = document.querySelector(`input[value=${tool}]`);
  if (input.disabled) {
    say("The eraser takes away what is painted and not filled yet.");
    return;
  }
  input.checked = true;
  painter.abort();
  painter.showCursor();
}

function compare(isHeld) {
  if (!editor.photograph) return;
  view.comparing = isHeld;
  element("compare").setAttribute("aria-pressed", isHeld);
  view.redraw();
}

function open(file) {
  if (file) editor.open(file, file.name || "pasted.png");
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function save(format) {
  if (!editor.photograph) return;
  const {id, name, extension} = editor.photograph;
  element("download").close();
  try {
    say("Writing the photograph …");
    const {blob, remarks} = await api.photographFile(id, format);
    download(blob, `${name}_filled${format === "own" ? extension : `.${format}`}`);
    say(remarks ? `Downloaded; ${remarks}.` : "Downloaded.");
  } catch (refusal) {
    complain(refusal);
  }
}

function saveMask() {
  const {file} = editor;
  element("download").close();
  editor.change(async () => {
    if (file !== editor.file) return;  // Another photograph was opened before.
    const {id, name} = editor.photograph;
    await editor.sendMasks(editor.pending);
    download(await api.maskFile(id, editor.pending), `${name}_mask.png`);
    say("Downloaded.");
  });
}

function readOptions() {
  const pixels = (id) => Math.min(1000, Math.max(0, Math.round(Number(element(id).value) || 0)));
  const dilate = pixels("dilate"), feather = Math.min(dilate, pixels("feather"));
  element("dilate").value = dilate;
  element("feather").value = feather;
  editor.options = {detail: element("detail").value, dilate, feather};
}

// How a mask file is read; without a threshold, half of full brightness, with soft edges.
function maskReading() {
  const reading = {invert_mask: element("mask-invert").checked, mask_from: element("mask-from").value};
  const threshold = element("mask-threshold").value;
  return threshold ? {...reading, mask_threshold: Math.min(255, Math.max(1, Math.round(Number(threshold))))} : reading;
}

const choosePhotograph = () => element("photo-input").click();
const on = (id, event, action) => element(id).addEventListener(event, action);
on("open", "click", choosePhotograph);
on("choose", "click", choosePhotograph);
on("photo-input", "change", (event) => { open(event.target.files[0]); event.target.value = ""; });
on("mask-load", "click", () => { element("settings").close(); element("mask-input").click(); });
on("mask-input", "change", (event) => {
  const file = event.target.files[0];
  event.target.value = "";
  if (file) editor.loadMask(file, file.name, maskReading());
});
on("undo", "click", () => editor.undo());
on("redo", "click", () => editor.redo());
on("fill", "click", () => editor.fill());
on("cancel", "click", () => editor.cancel());
on("restore", "click", () => { hideError(); editor.restore(); });
on("error-close", "click", hideError);
on("auto", "change", (event) => { editor.isAutomatic = event.target.checked; update(); });
on("size", "input", showDiameter);
on("tool", "change", () => { painter.abort(); painter.showCursor(); });
on("zoom-in", "click", () => view.zoomTo(view.scale * 1.3));
on("zoom-out", "click", () => view.zoomTo(view.scale / 1.3));
on("zoom-fit", "click", () => view.fit());
on("compare", "pointerdown", () => compare(true));
for (const event of ["pointerup", "pointercancel", "pointerleave"]) on("compare", event, () => compare(false));
on("compare", "keydown", (event) => { if (event.key === " " || event.key === "Enter") compare(true); });
on("compare", "keyup", () => compare(false));
on("settings-open", "click", () => element("settings").showModal());
on("settings", "close", readOptions);
on("help-open", "click", showHelp);
on("save", "click", () => {
  const {extension} = editor.photograph;
  element("save-own").textContent = `Photograph as ${extension.slice(1).toUpperCase()}`;
  element("save-png-row").hidden = extension === ".png";
  element("download").showModal();
});
on("save-own", "click", () => save("own"));
on("save-png", "click", () => save("png"));
on("save-mask", "click", saveMask);

function showHelp() {
  element("help").showModal();
  element("help-title").focus();  // The list is read from its heading.
}

const page = document.querySelector("main");
addEventListener("dragover", (event) => { event.preventDefault(); page.classList.add("dropping"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) page.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  page.classList.remove("dropping");
  open(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file) open(file);
});

listen({
  isOpen: () => Boolean(editor.photograph),
  undo: () => { if (editor.inFlight) editor.cancel(); else if (!painter.abort()) editor.undo(); },
  redo: () => editor.redo(),
  open: choosePhotograph,
  save: () => save("own"),
  fill: () => { if (!painter.shape) editor.fill(); },
  cancel: () => { if (!painter.abort()) editor.cancel(); },
  compare,
  choose,
  resize,
  zoom: (direction) => view.zoomTo(view.scale * 1.3 ** direction),
  fit: () => view.fit(),
  actual: () => view.zoomTo(view.actualScale()),
  help: showHelp,
  holdMove: (isHeld) => { painter.isSpaceDown = isHeld; painter.showCursor(); },
  moveBrush: (dx, dy) => painter.moveByKeys(dx, dy),
  toggleBrush: () => say(painter.toggleByKeys() ? "The brush is down." : ""),
  largeStep: () => Math.max(16, diameter() * view.scale),
});
update();
editor.resume();
