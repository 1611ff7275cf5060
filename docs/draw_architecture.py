"""Draws docs/images/architecture.svg from the table of the networks' layers.

  python docs/draw_architecture.py

Each bar is one convolution. Its height is the resolution of its output.
"""

import os
import sys

from z2i_tf import conventions
from z2i_tf.models import architecture
from z2i_tf.models import complexity

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images", "architecture.svg")
_CONFIG = architecture.ModelConfig()  # The paper's.
_LR_PX = 256  # Side of the image in the figure.
_HR_PX = _LR_PX * _CONFIG.scale

# Units of the drawing.
_HEIGHT, _MIDDLE, _MARGIN = 350, 160, 40  # Of the figure; of the line that the data follow; left and right.
_BAR, _GAP, _ARROW = 9, 4, 52
_IMAGE_SIDE = 76  # Also the height of a bar at the image's resolution.

_INK, _SKY, _GROUND, _HOLE = "#222", "#9db8d2", "#7d9a6c", "#fff"
_COARSE, _SR, _REFINE = conventions.COARSE_NET, conventions.SR_NET, conventions.REFINE_NET
_COLOURS = {_COARSE: "#3b6fb6", _SR: "#c2571a", _REFINE: "#2d8659"}
_TITLES = {_COARSE: "coarse network", _SR: "super-resolution", _REFINE: "refinement network"}
_PARTS = (  # Of the figure, from left to right; "image" and "result" are pictures.
  ("image", "image and mask", f"{_LR_PX} px"),
  (_COARSE, "fills the hole", f"{_LR_PX} px"),
  (_SR, "zooms in", f"{_LR_PX} to {_HR_PX} px"),
  (_REFINE, "corrects the fill", f"{_HR_PX} px"),
  ("result", "zooms out", f"{_LR_PX} px"),
)


def _text(x, y, words, size=16, weight="normal", colour=_INK):
  return f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}">{words}</text>'


def _box(x, height, width, colour):
  return f'<rect x="{x:g}" y="{_MIDDLE - height / 2:g}" width="{width:g}" height="{height:g}" rx="2" fill="{colour}"/>'


def _arrow(points):
  """Returns the SVG of a line along (x, y) points with a head at its end."""
  path = " L".join(f"{x:g} {y:g}" for x, y in points)
  return f'<path d="M{path}" stroke="{_INK}" stroke-width="2" fill="none" marker-end="url(#head)"/>'


def _picture(left, has_hole):
  """Returns the SVG of a landscape and its width."""
  ground_y = _MIDDLE + 0.1 * _IMAGE_SIDE
  parts = [
    _box(left, _IMAGE_SIDE, _IMAGE_SIDE, _SKY),
    f'<rect x="{left:g}" y="{ground_y:g}" width="{_IMAGE_SIDE}" height="{0.4 * _IMAGE_SIDE:g}" fill="{_GROUND}"/>',
  ]
  if has_hole:
    x = left + 0.55 * _IMAGE_SIDE
    parts.append(f'<ellipse cx="{x:g}" cy="{ground_y - 2:g}" rx="19" ry="13" fill="{_HOLE}"/>')
  return "".join(parts), _IMAGE_SIDE


def _network(name, left):
  """Returns the SVG of a network's bars and titles, and its width."""
  convs, step = architecture.convolutions(name, _CONFIG), _BAR + _GAP
  width = len(convs) * step - _GAP
  unit = _IMAGE_SIDE * (_CONFIG.scale if name == _REFINE else 1)
  parts = [_box(left + i * step, unit * float(conv.output_scale), _BAR, _COLOURS[name]) for i, conv in enumerate(convs)]
  middle, millions = left + width / 2, complexity.count_parameters(_CONFIG)[name] / 1e6
  parts.append(_text(middle, 28, _TITLES[name], 18, "bold", _COLOURS[name]))
  parts.append(_text(middle, 50, f"{len(convs)} layers, {millions:.2f} M weights"))
  if name == _REFINE:
    before = sum(len(level.dilations) for level in architecture.ENCODER)
    x = left + (before + len(architecture.ATTENTION_LEVEL.dilations) / 2) * step
    parts.append(_text(x, _MIDDLE - 50, "attention", colour=_COLOURS[name]))
  return "".join(parts), width


def draw() -> str:
  """Returns the figure as SVG."""
  parts, left, middles = [], _MARGIN, []
  for name, caption, size in _PARTS:
    svg, width = _network(name, left) if name in _TITLES else _picture(left, name == "image")
    middles.append(left + width / 2)
    parts += [svg, _text(middles[-1], _MIDDLE + 112, caption), _text(middles[-1], _MIDDLE + 133, size)]
    left += width + _ARROW
    if name != _PARTS[-1][0]:
      parts.append(_arrow([(left - _ARROW + 9, _MIDDLE), (left - 16, _MIDDLE)]))
  low, high, width = _HEIGHT - 16, _MIDDLE + 140, left - _ARROW + _MARGIN
  parts.append(_arrow([(middles[0], high), (middles[0], low), (middles[-1], low), (middles[-1], high + 8)]))
  parts.append(_text((middles[0] + middles[-1]) / 2, low - 8, "known pixels are copied"))
  return (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {_HEIGHT}" width="{width:g}" height="{_HEIGHT}" '
    'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">\n'
    "<title>The coarse network fills the hole, super-resolution zooms in, the refinement network corrects the fill; "
    "the result is zoomed out.</title>\n"
    '<defs><marker id="head" orient="auto" markerWidth="6" markerHeight="6" refX="1" refY="3">'
    f'<path d="M0 0 L6 3 L0 6 Z" fill="{_INK}"/></marker></defs>\n'
    f'<rect width="{width:g}" height="{_HEIGHT}" rx="8" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
  )


if __name__ == "__main__":
  if sys.argv[1:]:
    sys.exit(__doc__)
  with open(_PATH, "w", encoding="utf-8") as file:
    file.write(draw())
