// Keeps the edit history: strokes that wait, fills, undo and redo. The server holds the pixels.
import * as api from "/api.js";
import {Photograph} from "/photograph.js";

const SESSION_KEY = "z2i-session";
// Browsers copy a tab with its sessionStorage, so two tabs can show one photograph. Each holds a shared lock of this
// name; the server forgets a photograph when no tab shows it. Browsers have no locks on pages from other machines
// without encryption: there the server forgets a photograph when it needs the room.
const lockName = (id) => `z2i-photograph-${id}`;

export const isLost = (refusal) => refusal.status === 404 || refusal.status === 410;
// Fills that the server made, without their shapes.
const unknownFills = (count) => Array.from({length: count}, () => ({shapes: [], isAutomatic: true}));

export class Editor {
  // `ui`: {changed(), said(text), failed(refusal), progressed(state or null), patched(boxes), opened()}.
  constructor(ui) {
    this.ui = ui;
    this.options = {detail: "auto", dilate: 0, feather: 0};
    this.isAutomatic = true;
    this.changes = 0;  // Number of changes that run or wait.
    this.last = Promise.resolve();
    this.opening = null;  // The file that was chosen last, until it is shown or refused.
    this.isDue = false;  // Strokes wait, and are filled after the change that runs.
    this.lock = null;  // {id, release(), released: a promise}.
    Object.assign(this, {photograph: null, file: null, version: 0, pending: [], inFlight: null, done: [], undone: []});
  }

  get isBusy() {
    return this.changes > 0;
  }

  open(file, name) {
    this.opening = file;
    this.cancel();
    return this.change(async () => {
      if (file !== this.opening) return;
      try {
        const {photograph: former, lock} = this;
        this.ui.said("Loading the photograph …");
        const description = await api.openPhotograph(file, name);
        const preview = await api.preview(description.id);
        Object.assign(this, {file, fileName: name, pending: [], isDue: false});
        this.begin(description, preview);
        if (lock) forget(lock);
        this.ui.said(description.remarks.length ? `Note: ${description.remarks.join("; ")}.`
            : former ? "" : "Brush over what should go.");
      } finally {
        if (file === this.opening) this.opening = null;
      }
    });
  }

  begin(description, preview, masks = new Map()) {
    this.photograph = new Photograph(description, preview, masks);
    this.hold(description.id);
    this.version = description.version;
    this.done = unknownFills(description.undo);
    this.undone = [];
    try {
      sessionStorage.setItem(SESSION_KEY, description.id);
    } catch (error) { /* Storage is forbidden: a reload begins anew. */ }
    this.ui.opened();
    this.ui.changed();
  }

  // Locks a photograph for this tab, in place of the former one.
  hold(id) {
    if (!navigator.locks || this.lock?.id === id) return;
    this.lock?.release();
    let release;
    const end = new Promise((resolve) => { release = resolve; });
    const released = navigator.locks.request(lockName(id), {mode: "shared"}, () => end).catch(() => {});
    this.lock = {id, release, released};
  }

  // After a reload: goes on with the photograph that the server still has.
  resume() {
    let id = null;
    try {
      id = sessionStorage.getItem(SESSION_KEY);
    } catch (error) { /* As above. */ }
    if (id) this.change(async () => {
      this.hold(id);
      const description = await api.describe(id).catch((refusal) => {
        if (isLost(refusal)) sessionStorage.removeItem(SESSION_KEY);  // The next reload begins anew.
        throw refusal;
      });
      const [preview, original] = await Promise.all([api.preview(id), api.preview(id, true)]);
      this.begin(description, preview);
      this.photograph.replace("original", original);
      this.ui.said("Welcome back: the photograph is as you left it.");
    });
  }

  // The server dropped the photograph. Uploads it again and repeats the fills. If a fill is cancelled or fails, its
  // strokes and those of the later fills wait.
  restore() {
    return this.change(async () => {
      this.ui.said("Loading the photograph again …");
      const {file, fileName, done, photograph: {masks}} = this;
      const description = await api.openPhotograph(file, fileName), preview = await api.preview(description.id);
      const known = done.filter(({shapes}) => shapes.length), lost = done.length - known.length;
      this.begin(description, preview, masks);
      this.pending = [...known.flatMap(({shapes}) => shapes), ...this.pending];
      this.redrawPending();
      for (const entry of known) if (!await this.fillNow(entry)) return;
      this.ui.said("The photograph is loaded again" + (done.length ? ", and its fills are repeated" : "")
                   + (lost ? `, except ${lost} whose strokes this page does not know.` : "."));
    });
  }

