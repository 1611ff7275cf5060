// Handles mouse, pen, fingers and arrow keys on the stage: paints shapes, moves and zooms the view.
const TAP_MS = 250, DOUBLE_TAP_MS = 300, TAP_MOVE = 10;  // CSS pixels.
const LIGHTEST_PRESSURE = 0.3;  // Share of the radius that a pen paints without pressing.

export class Painter {
  // `tools`: {tool, radius, isEnabled(), step(direction)}; the radius is in pixels of the photograph.
  constructor(view, editor, tools) {
    Object.assign(this, {view, editor, tools, shape: null, pointers: new Map(), drag: null, pinch: null, lastTap: null,
                         waitingTap: null, isSpaceDown: false, keys: null});
    const {stage} = view;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.up(event));
    stage.addEventListener("pointercancel", (event) => this.up(event, true));
    stage.addEventListener("pointerleave", () => this.leave());
    stage.addEventListener("wheel", (event) => this.wheel(event), {passive: false});
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("blur", () => this.endKeys());
  }

  place(event) {
    const box = this.view.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.target.closest("#progress") || !this.tools.isEnabled()) return;
    event.preventDefault();
    this.view.stage.focus({preventScroll: true});
    try {
      this.view.stage.setPointerCapture(event.pointerId);
    } catch (error) { /* It was lifted before this was handled. */ }
    const place = this.place(event);
    this.endKeys();
    this.pointers.set(event.pointerId, place);
    if (event.pointerType === "touch" && this.pointers.size === 2) {
      this.abort();
      this.drag = null;
      this.pinch = this.twoFingers();
      return;
    }
    if (this.pinch || this.shape) return;
    this.downAt = {time: event.timeStamp, place};
    if (event.pointerType === "touch" && this.isSecondTap(event, place)) {
      this.lastTap = null;
      this.view.toggleZoom(...place);
      return;
    }
    if (event.button === 1 || this.isSpaceDown || this.tools.tool === "move") {
      this.drag = place;
      this.showCursor();
    } else if (event.button === 0) {
      this.begin(place, this.radius(event));
    }
  }

  move(event) {
    const place = this.place(event);
    if (event.pointerType !== "touch") this.hover(place);
    if (!this.pointers.has(event.pointerId)) return;
    this.pointers.set(event.pointerId, place);
    if (this.pinch) {
      if (this.pointers.size === 2) this.pinchTo(this.twoFingers());
    } else if (this.drag) {
      this.view.pan(place[0] - this.drag[0], place[1] - this.drag[1]);
      this.drag = place;
    } else if (this.shape) {
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const each of events.length ? events : [event]) this.extend(this.place(each), this.radius(each));
    }
  }

  up(event, isCancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.pinch) {
      if (!this.pointers.size) this.pinch = null;
      return;
    }
    if (this.drag) {
      this.drag = null;
      this.showCursor();
      return;
    }
    if (isCancelled) {
      this.abort();
    } else if (this.shape && event.pointerType === "touch" && this.isTap(event)) {
      // Perhaps the first of two taps, which zoom.
      this.lastTap = {time: event.timeStamp, place: this.downAt.place};
      const shape = this.take();
      this.waitingTap = {shape, timer: setTimeout(() => {
        this.waitingTap = null;
        this.editor.add(shape);
      }, DOUBLE_TAP_MS)};
    } else if (this.shape) {
      this.finish();
    }
  }

  leave() {
    if (!this.shape && !this.keys) {
      this.view.cursor = null;
      this.view.redraw();
    }
  }

  isTap(event) {
    const [x, y] = this.place(event), [x0, y0] = this.downAt.place;
    return event.timeStamp - this.downAt.time < TAP_MS && Math.hypot(x - x0, y - y0) < TAP_MOVE;
  }

  isSecondTap(event, [x, y]) {
    const last = this.lastTap;
    if (!last || event.timeStamp - last.time > DOUBLE_TAP_MS
        || Math.hypot(x - last.place[0], y - last.place[1]) > 4 * TAP_MOVE) return false;
    if (this.waitingTap) {
      clearTimeout(this.waitingTap.timer);
      this.waitingTap = null;
      this.editor.redrawPending();
    }
    return true;
  }

  twoFingers() {
    const [[x1, y1], [x2, y2]] = [...this.pointers.values()];
    return {x: (x1 + x2) / 2, y: (y1 + y2) / 2, distance: Math.max(1, Math.hypot(x2 - x1, y2 - y1))};
  }

  pinchTo(fingers) {
    this.view.pan(fingers.x - this.pinch.x, fingers.y - this.pinch.y);
    this.view.zoomTo(this.view.scale * fingers.distance / this.pinch.distance, fingers.x, fingers.y);
    this.pinch = fingers;
  }

  wheel(event) {
    event.preventDefault();
    if (!this.tools.isEnabled()) return;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1;
    const delta = (event.deltaY || event.deltaX) * lines;
    if (event.shiftKey) {
      this.tools.step(delta < 0 ? 1 : -1);
      this.hover(this.place(event));
    } else {
      this.view.zoomTo(this.view.scale * Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.0016)), ...this.place(event));
      this.hover(this.place(event));
    }
  }

  // A pen paints wider where it is pressed.
  radius(event) {
    const isPen = event.pointerType === "pen" && event.pressure > 0;
    return this.tools.radius * (isPen ? LIGHTEST_PRESSURE + (1 - LIGHTEST_PRESSURE) * event.pressure : 1);
  }

  begin(place, radius) {
    const {tool} = this.tools, [x, y] = this.view.toPhotograph(...place);
    const kind = tool === "eraser" ? "brush" : tool;
    this.shape = {kind, erase: tool === "eraser", points: [kind === "brush" ? [x, y, radius] : [x, y]]};
    if (kind === "rectangle") this.shape.points.push([x, y]);
    if (kind === "brush") this.editor.photograph.draw("painted", this.shape);
    else this.view.outline = this.shape;
    this.view.redraw();
  }

  extend(place, radius) {
    const {points, kind} = this.shape, [x, y] = this.view.toPhotograph(...place);
    if (kind === "rectangle") {
      points[1] = [x, y];
    } else {
      const [lastX, lastY] = points[points.length - 1];
      if (Math.hypot(x - lastX, y - lastY) * this.view.scale < 0.7) return;  // Closer than a pixel of the screen.
      points.push(kind === "brush" ? [x, y, radius] : [x, y]);
      if (kind === "brush") this.editor.photograph.draw("painted", this.shape, points.length - 1);
    }
    this.view.redraw();
  }

  take() {
    const {shape} = this;
    this.shape = this.view.outline = null;
    if (shape.kind !== "brush") this.editor.photograph.draw("painted", shape);
    this.view.redraw();
    return shape;
  }

  finish() {
    const shape = this.take();
    const [first, second] = shape.points, isSame = (axis) => Math.round(first[axis]) === Math.round(second[axis]);
    const isEmpty = shape.kind === "rectangle" ? isSame(0) || isSame(1) : shape.kind === "lasso" && shape.points.length < 3;
    if (isEmpty) this.editor.redrawPending();
    else this.editor.add(shape);
  }

  // Forgets the stroke under way; returns whether there was one.
  abort() {
    if (!this.shape) return false;
    this.shape = this.view.outline = null;
    if (this.keys) this.keys.isDown = false;
    this.editor.redrawPending();
    this.showCursor();
    return true;
  }

  hover(place) {
    if (this.keys) return;
    this.pointer = place;
    this.showCursor();
  }

  showCursor() {
    const {stage} = this.view, moves = this.isSpaceDown || this.tools.tool === "move" || this.drag;
    stage.dataset.cursor = this.drag ? "grabbing" : moves ? "grab" : "";
    const place = this.keys ? [this.keys.x, this.keys.y] : this.pointer && this.view.toPhotograph(...this.pointer);
    if (moves && !this.keys || !place) {
      this.view.cursor = null;
    } else {
      const hasRadius = this.tools.tool === "brush" || this.tools.tool === "eraser";
      this.view.cursor = {x: place[0], y: place[1], radius: hasRadius ? this.tools.radius : 0,
                          byKeys: Boolean(this.keys), isDown: Boolean(this.keys && this.keys.isDown)};
    }
    this.view.redraw();
  }

  // Moves the brush by (dx, dy) CSS pixels.
  moveByKeys(dx, dy) {
    if (!this.keys) {
      const {clientWidth, clientHeight} = this.view.stage;
      const [x, y] = this.view.toPhotograph(...(this.pointer || [clientWidth / 2, clientHeight / 2]));
      this.keys = {x, y, isDown: false};
    }
    const {width, height} = this.editor.photograph, {keys, view} = this;
    keys.x = Math.min(width, Math.max(0, keys.x + dx / view.scale));
    keys.y = Math.min(height, Math.max(0, keys.y + dy / view.scale));
    view.bringIntoView(keys.x, keys.y);
    if (this.shape) this.extend(view.toStage(keys.x, keys.y), this.tools.radius);
    this.showCursor();
  }

  // Sets the brush down at the keys' cursor, or lifts it. Returns whether it is down now.
  toggleByKeys() {
    if (!this.keys) this.moveByKeys(0, 0);
    const {keys, view} = this;
    if (this.shape) {
      keys.isDown = false;
      this.finish();
    } else if (this.tools.tool !== "move") {
      keys.isDown = true;
      this.begin(view.toStage(keys.x, keys.y), this.tools.radius);
    }
    this.showCursor();
    return keys.isDown;
  }

  // Ends keyboard control and drops its unfinished stroke.
  endKeys() {
    if (!this.keys) return;
    this.abort();
    this.keys = null;
    this.showCursor();
  }
}
