// Zooms and moves both pictures of a pair together. A scale is the number of screen pixels per picture pixel. Scales are
// whole numbers, so that all picture pixels look the same; only a picture that is larger than the window is shrunk.
const SCALES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const WHEEL_STEP = 50, PINCH_STEP = 8;  // Wheel movement per step, CSS pixels; touchpads report a pinch as Ctrl + wheel.
const DRAG_START = 6;  // CSS pixels; a shorter movement is a click.

export class Zoom {
  // room: the element that the pictures may fill. stage: the button around `frame`, with a label above it. frame: clips
  // `pictures`, which holds both images. onChange: called after each change. `wasDragged` tells whether the last press on
  // the stage moved the pictures; then it was no click.
  constructor({room, stage, label, frame, pictures, onChange}) {
    Object.assign(this, {room, stage, label, frame, pictures, onChange, size: null, scale: 1, isFitted: true,
                         pointers: new Map(), pinch: null, isDragging: false, wasDragged: false, turned: 0});
    new ResizeObserver(() => this.update()).observe(room);
    room.addEventListener("wheel", (event) => this.onWheel(event), {passive: false});
    stage.addEventListener("pointerdown", (event) => this.onDown(event));
    stage.addEventListener("pointermove", (event) => this.onMove(event));
    for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, (event) => this.onUp(event));
  }

  // Shows two images of the same size, fitted to the room.
  show(first, second) {
    this.images = [first, second];
    this.pictures.replaceChildren(first, second);
    this.size = [first.naturalWidth, first.naturalHeight];
    this.fit();
  }

  clear() {
    this.size = null;
    this.pictures.replaceChildren();
  }

  fit() {
    this.isFitted = true;
    this.update();
  }

  get canZoomIn() {
    return this.size !== null && this.scale < this.scales().at(-1);
  }

  get canZoomOut() {
    return this.size !== null && !this.isFitted;
  }

  // Moves by some steps of the scale; the picture pixel at (x, y), in CSS pixels of the window, stays in place.
  step(steps, x, y) {
    const scales = this.scales();
    const nearest = scales.findLastIndex((scale) => scale <= this.scale);
    this.zoomTo(scales[Math.min(scales.length - 1, Math.max(0, nearest + steps))], x, y);
  }

  // Moves the pictures, in CSS pixels.
  pan(dx, dy) {
    if (!this.size) return;
    const pixel = this.scale / devicePixelRatio;
    this.centre = [this.centre[0] - dx / pixel, this.centre[1] - dy / pixel];
    this.update();
  }

  roomSize() {
    return [this.room.clientWidth, this.room.clientHeight - this.label.offsetHeight];
  }

  fittingScale() {
    const scale = Math.min(...this.roomSize().map((length, axis) => length * devicePixelRatio / this.size[axis]));
    return scale >= 1 ? Math.floor(scale) : Math.max(scale, 1e-3);
  }

  scales() {
    const fitting = this.fittingScale();
    return [fitting, ...SCALES.filter((scale) => scale > fitting)];
  }

  zoomTo(scale, x, y) {
    if (!this.size || scale === this.scale) return;
    const box = this.frame.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    const offset = x === undefined ? [0, 0] : [x - middle[0], y - middle[1]];
    const before = this.scale / devicePixelRatio, after = scale / devicePixelRatio;
    this.centre = this.centre.map((place, axis) => place + offset[axis] / before - offset[axis] / after);
    this.scale = scale;
    this.isFitted = scale === this.fittingScale();
    this.update();
  }

  // Lays the pictures out. All lengths are whole screen pixels: others would make some picture pixels larger.
  update() {
    if (!this.size) return;
    const fitting = this.fittingScale(), density = devicePixelRatio;
    if (this.isFitted || this.scale <= fitting) {
      this.isFitted = true;
      this.scale = fitting;
      this.centre = this.size.map((length) => length / 2);
    }
    const room = this.roomSize().map((length) => Math.floor(length * density));
    const whole = this.size.map((length) => Math.round(length * this.scale));
    const seen = whole.map((length, axis) => Math.min(length, room[axis]));
    const start = whole.map((length, axis) => {
      const place = Math.round(this.centre[axis] * this.scale - seen[axis] / 2);
      return Math.min(length - seen[axis], Math.max(0, place));
    });
    this.centre = start.map((place, axis) => (place + seen[axis] / 2) / this.scale);
    const put = (element, properties) => {
      for (const [name, pixels] of Object.entries(properties)) element.style[name] = `${pixels / density}px`;
    };
    put(this.stage, {left: Math.floor((room[0] - seen[0]) / 2), top: Math.floor((room[1] - seen[1]) / 2)});
    put(this.frame, {width: seen[0], height: seen[1]});
    put(this.pictures, {left: -start[0], top: -start[1]});
    for (const image of this.images) {
      put(image, {width: whole[0], height: whole[1]});
      image.classList.toggle("enlarged", this.scale >= 1);
    }
    this.stage.classList.toggle("movable", !this.isFitted);
    this.onChange();
  }

  onWheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1;
    if (this.turned * event.deltaY < 0) this.turned = 0;
    this.turned += event.deltaY * lines;
    if (Math.abs(this.turned) < (event.ctrlKey ? PINCH_STEP : WHEEL_STEP)) return;
    this.step(this.turned < 0 ? 1 : -1, event.clientX, event.clientY);
    this.turned = 0;
  }

  onDown(event) {
    if (event.button !== 0) return;
    if (!this.pointers.size) this.wasDragged = false;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    try {
      this.stage.setPointerCapture(event.pointerId);
    } catch (error) { /* It was lifted before this was handled. */ }
    this.isDragging = false;
    if (this.pointers.size === 2) {
      this.wasDragged = true;
      this.pinch = {...this.twoFingers(), scale: this.scale};
    }
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId), place = [event.clientX, event.clientY];
    if (!before) return;
    const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
    if (this.pinch && this.pointers.size === 2) {
      this.pointers.set(event.pointerId, place);
      this.pinchTo(this.twoFingers());
    } else if (this.isDragging || Math.hypot(dx, dy) >= DRAG_START) {
      this.isDragging = this.wasDragged = true;
      this.pointers.set(event.pointerId, place);
      this.pan(dx, dy);
    }
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
    this.pinch = null;
    this.isDragging = false;
  }

  twoFingers() {
    const [[x1, y1], [x2, y2]] = [...this.pointers.values()];
    return {x: (x1 + x2) / 2, y: (y1 + y2) / 2, distance: Math.max(1, Math.hypot(x2 - x1, y2 - y1))};
  }

  // Goes to the scale that is nearest to what the fingers ask for.
  pinchTo(fingers) {
    const {pinch} = this, asked = pinch.scale * fingers.distance / pinch.distance;
    this.pan(fingers.x - pinch.x, fingers.y - pinch.y);
    const distance = (scale) => Math.abs(Math.log(scale / asked));
    this.zoomTo(this.scales().reduce((best, scale) => distance(scale) < distance(best) ? scale : best),
                fingers.x, fingers.y);
    Object.assign(pinch, {x: fingers.x, y: fingers.y});
  }
}
