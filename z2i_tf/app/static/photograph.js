// Holds the preview of the photograph, smaller by a whole factor, and the shapes painted over it. Shapes are in pixels
// of the photograph, as the server takes them: {kind, erase, points: [[x, y, radius], ...], mask}.
import {pngBitmap} from "/api.js";

const MASK_COLOUR = "#ff00b8";

export class Photograph {
  // `masks`: name of a loaded mask -> {bitmap, of the preview's size; session, file, name, reading}.
  constructor(description, preview, masks) {
    Object.assign(this, {id: description.id, name: description.name, extension: description.extension,
                         width: description.width, height: description.height, factor: description.factor});
    const copy = (source) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [preview.width, preview.height];
      if (source) canvas.getContext("2d").drawImage(source, 0, 0);
      return canvas;
    };
    this.picture = copy(preview);
    this.original = copy(preview);
    this.painted = copy();  // Shapes that wait to be filled.
    this.filling = copy();  // Shapes that are being filled.
    this.masks = masks;
  }

  replace(layer, bitmap) {
    const context = this[layer].getContext("2d");
    context.clearRect(0, 0, bitmap.width, bitmap.height);
    context.drawImage(bitmap, 0, 0);
  }

  // Puts what the server changed into the picture; returns the rectangles, in pixels of the photograph.
  async apply(patches) {
    const bitmaps = await Promise.all(patches.map((patch) => pngBitmap(patch.png)));
    const context = this.picture.getContext("2d");
    return patches.map(({x, y}, number) => {
      const {width, height} = bitmaps[number];
      context.clearRect(x, y, width, height);
      context.drawImage(bitmaps[number], x, y);
      return {x: x * this.factor, y: y * this.factor, width: width * this.factor, height: height * this.factor};
    });
  }

  // Draws a layer of shapes anew.
  redraw(layer, shapes) {
    const canvas = this[layer];
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    for (const shape of shapes) this.draw(layer, shape);
  }

  // Draws a shape; of a brush, its points from `first` on.
  draw(layer, shape, first = 0) {
    const context = this[layer].getContext("2d");
    context.save();
    context.globalCompositeOperation = shape.erase ? "destination-out" : "source-over";
    context.fillStyle = MASK_COLOUR;
    if (shape.kind === "mask") {
      this.drawMask(context, shape);
    } else {
      context.scale(1 / this.factor, 1 / this.factor);
      context.beginPath();
      trace(context, shape, first);
      context.fill();
    }
    context.restore();
  }

  drawMask(context, shape) {
    const {bitmap} = this.masks.get(shape.mask);
    const coloured = document.createElement("canvas");
    [coloured.width, coloured.height] = [bitmap.width, bitmap.height];
    const inner = coloured.getContext("2d");
    inner.drawImage(bitmap, 0, 0);
    inner.globalCompositeOperation = "source-in";
    inner.fillStyle = MASK_COLOUR;
    inner.fillRect(0, 0, bitmap.width, bitmap.height);
    context.drawImage(coloured, 0, 0);
  }
}

// Adds a shape's outline to the path.
export function trace(context, shape, first = 0) {
  if (shape.kind === "rectangle") {
    const [[left, top], [right, bottom]] = shape.points;
    context.rect(Math.min(left, right), Math.min(top, bottom), Math.abs(right - left), Math.abs(bottom - top));
  } else if (shape.kind === "lasso") {
    shape.points.forEach(([x, y], number) => number ? context.lineTo(x, y) : context.moveTo(x, y));
    context.closePath();
  } else {
    for (let number = first; number < shape.points.length; number++) {
      const [x, y, radius] = shape.points[number];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (number) traceSegment(context, shape.points[number - 1], shape.points[number]);
    }
  }
}

function traceSegment(context, [x1, y1, radius1], [x2, y2, radius2]) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (!length) return;
  const [across, up] = [-(y2 - y1) / length, (x2 - x1) / length];
  // In the direction of the circles: other windings would cancel each other out.
  context.moveTo(x1 - across * radius1, y1 - up * radius1);
  context.lineTo(x2 - across * radius2, y2 - up * radius2);
  context.lineTo(x2 + across * radius2, y2 + up * radius2);
  context.lineTo(x1 + across * radius1, y1 + up * radius1);
  context.closePath();
}
