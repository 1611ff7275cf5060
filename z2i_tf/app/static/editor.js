// What was done to the photograph: strokes that wait, fills, undo and redo. The server has the pixels, this keeps the
// order.
import * as api from "/api.js";
import {Photograph} from "/photograph.js";

const SESSION_KEY = "z2i-session";

export class Editor {
  // `ui`: {changed(), said(text), failed(refusal), progressed(state or null), patched(boxes), opened()}.
  constructor(ui) {
    this.ui = ui;
    this.options = {detail: "auto", dilate: 0, feather: 0};
    this.isAutomatic = true;
    this.reset();
  }

  reset() {
    Object.assign(this, {photograph: null, file: null, version: 0, pending: [], inFlight: null, done: [], undone: [],
                         isBusy: false});
  }

  async open(file, name) {
    if (this.isBusy || this.inFlight) await this.cancel();
    const before = this.photograph;
    this.ui.said("Loading the photograph …");
    const description = await api.openPhotograph(file, name);
    const preview = await api.preview(description.id);
    this.reset();
    this.begin(description, preview);
    this.file = file;
    this.fileName = name;
    this.ui.said(description.remarks.length ? `Note: ${description.remarks.join("; ")}.`
        : before ? "" : "Brush over what should go.");
  }

  begin(description, preview) {
    this.photograph = new Photograph(description, preview);
    this.version = description.version;
    this.done = Array.from({length: description.undo}, () => ({shapes: [], isAutomatic: true}));
    try {
      sessionStorage.setItem(SESSION_KEY, description.id);
    } catch (error) { /* Storage is forbidden: a reload begins anew. */ }
    this.ui.opened();
    this.ui.changed();
  }

  // After a reload: goes on with the photograph that the server still has.
  async resume() {
    let id = null;
    try {
      id = sessionStorage.getItem(SESSION_KEY);
    } catch (error) { /* As above. */ }
    if (!id) return;
    let description;
    try {
      description = await api.describe(id);
    } catch (refusal) {
      return;
    }
    this.begin(description, await api.preview(id));
    this.photograph.replace("original", await api.preview(id, true));
    this.ui.said("Welcome back: the photograph is as you left it.");
  }

  // The server knows the photograph no more, but this page has the file: loads it and repeats the fills.
  async restore() {
    const {file, fileName, done, pending} = this;
    if (!file) return;
    await this.guarded(async () => {
      this.ui.said("Loading the photograph again …");
      const description = await api.openPhotograph(file, fileName);
      const preview = await api.preview(description.id);
      this.begin(description, preview);
      for (const entry of done) await this.fillNow(entry.shapes, entry);
      this.pending = pending.filter((shape) => shape.kind !== "mask");
      this.photograph.redraw("painted", this.pending);
      this.ui.said(`The photograph is loaded again${done.length ? ", and its fills are repeated" : ""}.`);
    });
  }

  add(shape) {
    this.pending.push(shape);
    this.undone = [];
    this.ui.changed();
    if (this.isAutomatic && !shape.erase && shape.kind !== "mask") this.fill();
  }

  redrawPending() {
    this.photograph.redraw("painted", this.pending);
    this.ui.patched([]);
  }

  // Fills what waits; strokes that come meanwhile are filled after it.
  async fill() {
    if (this.isBusy || !this.pending.length) return;
    await this.guarded(async () => {
      do {
        const shapes = this.pending;
        this.pending = [];
        this.photograph.redraw("filling", shapes);
        this.redrawPending();
        if (!await this.fillNow(shapes, {...this.options, isAutomatic: this.isAutomatic})) break;
      } while (this.isAutomatic && this.pending.length);
    });
  }

  // Returns whether the fill was made.
  async fillNow(shapes, entry) {
    const {detail, dilate, feather} = entry;
    this.inFlight = shapes;
    this.ui.progressed({step: 0, steps: 0});
    const before = performance.now();
    try {
      const answer = await api.fill(this.photograph.id, {version: this.version, shapes, detail, dilate, feather},
                                    (state) => this.ui.progressed(state));
      if (answer.cancelled) {
        this.pending = entry.isAutomatic ? this.pending : [...shapes, ...this.pending];
        this.ui.said("Cancelled.");
        return false;
      }
      await this.take(answer);
      this.done.push({shapes, ...entry});
      this.undone = [];
      this.seconds = (performance.now() - before) / 1000;
      this.ui.said(answer.remark ? `Filled; ${answer.remark}.` : "Filled.");
      return true;
    } catch (refusal) {
      this.pending = [...shapes, ...this.pending];
      throw refusal;
    } finally {
      this.inFlight = null;
      this.ui.progressed(null);
      this.redrawPending();
    }
  }

  async cancel() {
    if (!this.inFlight) return;
    try {
      await api.cancel(this.photograph.id);
    } catch (refusal) {
      this.ui.failed(refusal);
    }
  }

  get canUndo() {
    return Boolean(this.pending.length || this.done.length) && !this.isBusy;
  }

  get canRedo() {
    return Boolean(this.undone.length) && !this.isBusy;
  }

  async undo() {
    if (!this.canUndo) return;
    if (this.pending.length) {
      this.undone.push({stroke: this.pending.pop()});
      this.redrawPending();
      this.ui.changed();
      return;
    }
    await this.guarded(async () => {
      await this.take(await api.undo(this.photograph.id, this.version));
      const entry = this.done.pop();
      this.undone.push({fill: entry});
      // Strokes that were filled on demand wait again; others went with their fill.
      this.pending = entry.isAutomatic ? [] : [...entry.shapes];
      this.redrawPending();
      this.ui.said("Undone.");
    });
  }

  async redo() {
    if (!this.canRedo) return;
    const entry = this.undone[this.undone.length - 1];
    if (entry.stroke) {
      this.pending.push(this.undone.pop().stroke);
      this.redrawPending();
      this.ui.changed();
      return;
    }
    await this.guarded(async () => {
      await this.take(await api.redo(this.photograph.id, this.version));
      this.done.push(this.undone.pop().fill);
      this.pending = [];
      this.redrawPending();
      this.ui.said("Done again.");
    });
  }

  async loadMask(file, name, reading) {
    await this.guarded(async () => {
      const {mask, text, png} = await api.loadMask(this.photograph.id, file, name, reading);
      this.photograph.masks.set(mask, await api.pngBitmap(png));
      this.add({kind: "mask", erase: false, mask});
      this.redrawPending();
      this.ui.said(`Mask: ${text}. Enter fills it.`);
    });
  }

  async take(answer) {
    this.version = answer.version;
    this.ui.patched(await this.photograph.apply(answer.patches));
  }

  // Runs what changes the photograph, one after the other; what fails is said.
  async guarded(work) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.ui.changed();
    try {
      await work();
    } catch (refusal) {
      if (!("status" in refusal)) console.error(refusal);
      this.ui.failed(refusal);
      if (refusal.status === 409) await this.reload();
    } finally {
      this.isBusy = false;
      this.ui.changed();
    }
  }

  // Shows the photograph as the server has it.
  async reload() {
    try {
      const {id} = this.photograph, description = await api.describe(id);
      this.photograph.replace("picture", await api.preview(id));
      this.version = description.version;
      this.done = Array.from({length: description.undo}, () => ({shapes: [], isAutomatic: true}));
      this.undone = [];
      this.ui.patched([{x: 0, y: 0, width: this.photograph.width, height: this.photograph.height}]);
    } catch (refusal) {
      this.ui.failed(refusal);
    }
  }
}
