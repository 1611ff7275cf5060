// Shows the photograph on the stage: its position, its scale, and what is drawn over it. Lengths are CSS pixels unless
// a name says otherwise; `scale` is the number of CSS pixels per pixel of the photograph.
import {part} from "/api.js";
import {trace} from "/photograph.js";

const LARGEST_SCALE = 32;
const SHARP_AFTER_MS = 180;
const MARGIN = 16;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class View {
  constructor(stage, canvas, onZoom) {
    Object.assign(this, {stage, canvas, onZoom, photograph: null, scale: 1, x: 0, y: 0, sharp: null, comparing: false,
                         isFilling: false, outline: null, cursor: null, isFitted: true});
    this.requested = false;
    new ResizeObserver(() => this.resize()).observe(stage);
  }

  show(photograph) {
    this.photograph = photograph;
    this.sharp = null;
    this.comparing = false;
    this.resize();
    this.fit();
  }

  resize() {
    const density = window.devicePixelRatio;
    this.canvas.width = Math.max(1, Math.round(this.stage.clientWidth * density));
    this.canvas.height = Math.max(1, Math.round(this.stage.clientHeight * density));
    if (this.isFitted) this.fit();
    else this.moved();
  }

  fittingScale() {
    const {width, height} = this.photograph;
    return Math.max(1e-3, Math.min((this.stage.clientWidth - 2 * MARGIN) / width,
                                   (this.stage.clientHeight - 2 * MARGIN) / height, 4));
  }

  fit() {
    if (!this.photograph) return;
    this.scale = this.fittingScale();
    this.x = (this.stage.clientWidth - this.photograph.width * this.scale) / 2;
    this.y = (this.stage.clientHeight - this.photograph.height * this.scale) / 2;
    this.moved();
    this.isFitted = true;
  }

  // One pixel of the photograph to one of the screen.
  actualScale() {
    return 1 / window.devicePixelRatio;
  }

  zoomTo(scale, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const before = this.scale;
    this.scale = Math.min(LARGEST_SCALE, Math.max(this.fittingScale() / 4, scale));
    this.x = x - (x - this.x) * this.scale / before;
    this.y = y - (y - this.y) * this.scale / before;
    this.isFitted = false;
    this.moved();
  }

  // Zooms in on (x, y), or out again if it is zoomed in.
  toggleZoom(x, y) {
    const actual = this.actualScale(), fitting = this.fittingScale();
    if (this.scale > fitting * 1.05) this.fit();
    else this.zoomTo(actual > fitting * 1.3 ? actual : fitting * 3, x, y);
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.isFitted = false;
    this.moved();
  }

  // Keeps a part of the photograph in sight.
  moved() {
    if (!this.photograph) return;
    const {width, height} = this.photograph, keep = 48;
    this.x = Math.min(this.stage.clientWidth - keep, Math.max(keep - width * this.scale, this.x));
    this.y = Math.min(this.stage.clientHeight - keep, Math.max(keep - height * this.scale, this.y));
    this.onZoom();
    this.redraw();
    this.sharpenSoon();
  }

  toPhotograph(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  toStage(x, y) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  // Moves the view until the place (x, y) of the photograph is visible.
  bringIntoView(x, y) {
    const [left, top] = this.toStage(x, y), {clientWidth, clientHeight} = this.stage;
    const shift = (place, length) => Math.min(length - MARGIN, Math.max(MARGIN, place)) - place;
    const [dx, dy] = [shift(left, clientWidth), shift(top, clientHeight)];
    if (dx || dy) this.pan(dx, dy);
  }

  // Redraws after changes; `boxes` are rectangles of the photograph whose preview changed.
  changed(boxes) {
    this.turn = null;  // A part that is still loading shows the former pixels.
    if (this.sharp) {
      const {canvas, x, y, width, height} = this.sharp;
      const context = canvas.getContext("2d");
      for (const box of boxes) {
        context.clearRect((box.x - x) / width * canvas.width, (box.y - y) / height * canvas.height,
                          box.width / width * canvas.width, box.height / height * canvas.height);
      }
      this.sharp.isStale = true;
    }
    this.redraw();
    this.sharpenSoon();
  }

  sharpenSoon() {
    clearTimeout(this.sharpening);
    this.sharpening = setTimeout(() => this.sharpen(), SHARP_AFTER_MS);
  }

  // Loads the visible part at full size, if the preview is not sharp enough.
  async sharpen() {
    const photograph = this.photograph;
    if (!photograph || photograph.factor === 1
        || this.scale * window.devicePixelRatio * photograph.factor < 1.1) {
      this.sharp = null;
      return;
    }
    const [left, top] = this.toPhotograph(0, 0).map((place) => Math.max(0, Math.floor(place)));
    const [right, bottom] = this.toPhotograph(this.stage.clientWidth, this.stage.clientHeight);
    const box = {x: left, y: top, width: Math.min(photograph.width, Math.ceil(right)) - left,
                 height: Math.min(photograph.height, Math.ceil(bottom)) - top};
    if (box.width <= 0 || box.height <= 0) return;
    const covers = this.sharp && !this.sharp.isStale && this.sharp.x <= box.x && this.sharp.y <= box.y
        && this.sharp.x + this.sharp.width >= box.x + box.width
        && this.sharp.y + this.sharp.height >= box.y + box.height
        && this.sharp.canvas.width / this.sharp.width >= Math.min(1, this.scale * window.devicePixelRatio * 0.9);
    if (covers) return;
    const turn = this.turn = {};
    let found;
    try {
      found = await part(photograph.id, box, Math.max(2 ** 20, this.canvas.width * this.canvas.height * 2));
    } catch (refusal) {
      return;  // Keeps the preview. The next fill reports a lost server.
    }
    if (turn !== this.turn || photograph !== this.photograph) return;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [found.bitmap.width, found.bitmap.height];
    canvas.getContext("2d").drawImage(found.bitmap, 0, 0);
    this.sharp = {canvas, x: found.x, y: found.y, width: found.width, height: found.height, isStale: false};
    this.redraw();
  }

  redraw() {
    if (this.requested) return;
    this.requested = true;
    requestAnimationFrame((time) => {
      this.requested = false;
      this.draw(time);
    });
  }

  draw(time) {
    const context = this.canvas.getContext("2d"), density = window.devicePixelRatio, photograph = this.photograph;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!photograph) return;
    context.save();
    context.setTransform(density * this.scale, 0, 0, density * this.scale, density * this.x, density * this.y);
    context.beginPath();
    context.rect(0, 0, photograph.width, photograph.height);
    context.clip();
    this.drawChecks(context);
    const drawLayer = (canvas) => {
      context.imageSmoothingEnabled = this.scale * density < 3;
      context.imageSmoothingQuality = "high";
      context.drawImage(canvas, 0, 0, canvas.width * photograph.factor, canvas.height * photograph.factor);
    };
    drawLayer(this.comparing ? photograph.original : photograph.picture);
    if (this.sharp && !this.comparing) {
      context.drawImage(this.sharp.canvas, this.sharp.x, this.sharp.y, this.sharp.width, this.sharp.height);
    }
    if (!this.comparing) {
      context.globalAlpha = 0.55;
      drawLayer(photograph.painted);
      if (this.isFilling) {
        context.globalAlpha = STILL.matches ? 0.5 : 0.5 + 0.15 * Math.sin(time / 180);
        drawLayer(photograph.filling);
        if (!STILL.matches) this.redraw();
      }
      context.globalAlpha = 1;
    }
    context.restore();
    context.setTransform(density, 0, 0, density, 0, 0);
    if (this.outline) this.drawLines(context, () => {
      context.setTransform(density * this.scale, 0, 0, density * this.scale, density * this.x, density * this.y);
      trace(context, this.outline);
      context.setTransform(density, 0, 0, density, 0, 0);
    }, [6, 4]);
    if (this.cursor && !this.comparing) this.drawCursor(context);
  }

  // Draws a checkerboard behind transparent pixels.
  drawChecks(context) {
    if (!this.checks) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 16;
      const inner = tile.getContext("2d");
      inner.fillStyle = "#fff";
      inner.fillRect(0, 0, 16, 16);
      inner.fillStyle = "#ccc";
      inner.fillRect(0, 0, 8, 8);
      inner.fillRect(8, 8, 8, 8);
      this.checks = context.createPattern(tile, "repeat");
    }
    this.checks.setTransform(new DOMMatrix().scale(1 / this.scale));
    context.fillStyle = this.checks;
    context.fillRect(0, 0, this.photograph.width, this.photograph.height);
  }

  drawCursor(context) {
    const {x, y, radius, isDown, byKeys} = this.cursor, [left, top] = this.toStage(x, y);
    this.drawLines(context, () => {
      if (radius) {
        context.moveTo(left + radius * this.scale, top);
        context.arc(left, top, radius * this.scale, 0, 2 * Math.PI);
      }
      if (byKeys || !radius) {
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(left + 3 * dx, top + 3 * dy);
          context.lineTo(left + 12 * dx, top + 12 * dy);
        }
      }
    }, isDown && byKeys ? [3, 3] : []);
  }

  // Draws white over black, which is visible on every photograph.
  drawLines(context, addPath, dashes) {
    context.beginPath();
    addPath();
    context.lineJoin = "round";
    context.setLineDash([]);
    context.strokeStyle = "#000a";
    context.lineWidth = 3;
    context.stroke();
    context.setLineDash(dashes);
    context.strokeStyle = "#fff";
    context.lineWidth = 1.5;
    context.stroke();
    context.setLineDash([]);
  }
}