  // Uploads masks of shapes again if they belong to a session that the server dropped.
  async sendMasks(shapes) {
    const {id, masks} = this.photograph;
    for (const shape of shapes.filter(({kind}) => kind === "mask")) {
      const loaded = masks.get(shape.mask);
      if (loaded.session === id) continue;
      shape.mask = (await api.loadMask(id, loaded.file, loaded.name, loaded.reading)).mask;
      masks.set(shape.mask, {...loaded, session: id});
    }
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

  // Fills the strokes that wait, after the change that runs.
  fill() {
    if (!this.pending.length) return;
    this.isDue = true;
    if (!this.isBusy) this.change(() => {});
  }

  // Fills the strokes that are due, and then those that come meanwhile.
  async fillDue() {
    while (this.isDue && this.pending.length && !this.opening) {
      this.isDue = false;
      const entry = {shapes: this.pending, ...this.options, isAutomatic: this.isAutomatic};
      if (!await this.fillNow(entry) && entry.isAutomatic && !this.isDue) {
        this.pending = this.pending.slice(entry.shapes.length);
        this.redrawPending();
      }
    }
    if (!this.pending.length) this.isDue = false;
  }

  // Fills the first shapes that wait. Returns whether the fill was made; if not, they wait again.
  async fillNow(entry) {
    const {shapes, detail, dilate, feather} = entry;
    let isMade = false;
    this.pending = this.pending.slice(shapes.length);
    this.photograph.redraw("filling", shapes);
    this.redrawPending();
    this.inFlight = shapes;
    this.ui.progressed({step: 0, steps: 0});
    const before = performance.now();
    try {
      await this.sendMasks(shapes);
      const answer = await api.fill(this.photograph.id, {version: this.version, shapes, detail, dilate, feather},
                                    (state) => this.ui.progressed(state));
      if (answer.cancelled) {
        this.ui.said("Cancelled.");
        return false;
      }
      await this.take(answer);
      isMade = true;
      this.done.push(entry);
      this.undone = [];
      this.seconds = (performance.now() - before) / 1000;
      this.ui.said(answer.remark ? `Filled; ${answer.remark}.` : "Filled.");
      return true;
    } finally {
      if (!isMade) {
        this.pending = [...shapes, ...this.pending];
        this.isDue = Boolean(this.opening);  // A photograph that is being opened cancelled it, and may be refused.
      }
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
    await this.change(async () => {
      await this.take(await api.undo(this.photograph.id, this.version));
      const entry = this.done.pop();
      this.undone.push({fill: entry});
      // Strokes that were filled on demand wait again; others went with their fill.
      if (!entry.isAutomatic) this.pending = [...entry.shapes, ...this.pending];
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
    await this.change(async () => {
      await this.take(await api.redo(this.photograph.id, this.version));
      this.undone = this.undone.filter((each) => each !== entry);
      this.done.push(entry.fill);
      this.pending = this.pending.filter((shape) => !entry.fill.shapes.includes(shape));
      this.redrawPending();
      this.ui.said("Done again.");
    });
  }

  loadMask(file, name, reading) {
    const of = this.file;
    return this.change(async () => {
      if (of !== this.file) return;  // Another photograph was opened before.
      const {id, masks} = this.photograph, {mask, text, png} = await api.loadMask(id, file, name, reading);
      masks.set(mask, {bitmap: await api.pngBitmap(png), session: id, file, name, reading});
      this.add({kind: "mask", erase: false, mask});
      this.redrawPending();
      this.ui.said(`Mask: ${text}. Enter fills it.`);
    });
  }

  async take(answer) {
    this.version = answer.version;
    this.ui.patched(await this.photograph.apply(answer.patches));
  }

  // Runs one change at a time, then fills the strokes that are due. Shows errors last, so that no message of a fill
  // replaces them.
  change(work) {
    this.changes++;
    this.ui.changed();
    this.last = this.last.then(async () => {
      const errors = [await this.attempt(work), await this.attempt(() => this.fillDue())];
      this.changes--;
      this.ui.changed();
      for (const error of errors.filter(Boolean)) this.ui.failed(error);
    });
    return this.last;
  }

  // Runs a part of a change and returns its error, or null. If another window changed the photograph, shows its state.
  async attempt(part) {
    try {
      await part();
      return null;
    } catch (error) {
      if (!("status" in error)) console.error(error);
      if (error.status === 409) await this.reload();
      return error;
    }
  }

  // Shows the photograph as the server has it.
  async reload() {
    try {
      const {id} = this.photograph, description = await api.describe(id);
      this.photograph.replace("picture", await api.preview(id));
      this.version = description.version;
      this.done = unknownFills(description.undo);
      this.undone = [];
      this.ui.patched([{x: 0, y: 0, width: this.photograph.width, height: this.photograph.height}]);
    } catch (refusal) {
      this.ui.failed(refusal);
    }
  }
}

// Lets the server forget a photograph unless another tab shows it.
async function forget({id, released}) {
  await released;
  await navigator.locks.request(lockName(id), {ifAvailable: true},
                                (lock) => lock && api.forget(id).catch(() => {}));  // Else a newer one pushes it out.
}
